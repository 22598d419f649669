package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// treeKind says how the directories of a module may change.
type treeKind int

const (
	standard treeKind = iota // the standard library
	fixed                    // a version in the module cache or the vendor directory: never
	editable                 // a module of the workspace, or a directory that replaces one: at any time
)

// tree is one module's directory with its packages; the standard library counts as one with an empty path.
type tree struct {
	path, dir string
	goVersion string
	kind      treeKind
	direct    bool
	listed    []string // all its packages, where vendor/modules.txt says so

	mu     sync.Mutex
	walked time.Time
	found  []string
}

// walkInterval is how long the list of an editable tree's directories is believed.
const walkInterval = 10 * time.Second

// packages lists the directories below t that hold Go files other than tests, as slash paths relative to it.
func (t *tree) packages() []string {
	if t.listed != nil {
		return t.listed
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.walked.IsZero() || t.kind == editable && time.Since(t.walked) > walkInterval {
		t.found = t.walk()
		t.walked = time.Now()
	}
	return t.found
}

func (t *tree) walk() []string {
	var found []string
	_ = filepath.WalkDir(t.dir, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read has no packages for us
		}
		if entry.IsDir() {
			if at != t.dir && !t.descends(at, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if name := entry.Name(); isGoFile(name) && !isTestFile(name) {
			rel, _ := filepath.Rel(t.dir, filepath.Dir(at))
			if rel = filepath.ToSlash(rel); rel == "." {
				rel = ""
			}
			if len(found) == 0 || found[len(found)-1] != rel {
				found = append(found, rel)
			}
		}
		return nil
	})
	// Files of one directory are not all visited in a row: its subdirectories come between.
	slices.Sort(found)
	return slices.Compact(found)
}

// descends reports whether packages below a directory belong to the module and may be imported by anyone here.
func (t *tree) descends(at, name string) bool {
	switch {
	case name == "testdata" || name == "vendor" || name[0] == '.' || name[0] == '_' || strings.ContainsAny(name, "@ "):
		return false
	case name == "internal":
		return t.kind == editable
	case t.kind == standard:
		return !(name == "cmd" && filepath.Dir(at) == t.dir)
	}
	_, err := os.Stat(filepath.Join(at, "go.mod"))
	return err != nil
}

// importPath is the path by which the package in the relative directory rel is imported.
func (t *tree) importPath(rel string) string { return path.Join(t.path, rel) }

// holds returns the directory of a package by import path, if it can be below t.
func (t *tree) holds(importPath string) (dir string, ok bool) {
	rel, ok := strings.CutPrefix(importPath, t.path)
	if !ok || rel != "" && t.path != "" && rel[0] != '/' {
		return "", false
	}
	return filepath.Join(t.dir, filepath.FromSlash(rel)), true
}

// mayBeCalled reports whether a package with this path could be called name, by the path's last two elements:
// go-yaml, yaml.v3 and yaml/v3 are called yaml. What it is called is for its package clause to say.
func mayBeCalled(importPath, name string) bool {
	parts := strings.Split(importPath, "/")
	last := strings.Join(parts[max(0, len(parts)-2):], "/")
	plain := strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(last))
	return strings.Contains(plain, strings.ReplaceAll(strings.ToLower(name), "_", ""))
}
