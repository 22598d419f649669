package main

import (
	"go/ast"
	"go/token"
)

// zone is where a candidate answers for every error: its own text and the statements it is part of, of compound
// statements the header alone.
type zone struct {
	from, to token.Pos
	spans    [][2]token.Pos
	// whole: the zone is the declaration itself, so that taking the candidate out leaves nothing to compare with.
	whole bool
}

// nested is one list of statements inside another node.
type nested struct {
	open, closing token.Pos
	list          *[]ast.Stmt
	literal       bool // a function literal's body
}

// cut finds the zone of the candidate at from..to in decl and takes the zone's statements out of decl, which
// leaves the base that errors elsewhere are compared with. Positions of what stays do not change.
func cut(decl ast.Decl, from, to token.Pos) *zone {
	z := &zone{from: from, to: to}
	z.add(from, to)
	if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil && from > f.Body.Lbrace && to <= f.Body.Rbrace {
		f.Body.List = z.statements(f.Body.List)
		return z
	}
	blocks := nestedIn(decl)
	for _, b := range blocks {
		if from > b.open && to <= b.closing {
			*b.list = z.statements(*b.list)
			return z
		}
	}
	z.add(decl.Pos(), decl.End())
	z.whole = true
	return z
}

func (z *zone) add(from, to token.Pos) { z.spans = append(z.spans, [2]token.Pos{from, to}) }

// covers reports whether an error at pos is the candidate's.
func (z *zone) covers(pos token.Pos) bool {
	for _, s := range z.spans {
		if pos >= s[0] && pos <= s[1] {
			return true
		}
	}
	return false
}

func (z *zone) overlaps(n ast.Node) bool {
	if z.from == z.to {
		return n.Pos() <= z.from && z.from <= n.End()
	}
	return n.Pos() < z.to && n.End() > z.from
}

// statements returns list without the zone's statements.
func (z *zone) statements(list []ast.Stmt) []ast.Stmt {
	kept := make([]ast.Stmt, 0, len(list))
	for _, stmt := range list {
		if z.overlaps(stmt) {
			kept = append(kept, z.statement(stmt)...)
		} else {
			kept = append(kept, stmt)
		}
	}
	return kept
}

// statement returns what stays of a statement that the candidate overlaps.
func (z *zone) statement(stmt ast.Stmt) []ast.Stmt {
	if stmt.Pos() >= z.from && stmt.End() <= z.to {
		z.add(stmt.Pos(), stmt.End())
		return nil
	}
	blocks := nestedIn(stmt)
	for _, b := range blocks {
		if z.from > b.open && z.to <= b.closing {
			*b.list = z.statements(*b.list)
			return []ast.Stmt{stmt}
		}
	}
	var kept []ast.Stmt
	at := stmt.Pos()
	for _, b := range blocks {
		z.add(at, b.open)
		at = b.closing
		if b.open < z.to && b.closing > z.from {
			*b.list = z.statements(*b.list)
		}
		// The bodies of function literals are not statements of this function.
		if !b.literal {
			kept = append(kept, &ast.BlockStmt{Lbrace: b.open, List: *b.list, Rbrace: b.closing})
		}
	}
	z.add(at, stmt.End())
	return kept
}

// nestedIn lists the outermost statement lists inside n, in source order. A switch counts by its clauses.
func nestedIn(n ast.Node) []nested {
	var blocks []nested
	literals := map[*ast.BlockStmt]bool{}
	clauses := func(body *ast.BlockStmt) {
		for i, stmt := range body.List {
			closing := body.Rbrace
			if i+1 < len(body.List) {
				closing = body.List[i+1].Pos() - 1
			}
			switch clause := stmt.(type) {
			case *ast.CaseClause:
				blocks = append(blocks, nested{open: clause.Colon, closing: closing, list: &clause.Body})
			case *ast.CommClause:
				blocks = append(blocks, nested{open: clause.Colon, closing: closing, list: &clause.Body})
			}
		}
	}
	ast.Inspect(n, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SwitchStmt:
			inspectAll(node.Init, node.Tag, &blocks)
			clauses(node.Body)
			return false
		case *ast.TypeSwitchStmt:
			inspectAll(node.Init, node.Assign, &blocks)
			clauses(node.Body)
			return false
		case *ast.SelectStmt:
			clauses(node.Body)
			return false
		case *ast.FuncLit:
			literals[node.Body] = true
		case *ast.BlockStmt:
			blocks = append(blocks, nested{open: node.Lbrace, closing: node.Rbrace, list: &node.List, literal: literals[node]})
			return false
		}
		return true
	})
	return blocks
}

// inspectAll adds the statement lists in a switch's header.
func inspectAll(init ast.Stmt, tag ast.Node, blocks *[]nested) {
	if init != nil {
		*blocks = append(*blocks, nestedIn(init)...)
	}
	if expr, ok := tag.(ast.Expr); ok && expr != nil {
		*blocks = append(*blocks, nestedIn(expr)...)
	} else if stmt, ok := tag.(ast.Stmt); ok && stmt != nil {
		*blocks = append(*blocks, nestedIn(stmt)...)
	}
}
