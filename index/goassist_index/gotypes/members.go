package main

import (
	"encoding/json"
	"go/ast"
	"go/types"
	"sort"
)

// members is what may follow a dot.
type members struct {
	Of      string  `json:"of"`   // the type before the dot, or the package's import path
	Kind    string  `json:"kind"` // value, type or package; "" where nothing is known
	Members []named `json:"members"`
}

func membersMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	return askedAbout(s, raw, func(v *view) any { return v.members() })
}

// members answers for the selector that the hole's name is in.
func (v *view) members() members {
	none := members{Members: []named{}}
	if v.hole == nil || len(v.path) < 2 {
		return none
	}
	selector, ok := v.path[len(v.path)-2].(*ast.SelectorExpr)
	if !ok || selector.Sel != v.hole {
		return none
	}
	if id, ok := selector.X.(*ast.Ident); ok {
		if name, ok := v.info.Uses[id].(*types.PkgName); ok {
			return members{Of: name.Imported().Path(), Kind: "package", Members: v.exported(name.Imported())}
		}
	}
	operand, ok := v.info.Types[selector.X]
	if !ok || operand.Type == nil {
		return none
	}
	kind := "value"
	if operand.IsType() {
		kind = "type"
	}
	return members{Of: v.typeString(operand.Type), Kind: kind, Members: v.membersOf(operand.Type)}
}

// exported lists what other packages may use of p.
func (v *view) exported(p *types.Package) []named {
	list := []named{}
	for _, name := range p.Scope().Names() {
		obj := p.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		kind := "var"
		switch obj.(type) {
		case *types.Func:
			kind = "func"
		case *types.Const:
			kind = "const"
		case *types.TypeName:
			list = append(list, named{name, kindOfType(obj.Type()), "type"})
			continue
		}
		list = append(list, named{name, v.typeString(obj.Type()), kind})
	}
	return list
}

// membersOf lists the fields and methods that x.name may name for x of type t, promoted ones included,
// unexported ones only of our own package.
func (v *view) membersOf(t types.Type) []named {
	own := v.place.focus.pkg
	visible := func(obj types.Object) bool {
		return obj.Exported() || obj.Pkg() != nil && obj.Pkg().Path() == own.Path()
	}
	base := t
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		base = pointer.Elem()
	}
	list := []named{}
	seen := map[string]bool{}
	level := []types.Type{base}
	visited := map[types.Type]bool{}
	for len(level) > 0 {
		var next []types.Type
		for _, at := range level {
			structure, ok := at.Underlying().(*types.Struct)
			if !ok || visited[at] {
				continue
			}
			visited[at] = true
			for i := range structure.NumFields() {
				field := structure.Field(i)
				if visible(field) && !seen[field.Name()] {
					seen[field.Name()] = true
					list = append(list, named{field.Name(), v.typeString(field.Type()), "field"})
				}
				if field.Embedded() {
					embedded := field.Type()
					if pointer, ok := embedded.Underlying().(*types.Pointer); ok {
						embedded = pointer.Elem()
					}
					next = append(next, embedded)
				}
			}
		}
		level = next
	}
	lookIn := t
	if _, isInterface := base.Underlying().(*types.Interface); !isInterface {
		lookIn = types.NewPointer(base) // variables are addressable
	}
	set := types.NewMethodSet(lookIn)
	var methods []named
	for i := range set.Len() {
		obj := set.At(i).Obj()
		if visible(obj) && !seen[obj.Name()] {
			methods = append(methods, named{obj.Name(), v.typeString(set.At(i).Type()), "method"})
		}
	}
	sort.Slice(methods, func(i, j int) bool { return methods[i].Name < methods[j].Name })
	return append(list, methods...)
}
