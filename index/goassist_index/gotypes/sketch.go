package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sketch describes a package, and all below it, by reading its directory, for packages that go list was not
// asked about: asking takes longer than a keystroke may. It refuses packages below which something is missing.
func (u *universe) sketch(ms *modules, path string) *meta {
	made := map[string]*meta{}
	m := u.sketchInto(ms, path, made)
	if m == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for path, m := range made {
		if u.metas[path] == nil {
			u.metas[path] = m
		}
		if u.byDir[m.Dir] == nil {
			u.byDir[m.Dir] = m
		}
	}
	return u.metas[path]
}

func (u *universe) sketchInto(ms *modules, path string, made map[string]*meta) *meta {
	if m := made[path]; m != nil {
		return m
	}
	if m := u.resolve(nil, path); m != nil {
		if m.Error != nil {
			return nil
		}
		return m
	}
	dir, t := ms.locate(path)
	if t == nil {
		return nil
	}
	ctx := u.context
	found, err := ctx.ImportDir(dir, 0)
	if err != nil {
		return nil
	}
	m := &meta{
		ImportPath: path, Name: found.Name, Dir: dir, Standard: t.kind == standard, sketched: true,
		GoFiles: found.GoFiles, CgoFiles: found.CgoFiles, Imports: found.Imports,
	}
	if !m.Standard {
		m.Module = &module{Path: t.path, Main: slices.Contains(ms.mains, t), GoVersion: t.goVersion}
	}
	made[path] = m
	for _, imported := range found.Imports {
		if imported == "C" || imported == "unsafe" {
			continue
		}
		if first, _, _ := strings.Cut(imported, "/"); m.Standard && strings.Contains(first, ".") {
			if m.ImportMap == nil {
				m.ImportMap = map[string]string{}
			}
			m.ImportMap[imported] = "vendor/" + imported
			imported = m.ImportMap[imported]
		}
		if u.sketchInto(ms, imported, made) == nil {
			return nil
		}
	}
	return m
}

// locate finds the directory of a package by its import path, in the module with the longest path that has it.
func (ms *modules) locate(path string) (string, *tree) {
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		if dir, _ := ms.std.holds(path); isDirectory(dir) {
			return dir, ms.std
		}
	}
	var best *tree
	found := ""
	for _, t := range slices.Concat(ms.mains, ms.required) {
		dir, ok := t.holds(path)
		if !ok || best != nil && len(t.path) < len(best.path) {
			continue
		}
		if ms.vendored != nil && t.kind == fixed && ms.vendored[path] == "" || !isDirectory(dir) {
			continue
		}
		best, found = t, dir
	}
	return found, best
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// clauseOf reads the name of the package in dir from the first of its files that the target lets in; "" where
// there is none.
func (u *universe) clauseOf(dir string) string {
	for _, name := range u.goFiles(dir) {
		file := filepath.Join(dir, name)
		t, err := u.sources.read(file)
		if err != nil || !matches(u.context, file, t.data) {
			continue
		}
		head, _ := parser.ParseFile(token.NewFileSet(), "", t.data, parser.PackageClauseOnly)
		if head != nil && head.Name != nil && head.Name.Name != "documentation" {
			return head.Name.Name
		}
	}
	return ""
}

// exports reports whether a package exports all names.
func (u *universe) exports(m *meta, names []string) bool {
	exported := u.exported(m)
	return hasAll(func(name string) bool { return exported[name] }, names)
}

// exported are the package-level names of a package: of its loaded declarations, or else those that its files spell,
// which spares loading what is below it. Names that are not exported may be among them.
func (u *universe) exported(m *meta) map[string]bool {
	if m.ImportPath == "unsafe" {
		return namesIn(types.Unsafe.Scope())
	}
	u.mu.Lock()
	l, spelled := u.loaded[m.ImportPath], u.spelled[m.ImportPath]
	u.mu.Unlock()
	if l != nil {
		if pkg := l.wait(); pkg != nil {
			return namesIn(pkg.Scope())
		}
	}
	if spelled != nil {
		return spelled
	}
	declared := map[string]bool{}
	for _, path := range u.filesOf(m) {
		if t, err := u.sources.read(path); err == nil {
			if file := parseOutline(token.NewFileSet(), path, t.data); file != nil {
				declare(declared, file)
			}
		}
	}
	if m.Standard || m.Module != nil && !m.Module.Main { // what is in the module cache stays as it is
		u.mu.Lock()
		u.spelled[m.ImportPath] = declared
		u.mu.Unlock()
	}
	return declared
}

func namesIn(scope *types.Scope) map[string]bool {
	names := map[string]bool{}
	for _, name := range scope.Names() {
		names[name] = true
	}
	return names
}

func hasAll(has func(string) bool, names []string) bool {
	for _, name := range names {
		if !has(name) {
			return false
		}
	}
	return true
}

// declare adds the package-level names of a file.
func declare(names map[string]bool, file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil {
				names[decl.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
}
