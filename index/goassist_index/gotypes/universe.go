package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"log"
	"runtime"
	"strings"
	"sync"
	"time"
)

// universe holds the packages that others import, loaded from source with bodies left out, for one target
// (GOOS, GOARCH, build tags). Packages are immutable once loaded; a change makes new ones.
type universe struct {
	sources *sources
	env     []string
	context build.Context
	sizes   types.Sizes

	mu      sync.Mutex
	metas   map[string]*meta           // by import path as resolved
	byDir   map[string]*meta           // by directory
	missing map[string]bool            // import paths that go list could not find
	loaded  map[string]*loading        // by import path as resolved
	spelled map[string]map[string]bool // package-level names by import path, of packages that do not change
	slots   chan struct{}              // bounds parallel parsing

	rechecked time.Time       // when files on disk were last looked at
	surveyed  map[string]bool // module roots whose packages are all described, or about to be

	modulesMu sync.Mutex
	modules   map[string]*modules // by module root: where importable packages are; nil where go does not say

	// starting serialises start: packages that import each other in a circle would otherwise wait for ever.
	starting sync.Mutex
}

// loading is one package on its way: done closes when pkg is set.
type loading struct {
	done chan struct{}
	pkg  *types.Package
	// Versions of its files and digests of their outlines, for workspace packages only.
	stamps   map[string]stamp
	outlines map[string][32]byte
	listing  string // the names of the Go files in its directory
}

func newUniverse(src *sources, env []string, ctx build.Context) *universe {
	return &universe{
		sources:  src,
		env:      env,
		context:  ctx,
		sizes:    types.SizesFor("gc", ctx.GOARCH),
		metas:    map[string]*meta{},
		byDir:    map[string]*meta{},
		missing:  map[string]bool{},
		loaded:   map[string]*loading{},
		spelled:  map[string]map[string]bool{},
		surveyed: map[string]bool{},
		modules:  map[string]*modules{},
		slots:    make(chan struct{}, max(2, runtime.NumCPU())),
	}
}

// describe runs go list for patterns from dir and remembers the answer.
func (u *universe) describe(dir string, patterns ...string) error {
	found, err := goList(dir, u.env, patterns...)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, m := range found {
		if m.Error != nil && m.Dir == "" {
			continue
		}
		u.metas[m.ImportPath] = m
		if old := u.byDir[m.Dir]; old == nil || m.Name != "" || old.Name == "" {
			u.byDir[m.Dir] = m
		}
	}
	for _, pattern := range patterns {
		if u.metas[pattern] == nil {
			u.missing[pattern] = true
		}
	}
	return nil
}

// add remembers a package that go list could not describe.
func (u *universe) add(m *meta) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.metas[m.ImportPath] = m
	u.byDir[m.Dir] = m
}

func (u *universe) metaOfDir(dir string) *meta {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byDir[dir]
}

// resolve finds the package that path means in a file of importer.
func (u *universe) resolve(importer *meta, path string) *meta {
	u.mu.Lock()
	defer u.mu.Unlock()
	if importer != nil {
		if mapped := importer.ImportMap[path]; mapped != "" {
			path = mapped
		}
	}
	return u.metas[path]
}

// ensure asks go list for the paths that are not known yet, each once.
func (u *universe) ensure(dir string, importer *meta, paths []string) {
	var unknown []string
	for _, path := range paths {
		if path == "C" || path == "unsafe" || u.resolve(importer, path) != nil {
			continue
		}
		u.mu.Lock()
		if !u.missing[path] && plausibleImport(path) {
			unknown = append(unknown, path)
		}
		u.mu.Unlock()
	}
	if len(unknown) == 0 {
		return
	}
	err := u.describe(dir, unknown...)
	if err != nil {
		log.Printf("%v", err)
		// A broken go.mod still leaves the standard library.
		if found, err := goList(dir, append(u.env[:len(u.env):len(u.env)], "GO111MODULE=off"), standardOnly(unknown)...); err == nil {
			for _, m := range found {
				u.add(m)
			}
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, path := range unknown {
		if u.metas[path] == nil {
			u.missing[path] = true
		}
	}
}

// standardOnly keeps the paths that can be the standard library's: no dot in the first element.
func standardOnly(paths []string) []string {
	kept := []string{"errors"} // never an empty list, which would mean the current directory
	for _, path := range paths {
		first, _, _ := strings.Cut(path, "/")
		if !strings.Contains(first, ".") {
			kept = append(kept, path)
		}
	}
	return kept
}

// plausibleImport keeps half-typed import paths away from the command line.
func plausibleImport(path string) bool {
	return path != "" && !strings.HasPrefix(path, "-") && !strings.HasPrefix(path, ".") &&
		!strings.ContainsAny(path, " \t\n\"'`;*@\\") && !strings.Contains(path, "...")
}

var errNotLoaded = errors.New("package not found")

// load returns the package m describes, loading it and what it imports when needed.
func (u *universe) load(m *meta) *types.Package {
	if m.ImportPath == "unsafe" {
		return types.Unsafe
	}
	u.starting.Lock()
	l := u.start(m, map[string]bool{})
	u.starting.Unlock()
	return l.wait()
}

func (l *loading) wait() *types.Package {
	if l == nil {
		return nil
	}
	<-l.done
	return l.pkg
}

// start begins loading m and all below it, each in a goroutine of its own. onPath guards against import
// cycles: a package on it is not waited for.
func (u *universe) start(m *meta, onPath map[string]bool) *loading {
	if onPath[m.ImportPath] {
		return nil
	}
	u.mu.Lock()
	if l := u.loaded[m.ImportPath]; l != nil {
		u.mu.Unlock()
		return l
	}
	l := &loading{done: make(chan struct{})}
	u.loaded[m.ImportPath] = l
	u.mu.Unlock()
	onPath[m.ImportPath] = true
	below := map[string]*loading{}
	for _, path := range u.importsOf(m) {
		if dep := u.resolve(m, path); dep != nil && dep.ImportPath != "unsafe" {
			below[path] = u.start(dep, onPath)
		}
	}
	delete(onPath, m.ImportPath)
	go func() {
		defer close(l.done)
		defer func() {
			if p := recover(); p != nil {
				log.Printf("loading %s: panic: %v", m.ImportPath, p)
				l.pkg = types.NewPackage(m.ImportPath, m.Name)
			}
		}()
		deps := map[string]*types.Package{"unsafe": types.Unsafe}
		for path, dep := range below {
			deps[path] = dep.wait()
		}
		u.slots <- struct{}{}
		defer func() { <-u.slots }()
		l.pkg = u.build(m, importMap(deps), l)
	}()
	return l
}

// build parses and checks the declarations of one package, and notes in l (which may be nil) what it read.
func (u *universe) build(m *meta, imports types.Importer, l *loading) *types.Package {
	fset := token.NewFileSet()
	var files []*ast.File
	if l != nil && m.workspace() {
		l.stamps, l.outlines, l.listing = map[string]stamp{}, map[string][32]byte{}, u.listing(m.Dir)
	}
	for _, path := range u.filesOf(m) {
		t, err := u.sources.read(path)
		if err != nil {
			log.Printf("%v", err)
			continue
		}
		if l != nil && l.stamps != nil {
			l.stamps[path], l.outlines[path] = t.stamp, outlineDigest(t.data)
		}
		if file := parseOutline(fset, path, t.data); file != nil {
			shed(file)
			files = append(files, file)
		}
	}
	conf := u.config(m, imports)
	conf.IgnoreFuncBodies = true
	pkg, _ := conf.Check(m.ImportPath, fset, files, nil)
	if pkg.Name() == "" {
		pkg.SetName(m.Name)
	}
	pkg.MarkComplete()
	return pkg
}

func (u *universe) config(m *meta, imports types.Importer) *types.Config {
	return &types.Config{
		GoVersion:                m.goVersion(),
		FakeImportC:              true,
		Importer:                 imports,
		Sizes:                    u.sizes,
		DisableUnusedImportCheck: true,
		Error:                    func(error) {}, // packages that do not compile are used as far as they go
	}
}

// parseOutline parses a file without the bodies of its functions where the layout allows that.
func parseOutline(fset *token.FileSet, path string, data []byte) *ast.File {
	const mode = parser.SkipObjectResolution
	file, err := parser.ParseFile(fset, path, skim(data), mode)
	if err == nil {
		return file
	}
	if file != nil {
		if f := fset.File(file.FileStart); f != nil {
			fset.RemoveFile(f)
		}
	}
	file, _ = parser.ParseFile(fset, path, data, mode)
	if file == nil || file.Name == nil || file.Name.Name == "" || file.Name.Name == "_" {
		return nil
	}
	return file
}

// importMap gives loaded packages by the path an import declaration spells.
type importMap map[string]*types.Package

// Import implements types.Importer.
func (m importMap) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if pkg := m[path]; pkg != nil {
		return pkg, nil
	}
	return nil, fmt.Errorf("%w: %s", errNotLoaded, path)
}
