package main

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
)

// unit is one top-level declaration with a candidate in its place, parsed by itself.
type unit struct {
	dir      *directory
	file     *token.File
	clause   int      // length of the package clause put before the text
	decl     ast.Decl // nil when the text does not parse as one declaration
	from, to int      // the candidate's extent in the text
	failure  *syntaxError
	several  bool // the text holds several declarations
	text     []byte
}

// syntaxError is the first place where a text does not parse, by offset in the declaration's text.
type syntaxError struct {
	at      int
	message string
}

// parseUnit parses text as one declaration of a package called name. The unit holds a file of the directory's
// FileSet until it is released.
func (d *directory) parseUnit(name string, text []byte, from, to int) *unit {
	clause := "package " + name + ";"
	src := append([]byte(clause), text...)
	tree, err := parser.ParseFile(d.fset, "", src, parser.SkipObjectResolution)
	u := &unit{dir: d, clause: len(clause), from: from, to: to, text: text}
	if tree != nil {
		u.file = d.fset.File(tree.FileStart)
	}
	if err != nil {
		u.failure = &syntaxError{at: 0, message: err.Error()}
		if list, ok := err.(scanner.ErrorList); ok && len(list) > 0 {
			u.failure = &syntaxError{at: min(max(0, list[0].Pos.Offset-len(clause)), len(text)), message: "syntax error: " + list[0].Msg}
		}
		return u
	}
	switch len(tree.Decls) {
	case 1:
		u.decl = tree.Decls[0]
	case 0:
		u.failure = &syntaxError{at: 0, message: "syntax error: the declaration is gone"}
	default:
		u.several = true
	}
	return u
}

func (u *unit) release() {
	if u.file != nil {
		u.dir.fset.RemoveFile(u.file)
		u.file = nil
	}
}

// offset turns a position into an offset of the unit's text; ok is false for positions elsewhere.
func (u *unit) offset(pos token.Pos) (at int, ok bool) {
	if !pos.IsValid() || u.file == nil || int(pos) < u.file.Base() || int(pos) > u.file.Base()+u.file.Size() {
		return 0, false
	}
	return int(pos) - u.file.Base() - u.clause, true
}

// pos is offset's inverse.
func (u *unit) pos(at int) token.Pos { return token.Pos(u.file.Base() + u.clause + at) }

// hole is the place in one declaration where candidates go.
type hole struct {
	src      []byte // the declaration's text
	from, to int
}

// fill returns the text with insert in the hole.
func (h hole) fill(insert []byte) []byte { return splice(h.src, h.from, h.to, insert) }
