package main

import (
	"encoding/json"
	"go/ast"
)

// wanted is what the place of the hole asks for, in the file's own words.
type wanted struct {
	Call string `json:"call"` // the signature of the call that it is an argument of, "" elsewhere
	Type string `json:"type"` // the type asked for, "" where none is or it is not known
}

func wantedMethod(s *session, raw json.RawMessage) (func() (any, error), error) {
	return askedAbout(s, raw, func(v *view) any { return v.wanted() })
}

func (v *view) wanted() wanted {
	n := len(v.path) - 1
	// A member is asked for as what it is a member of would be.
	for n > 0 && v.hole != nil {
		selector, ok := v.path[n-1].(*ast.SelectorExpr)
		if !ok || selector.Sel != v.path[n] {
			break
		}
		n--
	}
	return wanted{Call: v.calls(), Type: v.typeString(v.expectedOf(n))}
}
