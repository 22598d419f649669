package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"strconv"
	"strings"
)

// maxUses is how many checks share one package. Each leaves its scopes hanging below the package's (go/types
// has no way to take them off), so the package is made anew now and then.
const maxUses = 256

// focus is a package in which somebody edits: its declarations, checked, ready for one function to be checked
// on top. Nobody imports it; other packages see the universe's copy.
type focus struct {
	meta       *meta
	files      []*sourceFile
	generation int
	imports    importMap
	pkg        *types.Package
	uses       int
	testOf     *types.Package // for an external test: the package under test with its in-package tests
	retest     *rebuilt       // for an external test: what was built anew on it
}

// variant names the package that a file of the directory belongs to.
func (d *directory) variant(f *sourceFile) (key string, belongs func(*sourceFile) bool) {
	name := f.pkgName()
	same := func(g *sourceFile) bool { return g.matches && g.pkgName() == name }
	switch {
	case !f.matches:
		return "alone " + f.path, func(g *sourceFile) bool { return g == f }
	case f.isTest() && strings.HasSuffix(name, "_test"):
		return "xtest " + name, func(g *sourceFile) bool { return same(g) && g.isTest() }
	case f.isTest():
		return "test " + name, same
	}
	return "package " + name, func(g *sourceFile) bool { return same(g) && !g.isTest() }
}

// focusOn returns the package that f belongs to, up to date.
func (d *directory) focusOn(f *sourceFile) *focus {
	key, belongs := d.variant(f)
	old := d.packages[key]
	if old != nil && old.generation == d.generation && old.uses < maxUses && d.importsCurrent(old) {
		return old
	}
	fc := &focus{generation: d.generation, files: d.sorted(belongs)}
	fc.meta = d.metaFor(key)
	d.loadImports(fc)
	if strings.HasPrefix(key, "xtest ") {
		d.overrideTested(fc, strings.TrimSuffix(f.pkgName(), "_test"))
	}
	fc.pkg = d.check(fc, fc.trees())
	d.packages[key] = fc
	return fc
}

// metaFor is go list's description of this directory, under the variant's own import path.
func (d *directory) metaFor(key string) *meta {
	m := d.universe.metaOfDir(d.dir)
	if m == nil {
		m = &meta{ImportPath: "goassist.invalid/" + strings.Trim(d.dir, "/"), Dir: d.dir}
		return m
	}
	if strings.HasPrefix(key, "xtest ") {
		copied := *m
		copied.ImportPath += "_test"
		return &copied
	}
	return m
}

// loadImports loads what the files import.
func (d *directory) loadImports(fc *focus) {
	seen := map[string]bool{}
	var paths []string
	for _, f := range fc.files {
		for _, path := range f.imports {
			if !seen[path] {
				seen[path] = true
				paths = append(paths, path)
			}
		}
	}
	fc.imports = d.loadPaths(fc.meta, paths)
}

// loadPaths loads packages by the paths that import declarations spell; what cannot be found is left out.
func (d *directory) loadPaths(m *meta, paths []string) importMap {
	d.universe.ensure(d.dir, m, paths)
	imports := importMap{}
	for _, path := range paths {
		if dep := d.universe.resolve(m, path); dep != nil && dep.Dir != d.dir {
			if pkg := d.universe.load(dep); pkg != nil {
				imports[path] = pkg
			}
		}
	}
	return imports
}

// importsCurrent reports whether the packages that fc was checked with are still the universe's.
func (d *directory) importsCurrent(fc *focus) bool {
	for path, pkg := range fc.imports {
		dep := d.universe.resolve(fc.meta, path)
		if dep == nil || dep.Dir == d.dir {
			continue // the package under test, ours
		}
		if now, ok := d.universe.current(dep); fc.testOf == nil && (!ok || now != pkg) {
			return false
		} else if fc.testOf != nil && !ok {
			return false
		}
	}
	return true
}

// current returns the loaded package of m, if it is loaded.
func (u *universe) current(m *meta) (*types.Package, bool) {
	if m.ImportPath == "unsafe" {
		return types.Unsafe, true
	}
	u.mu.Lock()
	l := u.loaded[m.ImportPath]
	u.mu.Unlock()
	if l == nil {
		return nil, false
	}
	return l.wait(), true
}

// overrideTested gives an external test the package under test as go test builds it: with its in-package test
// files, and with the packages between the two built anew on it.
func (d *directory) overrideTested(fc *focus, name string) {
	under := d.universe.metaOfDir(d.dir)
	if under == nil {
		return
	}
	tested := &focus{meta: under, generation: d.generation}
	tested.files = d.sorted(func(g *sourceFile) bool { return g.matches && g.pkgName() == name })
	d.loadImports(tested)
	fc.testOf = d.check(tested, tested.trees())
	v := &rebuilt{universe: d.universe, base: under, made: map[string]*types.Package{under.ImportPath: fc.testOf}}
	fc.retest = v
	for path := range fc.imports {
		if dep := d.universe.resolve(fc.meta, path); dep != nil && v.touches(dep, map[string]bool{}) {
			fc.imports[path] = v.load(dep)
		}
	}
	for _, f := range fc.files {
		for _, path := range f.imports {
			if dep := d.universe.resolve(fc.meta, path); dep != nil && dep.Dir == d.dir {
				fc.imports[path] = fc.testOf
			}
		}
	}
}

// rebuilt loads packages on top of a replaced one.
type rebuilt struct {
	universe *universe
	base     *meta
	made     map[string]*types.Package
}

// touches reports whether m imports the replaced package, directly or not.
func (r *rebuilt) touches(m *meta, seen map[string]bool) bool {
	if m.ImportPath == r.base.ImportPath {
		return true
	}
	if m.Standard != r.base.Standard && m.Standard || seen[m.ImportPath] {
		return false
	}
	seen[m.ImportPath] = true
	for _, path := range m.Imports {
		if dep := r.universe.resolve(m, path); dep != nil && r.touches(dep, seen) {
			return true
		}
	}
	return false
}

func (r *rebuilt) load(m *meta) *types.Package {
	if pkg, ok := r.made[m.ImportPath]; ok {
		return pkg
	}
	if !r.touches(m, map[string]bool{}) {
		return r.universe.load(m)
	}
	r.made[m.ImportPath] = nil // a circle ends here
	imports := importMap{}
	for _, path := range m.Imports {
		if dep := r.universe.resolve(m, path); dep != nil {
			if pkg := r.load(dep); pkg != nil {
				imports[path] = pkg
			}
		}
	}
	pkg := r.universe.build(m, imports, nil)
	r.made[m.ImportPath] = pkg
	return pkg
}

func (fc *focus) trees() []*ast.File {
	trees := make([]*ast.File, 0, len(fc.files))
	for _, f := range fc.files {
		trees = append(trees, fc.named(f.ast))
	}
	return trees
}

// check checks the declarations of a package.
func (d *directory) check(fc *focus, files []*ast.File) *types.Package {
	conf := d.universe.config(fc.meta, fc.imports)
	conf.IgnoreFuncBodies = true
	pkg, _ := conf.Check(fc.meta.ImportPath, d.fset, files, nil)
	return pkg
}

// named gives imports that could not be loaded an explicit name: go/types would guess it from the path's last
// element, and blame "yaml.v3" for not being called yaml.
func (fc *focus) named(file *ast.File) *ast.File {
	var missing bool
	for _, spec := range file.Imports {
		if fc.unresolved(spec) && spec.Name == nil {
			missing = true
		}
	}
	if !missing {
		return file
	}
	copied := *file
	copied.Decls = make([]ast.Decl, len(file.Decls))
	for i, decl := range file.Decls {
		copied.Decls[i] = fc.namedDecl(decl)
	}
	return &copied
}

func (fc *focus) namedDecl(decl ast.Decl) ast.Decl {
	gen, ok := decl.(*ast.GenDecl)
	if !ok || gen.Tok != token.IMPORT {
		return decl
	}
	copied := *gen
	copied.Specs = make([]ast.Spec, len(gen.Specs))
	for i, spec := range gen.Specs {
		copied.Specs[i] = spec
		if imp, ok := spec.(*ast.ImportSpec); ok && imp.Name == nil && fc.unresolved(imp) {
			named := *imp
			named.Name = &ast.Ident{NamePos: imp.Path.Pos(), Name: guessName(importPath(imp))}
			copied.Specs[i] = &named
		}
	}
	return &copied
}

func (fc *focus) unresolved(spec *ast.ImportSpec) bool {
	path := importPath(spec)
	return path != "C" && path != "unsafe" && fc.imports[path] == nil
}

func importPath(spec *ast.ImportSpec) string {
	path, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return ""
	}
	return path
}

var versionSuffix = regexp.MustCompile(`^v[0-9]+$`)

// guessName says what a package is most likely called, from its path alone.
func guessName(path string) string {
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	if versionSuffix.MatchString(last) && len(parts) > 1 {
		last = parts[len(parts)-2]
	}
	if i := strings.LastIndex(last, ".v"); i > 0 {
		last = last[:i]
	}
	last = strings.TrimPrefix(last, "go-")
	last = strings.TrimSuffix(strings.TrimSuffix(last, "-go"), ".go")
	if i := strings.LastIndexAny(last, "-."); i >= 0 {
		last = last[i+1:]
	}
	if last == "" || !token.IsIdentifier(last) {
		return "_"
	}
	return last
}
