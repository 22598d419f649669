package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// modules says where importable packages can be, seen from one directory: the standard library, the modules of
// the workspace, and what their go.mod files require already. Nothing else may be imported without a download or
// an edit of go.mod.
type modules struct {
	std      *tree
	mains    []*tree
	required []*tree
	// vendored gives the directory of each vendored package; nil where the module cache counts.
	vendored map[string]string
	// lazy: a go.mod before 1.17 does not list what it requires indirectly.
	lazy bool

	namesMu sync.Mutex // guards the next two: what all its packages are called, and since when that is known
	names   []string
	named   time.Time
}

// goEnvLimit bounds one run of `go env`.
const goEnvLimit = 10 * time.Second

// goSettings are the values of `go env` that decide where packages are.
type goSettings struct{ GOROOT, GOMODCACHE, GOWORK, GOMOD, GOFLAGS string }

func readGoSettings(dir string, env []string) (goSettings, error) {
	ctx, cancel := context.WithTimeout(context.Background(), goEnvLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "env", "-json", "GOROOT", "GOMODCACHE", "GOWORK", "GOMOD", "GOFLAGS")
	cmd.Dir = dir
	cmd.Env = append(env[:len(env):len(env)], "PWD="+dir)
	out, err := cmd.Output()
	if err != nil {
		return goSettings{}, fmt.Errorf("go env in %s: %w", dir, err)
	}
	var s goSettings
	return s, json.Unmarshal(out, &s)
}

// readModules reads the files that decide what dir may import. What cannot be read is left out.
func readModules(dir string, env []string) (*modules, error) {
	s, err := readGoSettings(dir, env)
	if err != nil {
		return nil, err
	}
	ms := &modules{std: &tree{dir: filepath.Join(s.GOROOT, "src"), kind: standard}}
	files := []*modFile{readModFile(s.GOMOD)}
	root := filepath.Dir(s.GOMOD)
	work := readModFile(s.GOWORK)
	if used, ok := work.used(); ok {
		files, root = used, filepath.Dir(s.GOWORK)
	} else {
		work = nil
	}
	sums := map[string]bool{}
	for _, f := range files {
		if f == nil || f.module == "" {
			continue
		}
		at := filepath.Dir(f.path)
		ms.mains = append(ms.mains, &tree{path: f.module, dir: at, goVersion: f.goVersion, kind: editable})
		ms.lazy = ms.lazy || before117(f.goVersion)
		readSums(filepath.Join(at, "go.sum"), sums)
	}
	if work != nil {
		readSums(filepath.Join(root, "go.work.sum"), sums)
	}
	if data, err := os.ReadFile(filepath.Join(root, "vendor", "modules.txt")); err == nil && vendors(s.GOFLAGS) && len(ms.mains) > 0 {
		ms.addVendored(filepath.Join(root, "vendor"), string(data), files)
		return ms, nil
	}
	ms.addRequired(files, work, s.GOMODCACHE, sums)
	return ms, nil
}

// vendors reports whether the flags let the go command use a vendor directory that is there.
func vendors(flags string) bool {
	return !strings.Contains(flags, "-mod=mod") && !strings.Contains(flags, "-mod=readonly")
}

// addRequired finds the directories of required modules: replacements, or the module cache.
func (ms *modules) addRequired(files []*modFile, work *modFile, cache string, sums map[string]bool) {
	found := map[string]*tree{}
	version := map[string]string{}
	for _, f := range files {
		if f == nil {
			continue
		}
		for _, r := range f.requires {
			if old := found[r.path]; old != nil {
				old.direct = old.direct || r.direct
				if version[r.path] != r.version {
					old.dir = "" // which of the versions counts is for go list to say
				}
				continue
			}
			t := &tree{path: r.path, direct: r.direct, kind: fixed}
			found[r.path], version[r.path] = t, r.version
			to, replaced := work.replacement(r.path, r.version)
			if !replaced {
				to, replaced = f.replacement(r.path, r.version)
			}
			switch {
			case replaced && to.version == "":
				t.dir, t.kind = to.path, editable
			case replaced && sums[to.path+" "+to.version]:
				t.dir = filepath.Join(cache, escaped(to.path)+"@"+escaped(to.version))
			case !replaced && sums[r.path+" "+r.version]:
				t.dir = filepath.Join(cache, escaped(r.path)+"@"+escaped(r.version))
			}
		}
	}
	for _, t := range found {
		if t.dir == "" || ms.main(t.path) {
			continue
		}
		if _, err := os.Stat(t.dir); err == nil {
			if f := readModFile(filepath.Join(t.dir, "go.mod")); f != nil {
				t.goVersion = f.goVersion
			}
			ms.required = append(ms.required, t)
		}
	}
}

// addVendored reads vendor/modules.txt: which packages are there, and of which module each is.
func (ms *modules) addVendored(vendor, list string, files []*modFile) {
	ms.vendored = map[string]string{}
	var t *tree
	for _, line := range strings.Split(list, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 2 && fields[0] == "#":
			t = &tree{path: fields[1], dir: filepath.Join(vendor, filepath.FromSlash(fields[1])), kind: fixed}
			for _, f := range files {
				t.direct = t.direct || f.requiresDirectly(t.path)
			}
			ms.required = append(ms.required, t)
		case len(fields) >= 2 && fields[0] == "##" && t != nil:
			if _, version, ok := strings.Cut(line, "go "); ok {
				t.goVersion = strings.TrimSpace(version)
			}
		case len(fields) == 1 && t != nil:
			ms.vendored[fields[0]] = filepath.Join(vendor, filepath.FromSlash(fields[0]))
			t.listed = append(t.listed, strings.TrimPrefix(strings.TrimPrefix(fields[0], t.path), "/"))
		}
	}
}

func (ms *modules) main(path string) bool {
	for _, t := range ms.mains {
		if t.path == path {
			return true
		}
	}
	return false
}

// requires reports whether go.mod names the module, or may leave out that it does.
func (ms *modules) requires(m *module) bool {
	if m == nil {
		return false
	}
	if m.Main {
		return ms.main(m.Path)
	}
	for _, t := range ms.required {
		if t.path == m.Path {
			return true
		}
	}
	return ms.lazy && ms.vendored == nil
}

// escaped spells a module path or version as the module cache's directories do: "!m" for "M".
func escaped(path string) string {
	var b strings.Builder
	for _, r := range path {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('!')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return filepath.FromSlash(b.String())
}

// readSums notes the "path version" pairs whose contents go.sum vouches for: without it nothing builds.
func readSums(file string, sums map[string]bool) {
	data, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(data), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 {
			sums[fields[0]+" "+fields[1]] = true
		}
	}
}

func before117(goVersion string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(goVersion, "%d.%d", &major, &minor); err != nil {
		return true
	}
	return major == 1 && minor < 17
}

var errNoModules = errors.New("the go command does not say where packages are")

// modulesOf says what the packages in dir may import; read once, for freshen forgets the universe when go.mod
// and its like change.
func (u *universe) modulesOf(dir string) (*modules, error) {
	root := moduleRoot(dir)
	u.modulesMu.Lock()
	defer u.modulesMu.Unlock()
	if ms, known := u.modules[root]; known {
		if ms == nil {
			return nil, errNoModules
		}
		return ms, nil
	}
	ms, err := readModules(dir, u.env)
	u.modules[root] = ms
	return ms, err
}
