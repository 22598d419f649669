package main

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// wanted is what the place of the hole asks for, in the file's own words.
type wanted struct {
	Call string `json:"call"` // the signature of the call that it is an argument of, "" elsewhere
	Type string `json:"type"` // the type asked for, "" where none is or it is not known
	// Fits are names that have it, alone or called: of members where the hole is one, else of what the declaration
	// has named before, the nearest first.
	Fits []string `json:"fits"`
}

const maxFits = 8

func wantedMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	return askedAbout(s, raw, func(v *view) any { return v.wanted() })
}

func (v *view) wanted() wanted {
	w := wanted{Call: v.calls(), Fits: []string{}}
	n := len(v.path) - 1
	// A member is asked for as what it is a member of would be.
	for n > 0 && v.hole != nil {
		selector, ok := v.path[n-1].(*ast.SelectorExpr)
		if !ok || selector.Sel != v.path[n] {
			break
		}
		n--
	}
	want := v.expectedOf(n)
	if want == nil || want == types.Typ[types.Invalid] {
		return w
	}
	w.Type = v.typeString(want) + v.furtherResults(n)
	if selector, ok := v.path[n].(*ast.SelectorExpr); ok {
		w.Fits = v.legalMembers(selector, legal{}).Fits
	} else {
		w.Fits = v.fitting(v.namedBefore(), want, v.lookup)
	}
	w.Fits = w.Fits[:min(len(w.Fits), maxFits)]
	return w
}

// furtherResults are the types that a return statement, of which path[n] is the last value so far, asks for behind it.
func (v *view) furtherResults(n int) string {
	statement, ok := v.path[n-1].(*ast.ReturnStmt)
	if !ok {
		return ""
	}
	results, given := v.results(n-1), len(statement.Results)
	if results == nil || given == 0 || statement.Results[given-1] != v.path[n] {
		return ""
	}
	var further strings.Builder
	for i := given; i < results.Len(); i++ {
		further.WriteString(", " + v.typeString(results.At(i).Type()))
	}
	return further.String()
}

// namedBefore are the identifiers before the hole in its declaration, the nearest first, without those behind a dot.
func (v *view) namedBefore() []string {
	var names []string
	last := token.ILLEGAL
	scanTokens(v.place.hole.src[:v.place.hole.from], func(_ int, tok token.Token, lit string) bool {
		if tok == token.IDENT && last != token.PERIOD {
			names = append(names, lit)
		}
		last = tok
		return true
	})
	slices.Reverse(names)
	seen := map[string]bool{"_": true, v.place.functionName(): true} // a function seldom calls itself
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}
