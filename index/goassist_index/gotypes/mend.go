package main

import (
	"bytes"
	"go/token"
	"math"
)

// mended is what has to be done to a declaration so that it parses apart from the hole.
type mended struct {
	patches []patch
	spots   []syntaxError // the places that were broken whatever stands in the hole
	ok      bool          // whether the rest parses then
}

// patch blanks a span of the text outside the hole. brace: an opening brace takes its place, because the text
// goes on to close a block whose opening was on the broken line.
type patch struct {
	from, to int
	brace    bool
}

func (p patch) apply(text []byte) {
	blank(text[p.from:p.to])
	if p.brace {
		text[p.from] = '{'
	}
}

// applied returns h with the broken lines patched.
func (m mended) applied(h hole) hole {
	out := bytes.Clone(h.src)
	for _, p := range m.patches {
		p.apply(out)
	}
	return hole{src: out, from: h.from, to: h.to}
}

// maxMends is how many broken lines a declaration may have besides the hole.
const maxMends = 10

// mend finds the lines outside the hole that are broken already. With them patched, some filler in the hole
// makes the declaration parse.
func (d *directory) mend(name string, h hole) mended {
	work := hole{src: bytes.Clone(h.src), from: h.from, to: h.to}
	var m mended
	ok, spot := d.attempt(name, work)
	for range maxMends {
		if ok {
			m.ok = true
			return m
		}
		if spot == nil {
			return m
		}
		best, bestAt := patch{}, -1
		var next *syntaxError
		for _, p := range work.patchesNear(spot.at) {
			tried := hole{src: bytes.Clone(work.src), from: work.from, to: work.to}
			p.apply(tried.src)
			done, later := d.attempt(name, tried)
			at := 0
			if later != nil {
				at = later.at
			}
			if done {
				at = math.MaxInt
			}
			if at > bestAt {
				best, bestAt, next, ok = p, at, later, done
			}
		}
		if bestAt < 0 {
			return m
		}
		best.apply(work.src)
		m.patches = append(m.patches, best)
		m.spots = append(m.spots, *spot)
		spot = next
	}
	m.ok = ok
	return m
}

// holeLines is the extent of the lines that the hole touches.
func (h hole) holeLines() (from, to int) {
	return bytes.LastIndexByte(h.src[:h.from], '\n') + 1, endOfLine(h.src, h.to)
}

// patchesNear offers the line of a syntax error and the one before it, where the parser noticed one line late.
func (h hole) patchesNear(at int) []patch {
	lineStart, lineEnd := h.holeLines()
	var patches []patch
	for range 2 {
		from, to, ok := blankStatementLine(h.src, at)
		at = bytes.LastIndexByte(h.src[:min(at, len(h.src))], '\n')
		for at > 0 && isBlankByte(h.src[at-1]) {
			at--
		}
		if ok && (to <= lineStart || from >= lineEnd) {
			patches = append(patches, patch{from, to, false}, patch{from, to, true})
		}
		if at < 0 {
			break
		}
	}
	return patches
}

func isBlankByte(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// attempt reports whether some filler lets the declaration parse, or else the furthest error off the hole's
// lines (nil when all errors are on them).
func (d *directory) attempt(name string, h hole) (ok bool, furthest *syntaxError) {
	lineStart, lineEnd := h.holeLines()
	above := false
	try := func(text []byte, shiftFrom, shift int) bool {
		open, _, _ := unpaired(text)
		u := d.parseUnit(name, append(text, closersFor(open)...), 0, 0)
		u.release()
		if u.failure == nil {
			return !u.several // a filler that ends the function and begins another is none
		}
		at := u.failure.at
		if at >= shiftFrom {
			at = max(shiftFrom-shift, at-shift)
		}
		switch {
		case at >= lineStart && at <= lineEnd:
		case at < lineStart: // no filler can cure what stands above the hole
			furthest, above = &syntaxError{at: at, message: u.failure.message}, true
		case !above && (furthest == nil || at > furthest.at):
			furthest = &syntaxError{at: at, message: u.failure.message}
		}
		return false
	}
	for _, filler := range fillers(h.src, h.from, h.to) {
		if try(h.fill([]byte(filler)), h.from+len(filler), len(filler)-(h.to-h.from)) {
			return true, nil
		}
	}
	without := bytes.Clone(h.src)
	blank(without[lineStart:lineEnd])
	return try(without, len(without)+1, 0), furthest
}

// patchLines parses a declaration that is not a function's and blanks the lines that do not parse. It reports
// whether the rest does.
func patchLines(src []byte, failure func([]byte) *syntaxError) bool {
	for range maxMends {
		broken := failure(src)
		if broken == nil {
			return true
		}
		from, to, ok := blankStatementLine(src, broken.at)
		if !ok {
			return false
		}
		blank(src[from:to])
	}
	return failure(src) == nil
}

// lostNames are the names that the broken lines would declare: x and y of "x, y := ...", x of "var x ...".
func (m mended) lostNames(h hole) map[string]bool {
	lost := map[string]bool{}
	for _, p := range m.patches {
		var names []string
		declares := false
		scanTokens(h.src[p.from:p.to], func(_ int, tok token.Token, lit string) bool {
			switch tok {
			case token.IDENT:
				names = append(names, lit)
			case token.VAR, token.CONST, token.TYPE, token.DEFINE:
				declares = true
			}
			return tok != token.DEFINE
		})
		if declares {
			for _, name := range names {
				lost[name] = true
			}
		}
	}
	return lost
}
