package main

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"go/types"
	"sort"
)

// facts is what is in play at a cursor. Types are written as the file would write them.
type facts struct {
	Package   string   `json:"package"`
	Function  string   `json:"function"`  // the enclosing function's signature: "func (s *T) Name(a int) error"
	Receiver  *owner   `json:"receiver"`  // null outside of methods
	Locals    []named  `json:"locals"`    // parameters and variables that are visible, innermost first
	Expected  string   `json:"expected"`  // the type that the cursor's place asks for, "" where not known
	Functions []named  `json:"functions"` // the package's functions, by name
	Types     []named  `json:"types"`     // the package's types, by name
	InPlay    []inPlay `json:"in_play"`   // types of the values around, the most telling first
	Call      string   `json:"call"`      // the signature of the call that the cursor is an argument of, "" elsewhere
}

type owner struct {
	Name    string  `json:"name"`
	Type    string  `json:"type"`
	Fields  []named `json:"fields"`
	Methods []named `json:"methods"`
}

// named is one name with its type; Kind is one of param, var, const, type, func, field, method.
type named struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Kind string `json:"kind"`
}

func factsMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	return askedAbout(s, raw, func(v *view) any { return v.facts() })
}

func (v *view) facts() facts {
	f := facts{
		Package: v.place.focus.pkg.Name(), Locals: []named{}, Functions: []named{}, Types: []named{},
		Expected: v.typeString(v.expected()), InPlay: v.typesInPlay(), Call: v.calls(),
	}
	v.aboutFunction(&f)
	v.aboutLocals(&f)
	scope := v.place.focus.pkg.Scope()
	for _, name := range scope.Names() {
		switch obj := scope.Lookup(name).(type) {
		case *types.Func:
			f.Functions = append(f.Functions, named{name, v.typeString(obj.Type()), "func"})
		case *types.TypeName:
			f.Types = append(f.Types, named{name, kindOfType(obj.Type()), "type"})
		}
	}
	return f
}

// kindOfType is one word on what a type is made of.
func kindOfType(t types.Type) string {
	switch t.Underlying().(type) {
	case *types.Struct:
		return "struct"
	case *types.Interface:
		return "interface"
	case *types.Signature:
		return "func"
	}
	return types.TypeString(t.Underlying(), (*types.Package).Name)
}

// aboutFunction says which function the cursor is in, and what its receiver has.
func (v *view) aboutFunction(f *facts) {
	decl, ok := v.unit.decl.(*ast.FuncDecl)
	if !ok {
		return
	}
	obj, ok := v.info.Defs[decl.Name].(*types.Func)
	if !ok {
		return
	}
	signature := obj.Signature()
	f.Function = "func "
	if recv := signature.Recv(); recv != nil {
		f.Function += "(" + recv.Name() + " " + v.typeString(recv.Type()) + ") "
		o := &owner{Name: recv.Name(), Type: v.typeString(recv.Type()), Fields: []named{}, Methods: []named{}}
		for _, m := range v.membersOf(recv.Type()) {
			if m.Kind == "field" {
				o.Fields = append(o.Fields, m)
			} else {
				o.Methods = append(o.Methods, m)
			}
		}
		f.Receiver = o
	}
	text := v.typeString(signature)
	f.Function += v.place.functionName() + text[len("func"):]
}

// functionName reads the name off the declaration's text: in the tree it is blank.
func (p *place) functionName() string {
	name := ""
	depth := 0
	scanTokens(p.hole.src, func(_ int, tok token.Token, lit string) bool {
		switch tok {
		case token.LPAREN:
			depth++
		case token.RPAREN:
			depth--
		case token.IDENT:
			if depth == 0 {
				name = lit
				return false
			}
		}
		return true
	})
	return name
}

// aboutLocals lists what the function's scopes declare before the cursor.
func (v *view) aboutLocals(f *facts) {
	seen := map[string]bool{}
	for i := len(v.path) - 1; i >= 0; i-- {
		node := v.path[i]
		scope := v.scopeOf(node)
		if scope == nil {
			continue
		}
		names := scope.Names()
		sort.Slice(names, func(a, b int) bool { return scope.Lookup(names[a]).Pos() > scope.Lookup(names[b]).Pos() })
		for _, name := range names {
			obj := scope.Lookup(name)
			if _, visible := scope.LookupParent(name, v.at); visible != obj || seen[name] || name == "_" {
				continue
			}
			seen[name] = true
			f.Locals = append(f.Locals, named{name, v.typeString(obj.Type()), v.kindOf(obj, node)})
		}
	}
}

func (v *view) kindOf(obj types.Object, scope ast.Node) string {
	switch obj.(type) {
	case *types.Const:
		return "const"
	case *types.TypeName:
		return "type"
	}
	switch scope.(type) {
	case *ast.FuncDecl, *ast.FuncLit, *ast.FuncType:
		return "param"
	}
	return "var"
}

// expected is the type that the hole's place asks for, or nil.
func (v *view) expected() types.Type {
	return v.expectedOf(len(v.path) - 1)
}

// expectedOf is the type that the place of path[n], an expression that ends in the hole, asks for, or nil.
func (v *view) expectedOf(n int) types.Type {
	if v.hole == nil || n < 1 {
		return nil
	}
	child := v.path[n]
	i := n - 1
	// The operand of a selector is not what the place is about.
	switch parent := v.path[i].(type) {
	case *ast.CallExpr:
		return v.expectedArgument(parent, child)
	case *ast.AssignStmt:
		for n, rhs := range parent.Rhs {
			if rhs == child && len(parent.Lhs) == len(parent.Rhs) && parent.Tok != token.DEFINE {
				return v.info.TypeOf(parent.Lhs[n])
			}
		}
	case *ast.ReturnStmt:
		results := v.results(i)
		for n, r := range parent.Results {
			if r == child && results != nil && n < results.Len() {
				return results.At(n).Type()
			}
		}
	case *ast.ValueSpec:
		if parent.Type != nil {
			return v.info.TypeOf(parent.Type)
		}
	case *ast.KeyValueExpr:
		if literal, ok := v.path[i-1].(*ast.CompositeLit); ok && parent.Value == child {
			return v.expectedElement(literal, parent)
		}
	case *ast.BinaryExpr:
		if parent.X == child {
			return v.info.TypeOf(parent.Y)
		}
		return v.info.TypeOf(parent.X)
	case *ast.IfStmt:
		if parent.Cond == child {
			return types.Typ[types.Bool]
		}
	case *ast.SendStmt:
		if c, ok := underlying(v.info.TypeOf(parent.Chan)).(*types.Chan); ok && parent.Value == child {
			return c.Elem()
		}
	}
	return nil
}

func underlying(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	return t.Underlying()
}

func (v *view) expectedArgument(call *ast.CallExpr, child ast.Node) types.Type {
	signature, ok := underlying(v.info.TypeOf(call.Fun)).(*types.Signature)
	if !ok {
		return nil
	}
	params := signature.Params()
	for n, arg := range call.Args {
		switch {
		case arg != child:
		case signature.Variadic() && n >= params.Len()-1:
			if s, ok := params.At(params.Len() - 1).Type().(*types.Slice); ok {
				return s.Elem()
			}
		case n < params.Len():
			return params.At(n).Type()
		}
	}
	return nil
}

func (v *view) expectedElement(literal *ast.CompositeLit, pair *ast.KeyValueExpr) types.Type {
	switch t := underlying(v.info.TypeOf(literal)).(type) {
	case *types.Struct:
		for n := range t.NumFields() {
			if key, ok := pair.Key.(*ast.Ident); ok && t.Field(n).Name() == key.Name {
				return t.Field(n).Type()
			}
		}
	case *types.Map:
		return t.Elem()
	case *types.Slice:
		return t.Elem()
	}
	return nil
}

// results are the result types of the function around path[i].
func (v *view) results(i int) *types.Tuple {
	for ; i >= 0; i-- {
		switch fn := v.path[i].(type) {
		case *ast.FuncLit:
			if s, ok := v.info.TypeOf(fn).(*types.Signature); ok {
				return s.Results()
			}
		case *ast.FuncDecl:
			if obj, ok := v.info.Defs[fn.Name].(*types.Func); ok {
				return obj.Signature().Results()
			}
		}
	}
	return nil
}
