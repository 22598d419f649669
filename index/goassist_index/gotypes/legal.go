package main

import (
	"encoding/json"
	"go/ast"
	"go/build"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// legal is which names may stand at a place, for decoding that is held to them. Names that are left out are
// wrong there; where that cannot be said, Kind is "".
type legal struct {
	Kind  string   `json:"kind"`  // "member" behind a dot, "key" in a struct's literal, "name" elsewhere
	Names []string `json:"names"` // of a key: the fields; other names may stand there as values
	// Asserts: the value before the dot is of an interface type, so that x.(T) is legal.
	Asserts bool `json:"asserts"`
	// Packages are importable by a name of their own: only beside "name", the standard library's.
	Packages []string `json:"packages"`
}

func legalMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	return askedAbout(s, raw, func(v *view) any { return v.legal() })
}

func (v *view) legal() legal {
	none := legal{Names: []string{}, Packages: []string{}}
	if v.hole == nil || len(v.path) < 2 {
		return none
	}
	switch parent := v.path[len(v.path)-2].(type) {
	case *ast.SelectorExpr:
		if parent.Sel == v.hole {
			return v.legalMembers(parent, none)
		}
	case *ast.CompositeLit:
		if names := v.keys(parent); names != nil {
			return legal{Kind: "key", Names: names, Packages: none.Packages}
		}
	case *ast.KeyValueExpr:
		literal, ok := v.path[len(v.path)-3].(*ast.CompositeLit)
		if ok && parent.Key == v.hole {
			if names := v.keys(literal); names != nil {
				return legal{Kind: "key", Names: names, Packages: none.Packages}
			}
		}
	}
	if names := v.scopeNames(); names != nil {
		return legal{Kind: "name", Names: names, Packages: standardNames()}
	}
	return none
}

// legalMembers is what may follow the selector's dot.
func (v *view) legalMembers(selector *ast.SelectorExpr, none legal) legal {
	found := v.members()
	if found.Kind == "" || found.Of == "C" || len(found.Members) == 0 {
		return none
	}
	l := legal{Kind: "member", Packages: none.Packages}
	if found.Kind != "package" {
		t := v.info.TypeOf(selector.X)
		if v.uncertain(t, 0) {
			return none
		}
		_, l.Asserts = t.Underlying().(*types.Interface)
	}
	for _, m := range found.Members {
		l.Names = append(l.Names, m.Name)
	}
	for _, f := range v.place.focus.files { // methods and fields of declarations that do not parse for the moment
		for name := range f.broken {
			l.Names = append(l.Names, name)
		}
	}
	return l
}

// maxEmbedding bounds how deep embedded fields are looked into.
const maxEmbedding = 8

// uncertain reports whether t may have members that are not known: it, or something embedded in it, has no type.
func (v *view) uncertain(t types.Type, depth int) bool {
	if t == nil || t == types.Typ[types.Invalid] || depth > maxEmbedding {
		return true
	}
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		t = pointer.Elem()
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Kind() == types.Invalid
	case *types.Struct:
		for i := range u.NumFields() {
			if f := u.Field(i); f.Embedded() && v.uncertain(f.Type(), depth+1) {
				return true
			}
		}
	case *types.Interface:
		for i := range u.NumEmbeddeds() {
			if e := u.EmbeddedType(i); e == types.Typ[types.Invalid] {
				return true
			}
		}
	}
	return false
}

// keys are the fields that a struct's literal may name, nil for other literals.
func (v *view) keys(literal *ast.CompositeLit) []string {
	t := v.info.TypeOf(literal)
	if t == nil {
		return nil
	}
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		t = pointer.Elem()
	}
	structure, ok := t.Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	names := []string{}
	own := v.place.focus.pkg
	for i := range structure.NumFields() {
		if f := structure.Field(i); f.Exported() || f.Pkg() != nil && f.Pkg().Path() == own.Path() {
			names = append(names, f.Name())
		}
	}
	return names
}

// scopeNames are all names that are declared where the hole is; nil where some may not be known.
func (v *view) scopeNames() []string {
	if !v.exact {
		return nil
	}
	inner := v.innermost()
	if inner == nil {
		return nil
	}
	for _, spec := range v.place.file.ast.Imports {
		if spec.Name != nil && spec.Name.Name == "." && v.place.focus.unresolved(spec) {
			return nil
		}
	}
	seen := map[string]bool{}
	for scope := inner; scope != nil; scope = scope.Parent() {
		local := scope.Parent() != nil && scope.Parent() != types.Universe && scope != v.place.focus.pkg.Scope()
		for _, name := range scope.Names() {
			obj := scope.Lookup(name)
			_, isImport := obj.(*types.PkgName)
			if !local || isImport || obj.Pos() < v.at {
				seen[name] = true
			}
		}
	}
	for _, f := range v.place.focus.files {
		for name := range f.broken {
			seen[name] = true
		}
	}
	delete(seen, "_")
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// standardNames are the last elements of the standard library's import paths: what its packages are called.
var standardNames = sync.OnceValue(func() []string {
	root := filepath.Join(build.Default.GOROOT, "src")
	seen := map[string]bool{}
	_ = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || path == root {
			return nil
		}
		switch name := entry.Name(); {
		case name == "internal" || name == "vendor" || name == "testdata" || name == "cmd":
			return filepath.SkipDir
		case !versionSuffix.MatchString(name):
			seen[name] = true
		}
		return nil
	})
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
})
