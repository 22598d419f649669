package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
	"time"
)

// verdict is what is said about one candidate; verdict.py mirrors it.
type verdict struct {
	Status         string       `json:"status"`
	Errors         []diagnostic `json:"errors"`
	Unfinished     []unfinished `json:"unfinished"`
	MissingImports []string     `json:"missing_imports"`
	Imports        []importSpec `json:"imports"` // with these added it is "ok"; empty when none are needed
	Reason         string       `json:"reason"`
	MS             float64      `json:"ms"`

	members map[string][]string // what is selected of each missing import
}

type diagnostic struct {
	Line         int    `json:"line"`
	Col          int    `json:"col"`
	Message      string `json:"message"`
	InsertOffset *int   `json:"insert_offset"`
}

type unfinished struct {
	Kind    string `json:"kind"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
	Final   bool   `json:"final"`
}

// fill makes absent lists empty ones, as JSON readers expect.
func (v *verdict) fill() {
	if v.Errors == nil {
		v.Errors = []diagnostic{}
	}
	if v.Unfinished == nil {
		v.Unfinished = []unfinished{}
	}
	if v.MissingImports == nil {
		v.MissingImports = []string{}
	}
	if v.Imports == nil {
		v.Imports = []importSpec{}
	}
}

func unknown(format string, args ...any) verdict {
	return verdict{Status: "unknown", Reason: fmt.Sprintf(format, args...)}
}

// place is one hole in one file, and what its candidates share.
type place struct {
	dir      *directory
	focus    *focus
	file     *sourceFile
	segment  segment
	hole     hole
	mending  *mended         // found when first needed
	lost     map[string]bool // names that the mended lines declared
	whole    bool            // candidates are all that their block is to hold
	baseOpen int             // brackets that the text without a candidate leaves open; -1 until counted
	added    []addition      // imports on trial
}

// question is what one check request asks about a file.
type question struct {
	from, to int // the bytes that the inserts replace
	inserts  []string
	whole    bool  // each insert is all that its block is to hold
	buffer   *text // what the bytes are counted in; nil: whatever is there
	// importBudget bounds the search for the imports that candidates miss; 0: those stay errors.
	importBudget time.Duration
}

// checkAll gives one verdict for each insert of a question.
func (d *directory) checkAll(f *sourceFile, q question) []verdict {
	from, to := q.from, q.to
	p := &place{dir: d, file: f, focus: d.focusOn(f), whole: q.whole, baseOpen: -1}
	data := f.text.data
	found := false
	for _, s := range f.divided().segments {
		if s.inBody(from, to) || s.kind == token.VAR && s.start < from && to < s.end {
			p.segment, found = s, true
			p.hole = hole{src: data[s.start:s.end], from: from - s.start, to: to - s.start}
		}
	}
	var r *resolver
	verdicts := make([]verdict, 0, len(q.inserts))
	for _, insert := range q.inserts {
		start := time.Now()
		check := func(added []addition) verdict {
			if found {
				p.added = added
				return p.check([]byte(insert))
			}
			return d.checkDeclaration(f, from, to, []byte(insert), added)
		}
		v := check(nil)
		if len(v.MissingImports) > 0 && q.importBudget > 0 {
			if r == nil {
				r = d.newResolver(f, q.importBudget)
			}
			v = r.resolve(v, check)
		}
		v.MS = milliseconds(start)
		v.fill()
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// check checks the declaration around the hole with a candidate in it, on top of the package's declarations.
func (p *place) check(insert []byte) verdict {
	u, spots, verdict := p.parse(insert)
	defer func() { u.release() }()
	if verdict != nil {
		return *verdict
	}
	if u.several || !renameBlank(u.decl) || p.segment.kind == token.VAR && !inLiteral(u.decl, u.pos(u.from), u.pos(u.to)) {
		return p.dir.checkDeclaration(p.file, p.segment.start+p.hole.from, p.segment.start+p.hole.to, insert, p.added)
	}
	return p.judge(u, spots)
}

// parse parses the declaration with a candidate. Either the unit parses, or there is a verdict. spots are
// places elsewhere in the declaration that were broken before and are left out.
func (p *place) parse(insert []byte) (*unit, []syntaxError, *verdict) {
	name := p.focus.pkg.Name()
	from, to := p.hole.from, p.hole.from+len(insert)
	text := p.hole.fill(insert)
	u := p.dir.parseUnit(name, text, from, to)
	if u.failure == nil {
		return u, nil, nil
	}
	open, _, _ := unpaired(text)
	if p.baseOpen < 0 {
		baseOpen, _, _ := unpaired(p.hole.fill(nil))
		p.baseOpen = len(baseOpen)
	}
	if len(open) > p.baseOpen {
		v := p.syntaxVerdict(u, syntaxError{at: open[len(open)-1].at, message: "syntax error: bracket is not closed"})
		return u, nil, &v
	}
	first := *u.failure
	if len(open) > 0 {
		u.release()
		u = p.dir.parseUnit(name, append(text, closersFor(open)...), from, to)
		if u.failure == nil {
			return u, nil, nil
		}
	}
	if p.mending == nil {
		m := p.dir.mend(name, p.hole)
		p.mending, p.lost = &m, m.lostNames(p.hole)
	}
	if !p.mending.ok {
		v := unknown("the declaration around the cursor does not parse: %s", first.message)
		return u, nil, &v
	}
	if len(p.mending.patches) == 0 {
		v := p.syntaxVerdict(u, first)
		return u, nil, &v
	}
	u.release()
	text = p.mending.applied(p.hole).fill(insert)
	open, _, _ = unpaired(text)
	u = p.dir.parseUnit(name, append(text, closersFor(open)...), from, to)
	if u.failure != nil {
		v := p.syntaxVerdict(u, *u.failure)
		return u, nil, &v
	}
	return u, p.mending.spots, nil
}

func (p *place) syntaxVerdict(u *unit, e syntaxError) verdict {
	return verdict{Status: "error", Errors: []diagnostic{p.diagnostic(u, e.at, e.message)}}
}

// renameBlank takes the name off a declaration, so that checking it again does not declare it twice: a function
// or variable called _ is checked like any other and enters no scope. It refuses what has other effects.
func renameBlank(decl ast.Decl) bool {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		decl.Name = &ast.Ident{NamePos: decl.Name.NamePos, Name: "_"}
		return true
	case *ast.GenDecl:
		if decl.Tok != token.VAR {
			return false
		}
		for _, spec := range decl.Specs {
			if spec, ok := spec.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					spec.Names[i] = &ast.Ident{NamePos: name.NamePos, Name: "_"}
				}
			}
		}
		return true
	}
	return false
}

// inLiteral reports whether the range lies inside the body of a function literal of decl.
func inLiteral(decl ast.Decl, from, to token.Pos) bool {
	for _, b := range nestedIn(decl) {
		if from > b.open && to <= b.closing {
			return true
		}
	}
	return false
}

// complaint is one error of go/types in the unit.
type complaint struct {
	pos     token.Pos
	message string
}

// run type-checks the unit's declaration in the package. used gives the imports that it uses.
func (p *place) run(u *unit) (found []complaint, used map[*types.PkgName]bool, info *types.Info) {
	info = &types.Info{
		Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{},
	}
	found = p.runInto(u, info)
	used = map[*types.PkgName]bool{}
	for _, obj := range info.Uses {
		if name, ok := obj.(*types.PkgName); ok {
			used[name] = true
		}
	}
	return found, used, info
}

// runInto checks the unit as a further file of the package, with the imports of its own file, and records in
// info what is asked for.
func (p *place) runInto(u *unit, info *types.Info) (found []complaint) {
	conf := p.dir.universe.config(p.focus.meta, p.focus.imports.with(p.added))
	conf.Error = func(err error) {
		if e, ok := telling(err); ok {
			if _, inside := u.offset(e.Pos); inside {
				found = append(found, complaint{e.Pos, e.Msg})
			}
		}
	}
	tree := &ast.File{
		Package:   u.pos(-u.clause),
		Name:      &ast.Ident{NamePos: u.pos(-u.clause) + token.Pos(len("package ")), Name: p.focus.pkg.Name()},
		FileStart: u.pos(-u.clause), FileEnd: token.Pos(u.file.Base() + u.file.Size()),
		GoVersion: p.file.ast.GoVersion,
	}
	for _, decl := range p.file.ast.Decls {
		if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.IMPORT {
			tree.Decls = append(tree.Decls, p.focus.namedDecl(gen))
		}
	}
	for _, a := range p.added {
		tree.Decls = append(tree.Decls, a.decl(tree.Package))
	}
	tree.Decls = append(tree.Decls, u.decl)
	p.focus.uses++
	_ = types.NewChecker(conf, p.dir.fset, p.focus.pkg, info).Files([]*ast.File{tree})
	return found
}

// judge sorts the complaints about a unit into the candidate's errors and what is merely unfinished.
func (p *place) judge(u *unit, spots []syntaxError) verdict {
	found, used, info := p.run(u)
	text := u.text[u.from:u.to]
	lead := len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
	from, to := u.pos(u.from+lead), u.pos(max(u.from+lead, u.from+len(bytes.TrimRight(text, " \t\r\n"))))
	front := frontierAt(u.decl, u.pos(u.to), p.whole)
	v := verdict{Status: "ok"}
	var hard []complaint
	for _, c := range found {
		if c.soft() {
			v.Unfinished = append(v.Unfinished, p.soften(u, c, front, from, to))
		} else {
			hard = append(hard, c)
		}
	}
	if len(hard) > 0 {
		packages := usedAsPackages(u.decl)
		blamed, before := p.blame(u, hard, from, to)
		for _, c := range blamed {
			at, _ := u.offset(c.pos)
			v.Errors = append(v.Errors, p.diagnostic(u, at, c.message))
			v.Status = "error"
		}
		v.MissingImports, v.members = missingImports(packages, blamed)
		for _, c := range before {
			at, _ := u.offset(c.pos)
			line, col := p.lineCol(u, at)
			after := strings.HasPrefix(c.message, "undefined: ") && c.pos >= to
			kind := "other"
			if after {
				kind = "undefined_after"
			}
			v.Unfinished = append(v.Unfinished, unfinished{kind, line, col, c.message, after})
		}
	}
	for _, spot := range spots {
		at := spot.at
		if at >= u.from {
			at += (u.to - u.from) - (p.hole.to - p.hole.from)
		}
		line, col := p.lineCol(u, at)
		v.Unfinished = append(v.Unfinished, unfinished{"other", line, col, spot.message, false})
	}
	v.Unfinished = append(v.Unfinished, p.unusedImports(info, used, front)...)
	return v
}

// blame divides hard errors into those that the candidate caused and those that stood there before: errors in
// its zone are its own, others when the text without the zone does not have the same.
func (p *place) blame(u *unit, hard []complaint, from, to token.Pos) (blamed, before []complaint) {
	z := cut(u.decl, from, to)
	var base map[complaint]bool
	for _, c := range hard {
		if name, ok := undefinedName(c.message); ok && (p.file.broken[name] || p.lost[name]) {
			before = append(before, c)
			continue
		}
		if z.whole || z.covers(c.pos) {
			blamed = append(blamed, c)
			continue
		}
		if base == nil {
			base = map[complaint]bool{}
			stood, _, _ := p.run(u)
			for _, b := range stood {
				base[b] = true
			}
		}
		if base[c] {
			before = append(before, c)
		} else {
			blamed = append(blamed, c)
		}
	}
	return blamed, before
}

// lineCol is the place of an offset of the unit in the file with the candidate, 1-based, columns in bytes.
func (p *place) lineCol(u *unit, at int) (line, col int) {
	return lineCol(p.file.text.data[:p.segment.start], u.text[:min(at, len(u.text))])
}

// lineCol counts lines and the last line's bytes of head followed by rest.
func lineCol(head, rest []byte) (line, col int) {
	line = 1 + bytes.Count(head, []byte{'\n'}) + bytes.Count(rest, []byte{'\n'})
	if i := bytes.LastIndexByte(rest, '\n'); i >= 0 {
		return line, len(rest) - i
	}
	return line, len(rest) + len(head) - bytes.LastIndexByte(head, '\n')
}

func (p *place) diagnostic(u *unit, at int, message string) diagnostic {
	line, col := p.lineCol(u, at)
	d := diagnostic{Line: line, Col: col, Message: message}
	if at >= u.from && at <= u.to {
		inside := at - u.from
		d.InsertOffset = &inside
	}
	return d
}
