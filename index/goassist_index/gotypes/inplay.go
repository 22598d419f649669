package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"sort"
	"strings"
)

// inPlay is one type that matters at a place, as declarations that a reader of the code would look up. Types are
// written as the file would write them, bodies are left out.
type inPlay struct {
	Name string `json:"name"`
	// Role says why: operand (before the dot), expected, receiver, param or var.
	Role        string   `json:"role"`
	Variable    string   `json:"variable"` // the name that is of this type, "" for operand and expected
	Declaration string   `json:"declaration"`
	Methods     []string `json:"methods"`   // func (r T) Name(a int) error
	Producers   []string `json:"producers"` // functions that return the type, where it is expected
	Standard    bool     `json:"standard"`  // declared in the standard library
	Members     []string `json:"members"`   // of the operand alone: everything that may follow its dot
}

// Bounds of what is written down of one type: a model reads at a hundred tokens a second.
const (
	maxInPlay    = 12
	maxFields    = 24
	maxMethods   = 24
	maxProducers = 6
)

// typesInPlay lists the types that matter at the hole, the most telling first.
func (v *view) typesInPlay() []inPlay {
	list := []inPlay{}
	seen := map[types.Object]bool{}
	add := func(t types.Type, role, variable string) {
		named := namedOf(t)
		if named == nil || len(list) >= maxInPlay || seen[named.Obj()] {
			return
		}
		seen[named.Obj()] = true
		list = append(list, v.describe(named, role, variable))
	}
	if operand := v.operand(); operand != nil {
		add(operand, "operand", "")
		if len(list) > 0 {
			for _, m := range v.membersOf(operand) {
				list[0].Members = append(list[0].Members, m.Name+" "+m.Type)
			}
		}
	}
	expected := v.expected()
	before := len(list)
	add(expected, "expected", "")
	if len(list) > before {
		list[before].Producers = v.producers(expected)
	}
	if decl, ok := v.unit.decl.(*ast.FuncDecl); ok {
		if obj, ok := v.info.Defs[decl.Name].(*types.Func); ok && obj.Signature().Recv() != nil {
			add(obj.Signature().Recv().Type(), "receiver", obj.Signature().Recv().Name())
		}
	}
	var f facts
	v.aboutLocals(&f)
	for _, local := range f.Locals {
		if obj := v.lookup(local.Name); obj != nil && local.Kind != "type" {
			add(obj.Type(), local.Kind, local.Name)
		}
	}
	return list
}

// lookup finds what a name means at the hole.
func (v *view) lookup(name string) types.Object {
	scope := v.innermost()
	if scope == nil {
		return nil
	}
	_, obj := scope.LookupParent(name, v.at)
	return obj
}

// operand is the type of what stands before the hole's dot, or nil.
func (v *view) operand() types.Type {
	if v.hole == nil || len(v.path) < 2 {
		return nil
	}
	if selector, ok := v.path[len(v.path)-2].(*ast.SelectorExpr); ok && selector.Sel == v.hole {
		if value, ok := v.info.Types[selector.X]; ok && value.IsValue() {
			return value.Type
		}
	}
	return nil
}

// namedOf is the declared type that t is made of: T of *T, []T, map[K]T and chan T.
func namedOf(t types.Type) *types.Named {
	for range 6 {
		switch u := t.(type) {
		case *types.Named:
			if u.Obj().Pkg() == nil { // error
				return nil
			}
			return u
		case *types.Alias:
			t = types.Unalias(u)
		case *types.Pointer:
			t = u.Elem()
		case *types.Slice:
			t = u.Elem()
		case *types.Array:
			t = u.Elem()
		case *types.Chan:
			t = u.Elem()
		case *types.Map:
			t = u.Elem()
		default:
			return nil
		}
	}
	return nil
}

// describe writes a type's declaration and the signatures of its methods.
func (v *view) describe(named *types.Named, role, variable string) inPlay {
	obj := named.Obj()
	p := inPlay{
		Name: v.typeString(named), Role: role, Variable: variable,
		Declaration: "type " + v.typeString(named) + " " + v.shape(named.Underlying()),
		Methods:     []string{}, Producers: []string{}, Members: []string{},
	}
	if m := v.place.dir.universe.resolve(nil, obj.Pkg().Path()); m != nil {
		p.Standard = m.Standard
	}
	own := v.place.focus.pkg
	for i := range named.NumMethods() {
		method := named.Method(i)
		if !method.Exported() && method.Pkg() != own || len(p.Methods) == maxMethods {
			continue
		}
		signature := method.Signature()
		receiver := v.typeString(signature.Recv().Type())
		p.Methods = append(p.Methods, "func ("+receiver+") "+method.Name()+v.typeString(signature)[len("func"):])
	}
	sort.Strings(p.Methods)
	return p
}

// shape writes what a type is made of, each field on a line.
func (v *view) shape(t types.Type) string {
	structure, ok := t.(*types.Struct)
	if !ok {
		return v.typeString(t)
	}
	own := v.place.focus.pkg
	var b strings.Builder
	b.WriteString("struct {\n")
	written := 0
	for i := range structure.NumFields() {
		field := structure.Field(i)
		if !field.Exported() && field.Pkg() != own {
			continue
		}
		if written++; written > maxFields {
			b.WriteString("\t// …\n")
			break
		}
		b.WriteByte('\t')
		if !field.Embedded() {
			b.WriteString(field.Name() + " ")
		}
		b.WriteString(v.typeString(field.Type()) + "\n")
	}
	b.WriteString("}")
	return b.String()
}

// producers are functions of the package, and of those it imports from its own module, that return want.
func (v *view) producers(want types.Type) []string {
	found := []string{}
	own := v.place.focus.pkg
	look := func(p *types.Package) {
		for _, name := range p.Scope().Names() {
			fn, ok := p.Scope().Lookup(name).(*types.Func)
			if !ok || p != own && !fn.Exported() || len(found) == maxProducers {
				continue
			}
			results := fn.Signature().Results()
			if results.Len() == 0 || !types.Identical(results.At(0).Type(), want) {
				continue
			}
			if p != own {
				name = p.Name() + "." + name
			}
			found = append(found, "func "+name+v.typeString(fn.Signature())[len("func"):])
		}
	}
	look(own)
	if named := namedOf(want); named != nil && named.Obj().Pkg() != own && slices.Contains(own.Imports(), named.Obj().Pkg()) {
		look(named.Obj().Pkg())
	}
	return found
}

// innermost is the scope that the hole is in.
func (v *view) innermost() *types.Scope {
	for i := len(v.path) - 1; i >= 0; i-- {
		if scope := v.scopeOf(v.path[i]); scope != nil {
			return scope
		}
	}
	return nil
}

// scopeOf is the scope that a node opens, or nil.
func (v *view) scopeOf(node ast.Node) *types.Scope {
	switch fn := node.(type) {
	case *ast.FuncDecl:
		node = fn.Type
	case *ast.FuncLit:
		node = fn.Type
	}
	return v.info.Scopes[node]
}

// calls is the signature of the call that the hole is an argument of, "" elsewhere.
func (v *view) calls() string {
	for i := len(v.path) - 2; i >= 0; i-- {
		switch node := v.path[i].(type) {
		case *ast.CallExpr:
			if node.Fun.Pos() <= v.at && v.at <= node.Fun.End() {
				continue
			}
			if signature, ok := underlying(v.info.TypeOf(node.Fun)).(*types.Signature); ok {
				return exprText(node.Fun) + v.typeString(signature)[len("func"):]
			}
			return ""
		case ast.Stmt:
			return ""
		}
	}
	return ""
}

// exprText writes a callee as it stands in the code: a.b.C.
func exprText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if operand := exprText(e.X); operand != token.FUNC.String() {
			return operand + "." + e.Sel.Name
		}
		return e.Sel.Name
	case *ast.CallExpr:
		return exprText(e.Fun) + "()"
	case *ast.IndexExpr:
		return exprText(e.X)
	}
	return token.FUNC.String()
}
