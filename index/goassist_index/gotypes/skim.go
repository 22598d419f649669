package main

import (
	"bytes"
	"crypto/sha256"
)

// skim returns src with the bodies of its top-level functions blanked, offsets and line breaks kept.
//
// It trusts gofmt's layout (a declaration begins in column 0, its body ends at a line that is "}"), which makes
// it some ten times faster than parsing the bodies. Where the layout misleads it, in a raw string with such a
// line, the result does not parse, and the caller reads the whole text instead.
func skim(src []byte) []byte {
	out := bytes.Clone(src)
	for at := 0; at < len(out); {
		lineEnd := endOfLine(out, at)
		if !bytes.HasPrefix(out[at:], []byte("func ")) {
			at = lineEnd + 1
			continue
		}
		open := bodyOpening(out, at)
		if open < 0 {
			at = lineEnd + 1
			continue
		}
		closing := closingLine(out, endOfLine(out, open)+1)
		if closing < 0 {
			at = lineEnd + 1
			continue
		}
		blank(out[open+1 : closing])
		at = endOfLine(out, closing) + 1
	}
	return out
}

// bodyOpening returns the offset of the brace that ends the header's last line, or -1 for one-line functions,
// functions without a body and headers that gofmt would not write.
func bodyOpening(src []byte, at int) int {
	for {
		end := endOfLine(src, at)
		line := bytes.TrimRight(src[at:end], " \t\r")
		if len(line) == 0 {
			return -1
		}
		last := line[len(line)-1]
		if last == '{' {
			return at + len(line) - 1
		}
		// A header goes on over lines only inside its parentheses.
		if last != '(' && last != ',' {
			return -1
		}
		at = end + 1
		if at >= len(src) || src[at] != '\t' && src[at] != ' ' && src[at] != ')' {
			return -1
		}
	}
}

// closingLine returns the offset of the next line that is "}" alone, or -1 when a line that can only be another
// declaration or a header's end comes first.
func closingLine(src []byte, at int) int {
	for at < len(src) {
		end := endOfLine(src, at)
		if src[at] == '}' {
			rest := bytes.TrimSpace(src[at+1 : end])
			if len(rest) == 0 || bytes.HasPrefix(rest, []byte("//")) {
				return at
			}
			return -1
		}
		at = end + 1
	}
	return -1
}

func endOfLine(src []byte, at int) int {
	if at >= len(src) {
		return len(src)
	}
	if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(src)
}

// blank overwrites text with spaces, line breaks kept.
func blank(text []byte) {
	for i, b := range text {
		if b != '\n' && b != '\r' {
			text[i] = ' '
		}
	}
}

// outlineDigest is equal for texts that differ only in bodies that skim leaves out.
func outlineDigest(src []byte) [32]byte {
	return sha256.Sum256(bytes.Join(bytes.Fields(skim(src)), []byte{' '}))
}
