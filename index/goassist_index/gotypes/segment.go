package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
)

// segment is the extent of one top-level declaration, in byte offsets of its file.
type segment struct {
	kind       token.Token // FUNC, TYPE, VAR, CONST, IMPORT or PACKAGE
	start, end int
	// The function body's braces: offsets of "{" and of "}" (or of the segment's end where it is not closed);
	// both -1 where there is no body.
	open, closing int
}

// inBody reports whether the range lies inside the braces of the function's body.
func (s segment) inBody(from, to int) bool {
	return s.kind == token.FUNC && s.open >= 0 && from > s.open && to <= s.closing
}

// layout is the division of one text into top-level declarations.
type layout struct {
	data     []byte
	segments []segment
}

// layoutOf divides data. old, if any, is the layout of an earlier text: an edit inside one function's body
// leaves the division as it was, however broken that body is for the moment.
func layoutOf(data []byte, old *layout) *layout {
	if old != nil {
		if l := old.edited(data); l != nil {
			return l
		}
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", data, parser.SkipObjectResolution)
	if err != nil {
		return &layout{data: data, segments: scanSegments(data)}
	}
	l := &layout{data: data}
	base := int(file.FileStart)
	l.segments = append(l.segments, segment{kind: token.PACKAGE, start: int(file.Package) - base, end: int(file.Name.End()) - base, open: -1, closing: -1})
	for _, decl := range file.Decls {
		s := segment{kind: token.FUNC, start: int(decl.Pos()) - base, end: int(decl.End()) - base, open: -1, closing: -1}
		switch decl := decl.(type) {
		case *ast.GenDecl:
			s.kind = decl.Tok
		case *ast.FuncDecl:
			if decl.Body != nil {
				s.open, s.closing = int(decl.Body.Lbrace)-base, int(decl.Body.Rbrace)-base
			}
		}
		l.segments = append(l.segments, s)
	}
	return l
}

// edited returns the layout of data when it differs from l's text inside a single function body only, and the
// changed lines do not look like a declaration of their own; otherwise nil.
func (l *layout) edited(data []byte) *layout {
	from := commonPrefix(l.data, data)
	tail := commonSuffix(l.data[from:], data[from:])
	oldTo, newTo := len(l.data)-tail, len(data)-tail
	if from == len(l.data) && from == len(data) {
		return l
	}
	for i, s := range l.segments {
		if !s.inBody(from, oldTo) {
			continue
		}
		// A line in column 0 is a sign that the edit reaches beyond the body.
		lineStart := bytes.LastIndexByte(data[:from], '\n') + 1
		for at := lineStart; at < newTo; at = endOfLine(data, at) + 1 {
			if startsTopLevel(data[at:]) && at > s.open {
				return nil
			}
		}
		delta := len(data) - len(l.data)
		moved := &layout{data: data, segments: make([]segment, len(l.segments))}
		copy(moved.segments, l.segments)
		moved.segments[i].end += delta
		moved.segments[i].closing += delta
		for j := i + 1; j < len(moved.segments); j++ {
			next := &moved.segments[j]
			next.start, next.end = next.start+delta, next.end+delta
			if next.open >= 0 {
				next.open, next.closing = next.open+delta, next.closing+delta
			}
		}
		return moved
	}
	return nil
}

// startsTopLevel reports whether a line begins, in column 0, with what begins or ends a declaration.
func startsTopLevel(line []byte) bool {
	if len(line) > 0 && line[0] == '}' {
		return true
	}
	_, ok := declarationKeyword(line)
	return ok
}

func declarationKeyword(line []byte) (token.Token, bool) {
	for _, kind := range []token.Token{token.FUNC, token.TYPE, token.VAR, token.CONST, token.IMPORT, token.PACKAGE} {
		word := kind.String()
		if len(line) > len(word) && string(line[:len(word)]) == word && bytes.IndexByte([]byte(" \t("), line[len(word)]) >= 0 {
			return kind, true
		}
	}
	return token.ILLEGAL, false
}

// scanSegments divides a text that does not parse, by gofmt's layout: declarations begin in column 0.
func scanSegments(data []byte) []segment {
	inside, sound := literalSpans(data)
	var starts []segment
	for at := 0; at < len(data); at = endOfLine(data, at) + 1 {
		if kind, ok := declarationKeyword(data[at:]); ok && !(sound && inside(at)) {
			starts = append(starts, segment{kind: kind, start: at, open: -1, closing: -1})
		}
	}
	for i := range starts {
		limit := len(data)
		if i+1 < len(starts) {
			limit = starts[i+1].start
		}
		finishSegment(data, &starts[i], limit, func(at int) bool { return sound && inside(at) })
	}
	return starts
}

// literalSpans tells which offsets lie inside comments and raw strings. sound is false when a literal is not
// closed: then the spans after it cannot be trusted.
func literalSpans(data []byte) (inside func(int) bool, sound bool) {
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(data))
	var s scanner.Scanner
	sound = true
	s.Init(file, data, func(_ token.Position, msg string) {
		if msg == "raw string literal not terminated" || msg == "comment not terminated" {
			sound = false
		}
	}, scanner.ScanComments)
	type span struct{ from, to int }
	var spans []span
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if (tok == token.COMMENT || tok == token.STRING) && bytes.IndexByte([]byte(lit), '\n') >= 0 {
			spans = append(spans, span{file.Offset(pos), file.Offset(pos) + len(lit)})
		}
	}
	return func(at int) bool {
		for _, s := range spans {
			if at > s.from && at < s.to {
				return true
			}
		}
		return false
	}, sound
}

// finishSegment finds a declaration's end and its body, looking no further than limit, and not inside literals.
func finishSegment(data []byte, s *segment, limit int, inside func(int) bool) {
	firstLine := endOfLine(data, s.start)
	s.end = limit // unclosed: the cursor may stand in the blank lines before the next declaration
	if trimmed := bytes.TrimRight(data[s.start:firstLine], " \t\r"); s.kind != token.FUNC || bytes.HasSuffix(trimmed, []byte("}")) {
		s.end = len(bytes.TrimRight(data[:limit], " \t\r\n"))
		if s.kind == token.FUNC {
			s.end = s.start + len(trimmed) // all on one line
		}
	}
	// The last line that closes in column 0 ends it; what follows are comments of the next declaration.
	for at := firstLine + 1; at < limit; at = endOfLine(data, at) + 1 {
		if (data[at] == '}' || data[at] == ')') && !inside(at) {
			s.end = len(bytes.TrimRight(data[:min(endOfLine(data, at), limit)], " \t\r\n"))
			if data[at] == '}' {
				break
			}
		}
	}
	if s.kind != token.FUNC {
		return
	}
	s.end = max(s.end, s.start)
	s.open = funcBodyBrace(data[s.start:s.end])
	if s.open >= 0 {
		s.open += s.start
		s.closing = s.end
		if data[s.end-1] == '}' && s.end-1 > s.open {
			s.closing = s.end - 1
		}
	}
}

// funcBodyBrace returns the offset of the brace that opens a function's body: the first one outside
// parentheses and brackets that does not follow "interface" or "struct".
func funcBodyBrace(src []byte) int {
	depth := 0
	previous := token.ILLEGAL
	found := -1
	scanTokens(src, func(at int, tok token.Token, _ string) bool {
		switch tok {
		case token.LPAREN, token.LBRACK:
			depth++
		case token.RPAREN, token.RBRACK:
			depth--
		case token.LBRACE:
			if depth <= 0 && previous != token.INTERFACE && previous != token.STRUCT {
				found = at
				return false
			}
			depth++
		case token.RBRACE:
			depth--
		}
		previous = tok
		return true
	})
	return found
}

// scanTokens calls visit with each token's offset until it returns false; comments are left out.
func scanTokens(src []byte, visit func(at int, tok token.Token, lit string) bool) {
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, func(token.Position, string) {}, 0)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF || !visit(file.Offset(pos), tok, lit) {
			return
		}
	}
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	at := 0
	for at+256 <= n && bytes.Equal(a[at:at+256], b[at:at+256]) {
		at += 256
	}
	for at < n && a[at] == b[at] {
		at++
	}
	return at
}

func commonSuffix(a, b []byte) int {
	n := min(len(a), len(b))
	at := 0
	for at+256 <= n && bytes.Equal(a[len(a)-at-256:len(a)-at], b[len(b)-at-256:len(b)-at]) {
		at += 256
	}
	for at < n && a[len(a)-at-1] == b[len(b)-at-1] {
		at++
	}
	return at
}
