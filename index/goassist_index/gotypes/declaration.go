package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
)

// checkDeclaration checks a candidate that stands outside function bodies (types, signatures, imports, package
// variables, new functions): the whole package is checked, with the bodies of all functions but those that the
// candidate touches left out, and compared with the package without the candidate.
func (d *directory) checkDeclaration(f *sourceFile, from, to int, insert []byte, added []addition) verdict {
	data := f.text.data
	filled := splice(data, from, to, insert)
	with := d.parseWhole(f, filled, from, from+len(insert))
	defer with.release()
	base := d.baseOf(f, data, from, to)
	defer base.release()
	if with.failure != nil {
		at := with.failure.at
		if base.failure != nil && base.failure.line(base.text) == with.failure.line(filled) && !touchesLine(filled, from, from+len(insert), at) {
			return unknown("the file does not parse: %s", with.failure.message)
		}
		return verdict{Status: "error", Errors: []diagnostic{wholeDiagnostic(filled, from, from+len(insert), at, with.failure.message)}}
	}
	found := d.runWhole(f, with, added)
	v := verdict{Status: "ok"}
	if len(found) == 0 {
		return v
	}
	stood := map[string]int{}
	for _, c := range d.runWhole(f, base, nil) {
		stood[c.message]++
	}
	var blamed []complaint
	for _, c := range found {
		at, here := with.offset(c.pos)
		inside := here && at >= from && at <= from+len(insert)
		if (complaint{message: c.message}).soft() {
			if here {
				line, col := lineCol(nil, filled[:at])
				kind := "unused_variable"
				if c.message == "missing return" {
					kind = "missing_return"
				}
				v.Unfinished = append(v.Unfinished, unfinished{kind, line, col, c.message, inside})
			}
			continue
		}
		if !inside && stood[c.message] > 0 {
			stood[c.message]--
			continue
		}
		blamed = append(blamed, c)
		v.Status = "error"
		if !here {
			at = from
		}
		v.Errors = append(v.Errors, wholeDiagnostic(filled, from, from+len(insert), at, c.message))
	}
	v.MissingImports, v.members = missingImports(usedAsPackages(with.tree), blamed)
	return v
}

// whole is one file parsed as it would stand, with the function bodies away from the candidate left out.
type whole struct {
	dir     *directory
	text    []byte
	tree    *ast.File
	file    *token.File
	failure *syntaxError
}

func (w *whole) release() {
	if w.file != nil {
		w.dir.fset.RemoveFile(w.file)
		w.file = nil
	}
}

func (w *whole) offset(pos token.Pos) (int, bool) {
	if w.file == nil || int(pos) < w.file.Base() || int(pos) > w.file.Base()+w.file.Size() {
		return 0, false
	}
	return int(pos) - w.file.Base(), true
}

func (e *syntaxError) line(text []byte) string {
	start := bytes.LastIndexByte(text[:min(e.at, len(text))], '\n') + 1
	return string(text[start:endOfLine(text, start)])
}

func touchesLine(text []byte, from, to, at int) bool {
	start := bytes.LastIndexByte(text[:from], '\n') + 1
	return at >= start && at <= endOfLine(text, to)
}

// parseWhole parses text as the file f. Bodies that do not touch from..to are taken out.
func (d *directory) parseWhole(f *sourceFile, text []byte, from, to int) *whole {
	w := &whole{dir: d, text: text}
	out := bytes.Clone(text)
	segments := layoutOf(text, f.divided()).segments
	for _, s := range segments {
		if s.open >= 0 && s.closing > s.open && (to < s.start || from > s.end) {
			blank(out[s.open+1 : s.closing])
			if s.closing == s.end {
				blank(out[s.open:s.end])
			}
		}
	}
	tree, err := parser.ParseFile(d.fset, f.path, out, parser.SkipObjectResolution)
	if err != nil {
		// Declarations that are broken elsewhere do not concern the candidate.
		for _, s := range segments {
			part := out[s.start:s.end]
			if s.kind != token.PACKAGE && (to < s.start || from > s.end) && !patchLines(part, declarationFailure) {
				blank(part)
			}
		}
		d.release(tree)
		tree, err = parser.ParseFile(d.fset, f.path, out, parser.SkipObjectResolution)
	}
	if tree != nil {
		w.file = d.fset.File(tree.FileStart)
	}
	var list scanner.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		w.failure = &syntaxError{at: list[0].Pos.Offset, message: "syntax error: " + list[0].Msg}
	}
	w.tree = tree
	if tree == nil {
		return w
	}
	for _, decl := range tree.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		if start, end := int(fn.Pos())-w.file.Base(), int(fn.End())-w.file.Base(); to < start || from > end {
			fn.Body = nil
		}
	}
	return w
}

// baseOf parses the file without a candidate: as it is, or without the line of the hole where that does not
// parse.
func (d *directory) baseOf(f *sourceFile, data []byte, from, to int) *whole {
	base := d.parseWhole(f, splice(data, from, to, nil), from, from)
	if base.failure == nil {
		return base
	}
	out := bytes.Clone(data)
	blank(out[bytes.LastIndexByte(data[:from], '\n')+1 : endOfLine(data, to)])
	second := d.parseWhole(f, out, from, to)
	if second.failure == nil {
		base.release()
		return second
	}
	second.release()
	return base
}

// runWhole checks the package with w, and imports added to it, in place of f and returns the complaints.
func (d *directory) runWhole(f *sourceFile, w *whole, added []addition) []complaint {
	if w.tree == nil {
		return nil
	}
	_, belongs := d.variant(f)
	fc := &focus{meta: d.focusOn(f).meta, files: d.sorted(belongs)}
	d.loadImports(fc)
	old := d.focusOn(f)
	for path, pkg := range old.imports {
		fc.imports[path] = pkg
	}
	var paths []string
	for _, spec := range w.tree.Imports {
		if path := importPath(spec); path != "" && fc.imports[path] == nil {
			paths = append(paths, path)
		}
	}
	for path, pkg := range d.loadPaths(fc.meta, paths) {
		fc.imports[path] = pkg
	}
	first := *fc.named(w.tree)
	for _, a := range added {
		first.Decls = append([]ast.Decl{a.decl(first.Package)}, first.Decls...)
	}
	trees := []*ast.File{&first}
	for _, g := range fc.files {
		if g.path != f.path {
			trees = append(trees, fc.named(g.ast))
		}
	}
	var found []complaint
	conf := d.universe.config(fc.meta, fc.imports.with(added))
	conf.Error = func(err error) {
		if e, ok := telling(err); ok {
			found = append(found, complaint{e.Pos, e.Msg})
		}
	}
	for i, tree := range trees[1:] {
		trees[i+1] = withoutBodies(tree)
	}
	_, _ = conf.Check(fc.meta.ImportPath, d.fset, trees, nil)
	return found
}

// withoutBodies returns a file whose functions have no bodies; the tree is shared otherwise.
func withoutBodies(tree *ast.File) *ast.File {
	copied := *tree
	copied.Decls = make([]ast.Decl, len(tree.Decls))
	for i, decl := range tree.Decls {
		copied.Decls[i] = decl
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			bare := *fn
			bare.Body = nil
			copied.Decls[i] = &bare
		}
	}
	return &copied
}

func wholeDiagnostic(text []byte, from, to, at int, message string) diagnostic {
	at = min(at, len(text))
	line, col := lineCol(nil, text[:at])
	d := diagnostic{Line: line, Col: col, Message: message}
	if at >= from && at <= to {
		inside := at - from
		d.InsertOffset = &inside
	}
	return d
}
