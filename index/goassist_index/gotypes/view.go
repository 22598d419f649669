package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"time"
)

// holeName stands in the hole while its surroundings are looked at; nothing declares it.
const holeName = "goassistHole"

// view is one declaration with a name in its hole, checked, to be asked about types.
type view struct {
	place *place
	unit  *unit
	info  *types.Info
	at    token.Pos  // where the hole's name begins
	path  []ast.Node // nodes around the hole, outermost first
	hole  *ast.Ident // the identifier in the hole, with what was typed of it; nil where the filler is another
	exact bool       // whether no other line of the declaration had to be left out
}

// viewAt parses and checks the declaration around data[at:at], with said before the hole there: what a model has
// written so far. It returns nil outside of functions and where nothing parses.
func (d *directory) viewAt(f *sourceFile, at int, said string) *view {
	p := &place{dir: d, file: f, focus: d.focusOn(f), baseOpen: -1}
	found := false
	for _, s := range f.divided().segments {
		if s.inBody(at, at) || s.kind == token.VAR && s.start < at && at < s.end {
			p.segment, found = s, true
		}
	}
	if !found {
		return nil
	}
	// A name that is being typed stays in front of the cursor; the rest of its word makes room.
	data := f.text.data[p.segment.start:p.segment.end]
	from := at - p.segment.start
	to := from
	for to < len(data) && isWordByte(data[to]) {
		to++
	}
	p.hole = hole{src: splice(data, from, from, []byte(said)), from: from + len(said), to: to + len(said)}
	u, exact := p.filled([]byte(said))
	if u == nil {
		return nil
	}
	if !renameBlank(u.decl) {
		u.release()
		return nil
	}
	v := &view{place: p, unit: u, at: u.pos(p.hole.from), exact: exact}
	v.info = &types.Info{
		Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
		Types: map[ast.Expr]types.TypeAndValue{}, Scopes: map[ast.Node]*types.Scope{},
	}
	p.runInto(u, v.info)
	ast.Inspect(u.decl, func(n ast.Node) bool {
		if n == nil || n.Pos() > v.at || n.End() < v.at {
			return false
		}
		v.path = append(v.path, n)
		if id, ok := n.(*ast.Ident); ok && strings.Contains(id.Name, holeName) {
			v.hole = id
		}
		return true
	})
	return v
}

// filled parses the declaration with the first filler that lets it parse. exact is false where broken lines
// elsewhere in it had to be left out.
func (p *place) filled(said []byte) (u *unit, exact bool) {
	name := p.focus.pkg.Name()
	first := []string{"_", "_,"}
	if open, _, _ := unpaired(said); len(open) > 0 {
		// What was said opens brackets of its own, which the text behind the hole does not close.
		closed := "_" + strings.ReplaceAll(closersFor(open), "\n", "")
		first = []string{closed, closed + ",", closed + " {", closed + "; _ {", "_", "_,"}
	}
	try := func(h hole) *unit {
		others := fillers(h.src, h.from, h.to)
		slices.SortStableFunc(others, func(a, b string) int { return revealing(b) - revealing(a) })
		for _, filler := range append(first, others...) {
			text := h.fill(bytes.ReplaceAll([]byte(filler), []byte{'_'}, []byte(holeName)))
			open, _, _ := unpaired(text)
			u := p.dir.parseUnit(name, append(text, closersFor(open)...), h.from, h.from+len(filler))
			if u.decl != nil {
				return u
			}
			u.release()
		}
		return nil
	}
	if u := try(p.hole); u != nil {
		return u, true
	}
	m := p.dir.mend(name, p.hole)
	if !m.ok || len(m.patches) == 0 {
		return nil, false
	}
	return try(m.applied(p.hole)), false
}

// revealing ranks fillers by what is learnt of the place: a name with what its line leaves open closed is nearest to what
// will stand there, without a name nothing is learnt.
func revealing(filler string) int {
	switch closers, ok := strings.CutPrefix(filler, "_"); {
	case ok && closers != "" && strings.Trim(closers, ")]}\n") == "":
		return 2
	case strings.Contains(filler, "_"):
		return 1
	}
	return 0
}

// typeString names a type as the file would: without its own package.
func (v *view) typeString(t types.Type) string {
	if t == nil {
		return ""
	}
	own := v.place.focus.pkg
	return types.TypeString(t, func(p *types.Package) string {
		if p == own {
			return ""
		}
		return p.Name()
	})
}

// askedAbout is the common part of the requests about a place.
func askedAbout(s *session, raw json.RawMessage, answer func(*view) any) (func() (any, error), error) {
	p, file, err := readFileParams(raw)
	if err != nil {
		return nil, err
	}
	buffer := s.take(file, p.Text)
	return func() (any, error) {
		var result any
		err := s.within(file, buffer, time.Duration(p.WaitMS)*time.Millisecond, func(d *directory, f *sourceFile) error {
			if p.Offset < 0 || p.Offset > len(f.text.data) {
				return badRequest("offset %d is not in the text of %d bytes", p.Offset, len(f.text.data))
			}
			if v := d.viewAt(f, p.Offset, p.Said); v != nil {
				defer v.unit.release()
				result = answer(v)
			}
			return nil
		})
		if reason, ok := err.(notReady); ok {
			return map[string]any{"reason": string(reason)}, nil
		}
		if result == nil && err == nil {
			result = map[string]any{"reason": "not inside a function that can be read"}
		}
		return result, err
	}, nil
}
