package main

import (
	"bytes"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"sort"
	"strings"
)

// telling takes out an error that says something by itself: not the second line of another, and not what follows
// from a type that is not known, as of everything that comes from C.
func telling(err error) (types.Error, bool) {
	e, ok := err.(types.Error)
	return e, ok && !strings.HasPrefix(e.Msg, "\t") && strings.Index(e.Msg, "invalid type") < 1
}

// soft reports whether a complaint is one that the user's next line may cure.
func (c complaint) soft() bool { return c.unusedVariable() || c.message == "missing return" }

func (c complaint) unusedVariable() bool {
	return strings.HasPrefix(c.message, "declared and not used: ") || strings.HasSuffix(c.message, " declared and not used") &&
		!strings.HasPrefix(c.message, "label ")
}

// soften says what is unfinished about a soft complaint: final when no later line can cure it.
func (p *place) soften(u *unit, c complaint, front *frontier, from, to token.Pos) unfinished {
	at, _ := u.offset(c.pos)
	line, col := p.lineCol(u, at)
	item := unfinished{Kind: "unused_variable", Line: line, Col: col, Message: c.message}
	inside := c.pos >= from && c.pos < to
	if !c.unusedVariable() {
		item.Kind = "missing_return"
		if ending, ok := front.bodyEnding(c.pos); ok {
			item.Final = ending.follows
		} else {
			item.Final = inside
		}
	} else {
		start, end := front.scopeOf(c.pos)
		visible := front.at > start && front.at < end
		item.Final = !front.open(start, end) && (visible || inside)
		if !visible && !inside {
			item.Kind = "other"
		}
		return item
	}
	if _, ok := front.bodyEnding(c.pos); !ok && !inside {
		item.Kind = "other"
	}
	return item
}

// unusedImports lists imports that neither the unit nor any other declaration of the file uses.
func (p *place) unusedImports(info *types.Info, used map[*types.PkgName]bool, front *frontier) []unfinished {
	var items []unfinished
	data := p.file.text.data
	before, after := data[:p.segment.start], data[p.segment.end:]
	for node, obj := range importedNames(info) {
		if used[obj] || obj.Name() == "_" || obj.Name() == "." || obj.Imported().Path() == "C" {
			continue
		}
		if mentions(before, obj.Name()) || mentions(after, obj.Name()) {
			continue
		}
		line, col := p.importPlace(node)
		items = append(items, unfinished{
			Kind: "unused_import", Line: line, Col: col, Message: `"` + obj.Imported().Path() + `" imported and not used`,
			Final: !front.open(0, token.Pos(1<<62)),
		})
	}
	sort.Slice(items, func(i, j int) bool { return items[i].Line < items[j].Line })
	return items
}

// importedNames gives the package names that the file's import declarations make.
func importedNames(info *types.Info) map[*ast.ImportSpec]*types.PkgName {
	names := map[*ast.ImportSpec]*types.PkgName{}
	byName := map[*ast.Ident]*types.PkgName{}
	for id, obj := range info.Defs {
		if name, ok := obj.(*types.PkgName); ok {
			byName[id] = name
		}
	}
	for node, obj := range info.Implicits {
		if spec, ok := node.(*ast.ImportSpec); ok {
			if name, ok := obj.(*types.PkgName); ok {
				names[spec] = name
			}
		}
	}
	for id, name := range byName {
		names[&ast.ImportSpec{Name: id, Path: &ast.BasicLit{Value: `"` + name.Imported().Path() + `"`}}] = name
	}
	return names
}

// importPlace finds an import's line in the file's text.
func (p *place) importPlace(spec *ast.ImportSpec) (line, col int) {
	data := p.file.text.data
	at := bytes.Index(data, []byte(spec.Path.Value))
	if at < 0 {
		return 1, 1
	}
	return lineCol(data[:at], nil)
}

// mentions reports whether text has name followed by a dot, as a word of its own.
func mentions(text []byte, name string) bool {
	want := []byte(name + ".")
	for at := 0; ; {
		i := bytes.Index(text[at:], want)
		if i < 0 {
			return false
		}
		at += i
		if before := text[:at]; at == 0 || !isWordByte(text[at-1]) &&
			(text[at-1] != '.' || bytes.HasSuffix(before, []byte("..."))) {
			return true
		}
		at += len(want)
	}
}

func isWordByte(b byte) bool {
	return b == '_' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b >= 0x80
}

// undefinedName takes the name out of an "undefined: name" message.
func undefinedName(message string) (string, bool) {
	return strings.CutPrefix(message, "undefined: ")
}

// usedAsPackages gives the places where a name stands in front of a dot, and what stands behind it.
func usedAsPackages(node ast.Node) map[token.Pos]string {
	places := map[token.Pos]string{}
	ast.Inspect(node, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok {
				places[id.Pos()] = sel.Sel.Name
			}
		}
		return true
	})
	return places
}

// missingImports lists the undefined names that are used as packages, name.Member, and the members of each.
func missingImports(packages map[token.Pos]string, blamed []complaint) (names []string, members map[string][]string) {
	members = map[string][]string{}
	for _, c := range blamed {
		name, ok := undefinedName(c.message)
		member := packages[c.pos]
		if !ok || member == "" {
			continue
		}
		if !slices.Contains(members[name], member) {
			members[name] = append(members[name], member)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, members
}
