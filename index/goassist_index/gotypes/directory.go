package main

import (
	"crypto/sha256"
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// sourceFile is one Go file of a directory as it stands now, without the bodies of its functions.
type sourceFile struct {
	path    string
	text    *text
	outline [32]byte // digest of the text without function bodies
	ast     *ast.File
	layout  *layout // nil until somebody checks in this file
	matches bool    // whether the build constraints let it in
	imports []string
	broken  map[string]bool // names whose declarations did not parse
}

// pkgName is the package clause's name.
func (f *sourceFile) pkgName() string {
	if f.ast == nil || f.ast.Name == nil {
		return ""
	}
	return f.ast.Name.Name
}

func (f *sourceFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// directory is a folder of Go files and the packages made of them. One check at a time works in it.
type directory struct {
	dir      string
	universe *universe
	fset     *token.FileSet
	files    map[string]*sourceFile // by base name
	// generation counts changes of what the packages are made of.
	generation int
	packages   map[string]*focus
}

func newDirectory(dir string, u *universe) *directory {
	return &directory{
		dir: dir, universe: u,
		fset:     token.NewFileSet(),
		files:    map[string]*sourceFile{},
		packages: map[string]*focus{},
	}
}

// refresh brings files up to date with the buffers and the disk.
func (d *directory) refresh() error {
	names := map[string]bool{}
	entries, err := os.ReadDir(d.dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); isGoFile(name) && entry.Type()&fs.ModeDir == 0 {
			names[name] = true
		}
	}
	for _, name := range d.universe.sources.overlaysIn(d.dir) {
		if isGoFile(name) {
			names[name] = true
		}
	}
	for name := range d.files {
		if !names[name] {
			d.forget(name)
		}
	}
	for name := range names {
		d.refreshFile(name)
	}
	return nil
}

func isGoFile(name string) bool {
	return strings.HasSuffix(name, ".go") && name[0] != '_' && name[0] != '.'
}

func (d *directory) forget(name string) {
	d.release(d.files[name].ast)
	delete(d.files, name)
	d.generation++
}

// release gives the positions of a syntax tree back: a FileSet would otherwise grow for ever.
func (d *directory) release(file *ast.File) {
	if file == nil {
		return
	}
	if f := d.fset.File(file.FileStart); f != nil {
		d.fset.RemoveFile(f)
	}
}

func (d *directory) refreshFile(name string) {
	path := filepath.Join(d.dir, name)
	old := d.files[name]
	now, err := d.universe.sources.stamp(path)
	if err != nil {
		if old != nil {
			d.forget(name)
		}
		return
	}
	if old != nil && old.text.stamp == now {
		return
	}
	t, err := d.universe.sources.read(path)
	if err != nil {
		return
	}
	file := &sourceFile{path: path, text: t}
	if old != nil {
		file.layout = layoutOf(t.data, old.divided())
	}
	outline := file.outlineText()
	file.outline = sha256.Sum256(outline)
	if old != nil && old.outline == file.outline {
		// Only bodies changed: the declarations stand as they are.
		file.ast, file.matches, file.imports, file.broken = old.ast, old.matches, old.imports, old.broken
		d.files[name] = file
		return
	}
	file.ast = d.parse(file, outline)
	for _, spec := range file.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			file.imports = append(file.imports, p)
		}
	}
	file.matches = matches(d.universe.context, path, t.data)
	if old != nil {
		d.release(old.ast)
	}
	d.files[name] = file
	d.generation++
}

// divided returns the file's layout, made when first asked for. The syntax tree stays: the outline's digest is
// only put in the layout's terms, so that later texts compare with it.
func (f *sourceFile) divided() *layout {
	if f.layout == nil {
		f.layout = layoutOf(f.text.data, nil)
		f.outline = sha256.Sum256(f.outlineText())
	}
	return f.layout
}

// outlineText is the text with function bodies blanked, by the layout if there is one.
func (f *sourceFile) outlineText() []byte {
	if f.layout == nil {
		return skim(f.text.data)
	}
	out := append([]byte(nil), f.text.data...)
	for _, s := range f.layout.segments {
		if s.open >= 0 && s.closing > s.open {
			blank(out[s.open+1 : s.closing])
		}
	}
	// Only line breaks are left in a body; their number must not matter to the digest.
	return squeeze(out, f.layout.segments)
}

// squeeze drops the blanked bodies, so that typing in one leaves the outline equal.
func squeeze(out []byte, segments []segment) []byte {
	var kept []byte
	at := 0
	for _, s := range segments {
		if s.open >= 0 && s.closing > s.open && s.open+1 >= at {
			kept = append(kept, out[at:s.open+1]...)
			at = s.closing
		}
	}
	return append(kept, out[at:]...)
}

// parse parses an outline. Declarations that do not parse are left out, and their names noted.
func (d *directory) parse(file *sourceFile, outline []byte) *ast.File {
	const mode = parser.SkipObjectResolution
	tree, err := parser.ParseFile(d.fset, file.path, outline, mode)
	if err == nil {
		return tree
	}
	d.release(tree)
	// Once more with the bodies left out by the divided text, broken declarations blanked.
	l := file.layout
	if l == nil {
		l = layoutOf(file.text.data, nil)
	}
	out := append([]byte(nil), file.text.data...)
	file.broken = map[string]bool{}
	at := 0
	for _, s := range l.segments {
		blank(out[at:s.start])
		at = s.end
		if s.open >= 0 && s.closing > s.open {
			blank(out[s.open+1 : s.closing])
			if s.closing == s.end { // its body is not closed
				blank(out[s.open:s.end])
			}
		}
		if s.kind == token.PACKAGE {
			continue
		}
		part := out[s.start:s.end]
		if declarationFailure(part) == nil {
			continue
		}
		for _, name := range declaredNames(part) {
			file.broken[name] = true
		}
		// One broken import or field must not take the others with it.
		if s.kind == token.FUNC || !patchLines(part, declarationFailure) {
			blank(part)
		}
	}
	blank(out[at:])
	tree, _ = parser.ParseFile(d.fset, file.path, out, mode)
	if tree == nil || tree.Name == nil {
		tree = &ast.File{Name: ast.NewIdent("_")}
	}
	return tree
}

// declarationFailure is the first syntax error of one declaration, or nil.
func declarationFailure(src []byte) *syntaxError {
	const clause = "package p;"
	_, err := parser.ParseFile(token.NewFileSet(), "", append([]byte(clause), src...), parser.SkipObjectResolution)
	var list scanner.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		return &syntaxError{at: min(max(0, list[0].Pos.Offset-len(clause)), len(src)), message: list[0].Msg}
	}
	return nil
}

// declaredNames guesses what a broken declaration declares: identifiers at its lines' beginnings.
func declaredNames(src []byte) []string {
	var names []string
	previous := token.SEMICOLON
	depth := 0
	receiver := false
	scanTokens(src, func(_ int, tok token.Token, lit string) bool {
		switch {
		case tok == token.IDENT && (previous == token.FUNC || previous == token.TYPE || previous == token.VAR ||
			previous == token.CONST || previous == token.SEMICOLON || previous == token.COMMA && depth == 0 ||
			previous == token.LPAREN && depth == 1 || receiver && previous == token.RPAREN && depth == 0):
			names = append(names, lit)
		case tok == token.LPAREN:
			receiver = previous == token.FUNC
			depth++
		case tok == token.RPAREN:
			depth--
		}
		previous = tok
		return true
	})
	return names
}

// sorted lists the files that belong to a package, in a fixed order.
func (d *directory) sorted(belongs func(*sourceFile) bool) []*sourceFile {
	var files []*sourceFile
	for _, f := range d.files {
		if f.ast != nil && belongs(f) {
			files = append(files, f)
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].path < files[j].path })
	return files
}
