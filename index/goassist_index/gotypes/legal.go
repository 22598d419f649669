package main

import (
	"encoding/json"
	"go/ast"
	"go/types"
	"slices"
	"time"
)

// legal is which names may stand at a place, for decoding that is held to them. Names that are left out are
// wrong there; where that cannot be said, Kind is "".
type legal struct {
	// Kind is "member" behind a dot, "key" in a struct's literal, "case" in a type switch's case, "name" elsewhere.
	Kind  string   `json:"kind"`
	Names []string `json:"names"` // of a key: the fields; other names may stand there as values
	// Asserts: the value before the dot is of an interface type, so that x.(T) is legal.
	Asserts bool `json:"asserts"`
	// Packages could be imported under these names: only beside "name" and "case".
	Packages []string `json:"packages"`
	// Fits are those of the names that, alone or called, have the type that the place asks for; of fields and methods
	// and of names in scope. Empty where no type is asked for.
	Fits []string `json:"fits"`
}

func legalMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	return askedAbout(s, raw, func(v *view) any { return v.legal() })
}

func (v *view) legal() legal {
	none := legal{Names: []string{}, Packages: []string{}, Fits: []string{}}
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
			return legal{Kind: "key", Names: names, Packages: none.Packages, Fits: none.Fits}
		}
	case *ast.KeyValueExpr:
		literal, ok := v.path[len(v.path)-3].(*ast.CompositeLit)
		if ok && parent.Key == v.hole {
			if names := v.keys(literal); names != nil {
				return legal{Kind: "key", Names: names, Packages: none.Packages, Fits: none.Fits}
			}
		}
	case *ast.CaseClause:
		if on := v.switchedOn(); on != nil {
			return v.legalTypes(on, none)
		}
	case *ast.ExprStmt:
		if clause, ok := v.path[len(v.path)-3].(*ast.CommClause); ok && clause.Comm == parent {
			return none // case v := <-c: the name may be a new one
		}
	}
	if names := v.scopeNames(); names != nil {
		if packages := v.importable(); packages != nil {
			return legal{Kind: "name", Names: names, Packages: packages, Fits: v.fitting(names, v.expected(), v.lookup)}
		}
	}
	return none
}

// switchedOn is the type switch in whose case the hole stands by itself; nil for other places.
func (v *view) switchedOn() *ast.TypeSwitchStmt {
	depth := len(v.path) - 4 // the switch, its body, the clause, the hole
	if depth < 0 || !slices.Contains(v.path[depth+2].(*ast.CaseClause).List, ast.Expr(v.hole)) {
		return nil
	}
	on, _ := v.path[depth].(*ast.TypeSwitchStmt)
	return on
}

// legalTypes is what a case of a type switch may name: types that the value can have, nil, and packages.
func (v *view) legalTypes(on *ast.TypeSwitchStmt, none legal) legal {
	packages := v.importable()
	names := v.scopeNames()
	if names == nil || packages == nil {
		return none
	}
	value := v.switchedValue(on)
	names = slices.DeleteFunc(names, func(name string) bool {
		switch obj := v.lookup(name).(type) {
		case *types.TypeName:
			return value != nil && impossible(value, obj.Type())
		case *types.PkgName, *types.Nil:
			return false
		case nil: // declared where the package does not parse, if anywhere
			return !slices.ContainsFunc(v.place.focus.files, func(f *sourceFile) bool { return f.broken[name] })
		}
		return true
	})
	return legal{Kind: "case", Names: names, Packages: packages, Fits: none.Fits}
}

// switchedValue is the interface of the value that a type switch looks at, nil where it is not known.
func (v *view) switchedValue(on *ast.TypeSwitchStmt) *types.Interface {
	var x ast.Expr
	switch assign := on.Assign.(type) {
	case *ast.ExprStmt:
		x = assign.X
	case *ast.AssignStmt:
		x = assign.Rhs[0]
	}
	assertion, ok := ast.Unparen(x).(*ast.TypeAssertExpr)
	if !ok {
		return nil
	}
	t := v.info.TypeOf(assertion.X)
	if t == nil || v.uncertain(t, 0) {
		return nil
	}
	value, _ := t.Underlying().(*types.Interface)
	return value
}

// impossible reports whether no value in the interface can have the type, so that its case would not compile.
func impossible(value *types.Interface, t types.Type) bool {
	if named, ok := t.(*types.Named); ok && named.TypeParams().Len() > 0 {
		return false // its arguments are not written yet
	}
	if t.Underlying() == types.Typ[types.Invalid] || types.IsInterface(t) {
		return false
	}
	return !types.AssertableTo(value, t)
}

// legalMembers is what may follow the selector's dot.
func (v *view) legalMembers(selector *ast.SelectorExpr, none legal) legal {
	if id, ok := selector.X.(*ast.Ident); ok && v.exact && v.lookup(id.Name) == nil {
		if names := v.importableMembers(id.Name); len(names) > 0 {
			return legal{Kind: "member", Names: names, Packages: none.Packages, Fits: none.Fits}
		}
		return none
	}
	found := v.members()
	if found.Kind == "" || found.Of == "C" || len(found.Members) == 0 {
		return none
	}
	l := legal{Kind: "member", Packages: none.Packages}
	lookup := func(name string) types.Object {
		obj, _, _ := types.LookupFieldOrMethod(v.info.TypeOf(selector.X), true, v.place.focus.pkg, name)
		return obj
	}
	if found.Kind == "package" {
		lookup = v.info.Uses[selector.X.(*ast.Ident)].(*types.PkgName).Imported().Scope().Lookup
	} else {
		t := v.info.TypeOf(selector.X)
		if v.uncertain(t, 0) {
			return none
		}
		_, l.Asserts = t.Underlying().(*types.Interface)
	}
	for _, m := range found.Members {
		l.Names = append(l.Names, m.Name)
	}
	l.Fits = v.fitting(l.Names, v.expectedOf(len(v.path)-2), lookup)
	for _, f := range v.place.focus.files { // methods and fields of declarations that do not parse for the moment
		for name := range f.broken {
			l.Names = append(l.Names, name)
		}
	}
	return l
}

// importableMembers is what the packages export that a name which is not declared may mean once they are imported; nil
// where not all of them can be looked at.
func (v *view) importableMembers(name string) []string {
	r := v.place.dir.newResolver(v.place.file, importableWait)
	if !r.mayMean(name) {
		return nil
	}
	u, importer, dir := v.place.dir.universe, v.place.focus.meta, v.place.dir.dir
	beside := r.siblings(name, nil)
	found, ok := inTime(r.deadline, func() map[string]bool {
		names := map[string]bool{}
		for _, o := range beside {
			for member := range u.exported(o.meta) {
				names[member] = true
			}
		}
		ms, err := u.modulesOf(dir)
		if err != nil || !u.exportedBy(ms, importer, name, names) {
			return nil
		}
		return names
	})
	if !ok {
		return nil
	}
	return slices.DeleteFunc(sortedKeys(found), func(name string) bool { return !ast.IsExported(name) })
}

// maxFitting bounds how many names are looked at for their types.
const maxFitting = 1000

// fitting are those names whose objects, or the one result of calling them, are assignable to want.
func (v *view) fitting(names []string, want types.Type, lookup func(string) types.Object) []string {
	fits := []string{}
	if want == nil || want == types.Typ[types.Invalid] || len(names) > maxFitting {
		return fits
	}
	for _, name := range names {
		obj := lookup(name)
		switch obj.(type) {
		case *types.Var, *types.Const, *types.Func, *types.Nil:
		default:
			continue
		}
		t := obj.Type()
		if s, ok := underlying(t).(*types.Signature); ok && s.Results().Len() == 1 && !types.AssignableTo(t, want) {
			t = s.Results().At(0).Type()
		}
		if t != types.Typ[types.Invalid] && types.AssignableTo(t, want) {
			fits = append(fits, name)
		}
	}
	return fits
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
	return sortedKeys(seen)
}

// importableWait bounds how long the names of packages are waited for: a token of a model waits with it.
const importableWait = 20 * time.Millisecond

// importable is what the packages are called that the file could import, also those that other files of the package
// import under names of their own; nil while that is not known.
func (v *view) importable() []string {
	d := v.place.dir
	names, _ := inTime(time.Now().Add(importableWait), func() []string {
		ms, err := d.universe.modulesOf(d.dir)
		if err != nil {
			return nil
		}
		return d.universe.importableNames(ms)
	})
	if names == nil {
		return nil
	}
	for _, f := range v.place.focus.files {
		for _, spec := range f.ast.Imports {
			if spec.Name != nil {
				names = append(names[:len(names):len(names)], spec.Name.Name)
			}
		}
	}
	return names
}

// importableNames are the names of all packages of the standard library, of the workspace and of what go.mod
// requires, as far as their paths or go list tell.
func (u *universe) importableNames(ms *modules) []string {
	ms.namesMu.Lock()
	defer ms.namesMu.Unlock()
	if ms.names != nil && time.Since(ms.named) < walkInterval {
		return ms.names
	}
	seen := map[string]bool{}
	for _, t := range slices.Concat([]*tree{ms.std}, ms.mains, ms.required) {
		for _, rel := range t.packages() {
			seen[assumedName(t.importPath(rel))] = true
		}
	}
	u.mu.Lock()
	for _, m := range u.metas {
		if m.Standard || ms.requires(m.Module) {
			seen[m.Name] = true
		}
	}
	u.mu.Unlock()
	delete(seen, "")
	delete(seen, "main")
	ms.names, ms.named = sortedKeys(seen), time.Now()
	return ms.names
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
