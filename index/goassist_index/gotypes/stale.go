package main

import (
	"go/parser"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// changed forgets the loaded package that file belongs to when its declarations changed. Typing inside a
// function leaves it, and all that import it, as they are.
func (u *universe) changed(file string) {
	m := u.metaOfDir(filepath.Dir(file))
	if m == nil {
		return
	}
	u.mu.Lock()
	l := u.loaded[m.ImportPath]
	u.mu.Unlock()
	if l == nil {
		return
	}
	select {
	case <-l.done:
	default: // still loading: the new text may or may not have been read
		u.drop(m)
		return
	}
	was, known := l.outlines[file]
	t, err := u.sources.read(file)
	if known && err == nil && outlineDigest(t.data) == was {
		return
	}
	if !known && !isGoFile(filepath.Base(file)) || isTestFile(file) {
		return
	}
	u.drop(m)
}

// drop forgets the loaded package of m and all that import it, directly or not.
func (u *universe) drop(m *meta) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.loaded[m.ImportPath] == nil {
		return
	}
	stale := map[string]bool{m.ImportPath: true}
	for changed := true; changed; {
		changed = false
		for path := range u.loaded {
			if stale[path] || u.metas[path] == nil {
				continue
			}
			for _, imported := range u.importsOf(u.metas[path]) {
				if mapped := u.metas[path].ImportMap[imported]; mapped != "" {
					imported = mapped
				}
				if stale[imported] {
					stale[path] = true
					changed = true
					break
				}
			}
		}
	}
	for path := range stale {
		delete(u.loaded, path)
	}
}

// count is the number of packages loaded or being loaded.
func (u *universe) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.loaded)
}

// staleInterval bounds how often the files of loaded workspace packages are compared with the disk.
const staleInterval = 2 * time.Second

// recheck forgets loaded workspace packages whose files changed on disk, and asks go list about them again.
func (u *universe) recheck() {
	u.mu.Lock()
	if time.Since(u.rechecked) < staleInterval {
		u.mu.Unlock()
		return
	}
	u.rechecked = time.Now()
	entries := map[*meta]*loading{}
	for path, l := range u.loaded {
		if m := u.metas[path]; m != nil && m.workspace() {
			entries[m] = l
		}
	}
	u.mu.Unlock()
	var dirs []string
	for m, l := range entries {
		select {
		case <-l.done:
		default:
			continue
		}
		if l.listing != u.listing(m.Dir) || u.editedOnDisk(l) {
			u.drop(m)
			dirs = append(dirs, m.Dir)
		}
	}
	if len(dirs) > 0 {
		slices.Sort(dirs)
		if err := u.describe(dirs[0], dirs...); err != nil {
			log.Printf("%v", err)
		}
	}
}

// editedOnDisk reports whether the declarations of a loaded package differ from what was read.
func (u *universe) editedOnDisk(l *loading) bool {
	for file, was := range l.stamps {
		now, err := u.sources.stamp(file)
		if err == nil && (now == was || now.overlay) {
			continue // changed looks after buffers
		}
		t, err := u.sources.read(file)
		if err != nil || outlineDigest(t.data) != l.outlines[file] {
			return true
		}
		l.stamps[file] = t.stamp
	}
	return false
}

func isTestFile(file string) bool { return strings.HasSuffix(file, "_test.go") }

// listing names the Go files of a directory that are not tests, unsaved ones included.
func (u *universe) listing(dir string) string { return strings.Join(u.goFiles(dir), "\n") }

func (u *universe) goFiles(dir string) []string {
	names := u.sources.overlaysIn(dir)
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !isGoFile(name) || isTestFile(name) })
	slices.Sort(names)
	return slices.Compact(names)
}

// filesOf lists a package's files: go list's for what the user does not edit, what is there now otherwise.
func (u *universe) filesOf(m *meta) []string {
	var paths []string
	if !m.workspace() {
		for _, name := range slices.Concat(m.GoFiles, m.CgoFiles) {
			paths = append(paths, filepath.Join(m.Dir, name))
		}
		return paths
	}
	for _, name := range u.goFiles(m.Dir) {
		path := filepath.Join(m.Dir, name)
		t, err := u.sources.read(path)
		if err != nil || !matches(u.context, path, t.data) {
			continue
		}
		head, _ := parser.ParseFile(token.NewFileSet(), "", t.data, parser.PackageClauseOnly)
		if head == nil || head.Name == nil || m.Name != "" && head.Name.Name != m.Name {
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

// importsOf lists what a package imports, by its unsaved buffers too.
func (u *universe) importsOf(m *meta) []string {
	if !m.workspace() {
		return m.Imports
	}
	imports := slices.Clone(m.Imports)
	for _, name := range u.sources.overlaysIn(m.Dir) {
		if !isGoFile(name) || isTestFile(name) {
			continue
		}
		t, err := u.sources.read(filepath.Join(m.Dir, name))
		if err != nil {
			continue
		}
		head, _ := parser.ParseFile(token.NewFileSet(), "", t.data, parser.ImportsOnly)
		if head == nil {
			continue
		}
		for _, spec := range head.Imports {
			if path := importPath(spec); path != "" && !slices.Contains(imports, path) {
				imports = append(imports, path)
			}
		}
	}
	return imports
}
