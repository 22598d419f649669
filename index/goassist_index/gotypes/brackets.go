package main

import (
	"bytes"
	"go/token"
	"strings"
)

// bracket is one bracket token that has no partner.
type bracket struct {
	at  int
	tok token.Token
}

var partnerOf = map[token.Token]token.Token{
	token.RPAREN: token.LPAREN, token.RBRACK: token.LBRACK, token.RBRACE: token.LBRACE,
}

var closingText = map[token.Token]string{token.LPAREN: ")", token.LBRACK: "]", token.LBRACE: "}"}

// unpaired finds the brackets without a partner: open is what the end of the text leaves open, skipped what a
// closing bracket of an outer pair passed over, spare the closing ones that nothing opens.
func unpaired(src []byte) (open, skipped, spare []bracket) {
	var stack []bracket
	scanTokens(src, func(at int, tok token.Token, _ string) bool {
		switch tok {
		case token.LPAREN, token.LBRACK, token.LBRACE:
			stack = append(stack, bracket{at, tok})
		case token.RPAREN, token.RBRACK, token.RBRACE:
			for i := len(stack) - 1; i >= 0; i-- {
				if stack[i].tok == partnerOf[tok] {
					skipped = append(skipped, stack[i+1:]...)
					stack = stack[:i]
					return true
				}
			}
			spare = append(spare, bracket{at, tok})
		}
		return true
	})
	return stack, skipped, spare
}

// closersFor is what closes the given brackets at a text's end, each on a line of its own.
func closersFor(open []bracket) string {
	var b strings.Builder
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].tok == token.LBRACE {
			b.WriteByte('\n')
		}
		b.WriteString(closingText[open[i].tok])
	}
	return b.String()
}

// fillers are texts that may stand in a hole of the function so that the rest parses: nothing, an operand, an
// operand with the brackets that the hole's line leaves open, a block's opening.
func fillers(src []byte, from, to int) []string {
	base := splice(src, from, to, nil)
	lineStart := bytes.LastIndexByte(base[:from], '\n') + 1
	lineEnd := endOfLine(base, from)
	open, skipped, _ := unpaired(base)
	var onLine []bracket
	for _, b := range append(skipped, open...) {
		if b.at >= lineStart && b.at < from && b.tok != token.LBRACE {
			onLine = append(onLine, b)
		}
	}
	closers := closersFor(onLine)
	_, _, spareAfter := unpaired(base[from:lineEnd])
	openers := ""
	for _, b := range spareAfter {
		openers = closingOpener(b.tok) + openers
	}
	found := []string{"", "_", "{", "_ {", "_; _ {", "_; _; _ {", ";_;_ {", "_ = _", "_: _,", "_:", "_()", "_{}", "func() {"}
	if closers != "" {
		found = append(found, "_"+closers, closers, "_"+closers+" {", "_"+closers+"; _ {", closers+" {", "_: _"+closers)
	}
	if openers != "" {
		found = append(found, "_"+openers, openers, "_ := "+openers, "_"+openers+"_")
	}
	return found
}

func closingOpener(tok token.Token) string {
	switch tok {
	case token.RPAREN:
		return "("
	case token.RBRACK:
		return "["
	}
	return "{"
}

// splice returns src with src[from:to] replaced.
func splice(src []byte, from, to int, insert []byte) []byte {
	out := make([]byte, 0, len(src)-(to-from)+len(insert))
	out = append(out, src[:from]...)
	out = append(out, insert...)
	return append(out, src[to:]...)
}

// blankStatementLine overwrites the line at offset at, but keeps what opens and closes blocks: a closing brace
// in front and an opening one at the end. It reports the span, or ok false for a blank line.
func blankStatementLine(src []byte, at int) (from, to int, ok bool) {
	at = min(at, len(src))
	from = bytes.LastIndexByte(src[:at], '\n') + 1
	to = endOfLine(src, at)
	line := src[from:to]
	trimmed := bytes.TrimSpace(line)
	if len(trimmed) == 0 || string(trimmed) == "{" || string(trimmed) == "}" {
		return from, to, false
	}
	start := bytes.IndexByte(line, trimmed[0])
	end := start + len(trimmed)
	if trimmed[0] == '}' {
		start++
	}
	if trimmed[len(trimmed)-1] == '{' && len(trimmed) > 1 {
		end--
	}
	return from + start, from + end, true
}
