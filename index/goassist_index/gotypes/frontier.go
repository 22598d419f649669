package main

import (
	"go/ast"
	"go/token"
)

// frame is one statement list around the cursor.
type frame struct {
	open, closing token.Pos
	follows       bool // whether a statement stands after the cursor
	ends          bool // whether the statement before the cursor leaves the list (return, break, panic ...)
}

// frontier is the nest of statement lists around the place after a candidate, innermost first. Where nothing
// follows in one of them, the user may go on writing there.
type frontier struct {
	at     token.Pos
	frames []frame
	scopes [][2]token.Pos // extents in which a variable may live
}

// frontierAt finds the lists around at; whole closes the innermost one: its text is all that it is to hold.
func frontierAt(decl ast.Decl, at token.Pos, whole bool) *frontier {
	f := &frontier{at: at}
	ast.Inspect(decl, func(n ast.Node) bool {
		if n == nil {
			return false
		}
		switch n := n.(type) {
		case *ast.BlockStmt, *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.FuncLit, *ast.FuncDecl:
			f.scopes = append(f.scopes, [2]token.Pos{n.Pos(), n.End()})
		case *ast.SwitchStmt:
			f.addClauses(n, n.Body)
		case *ast.TypeSwitchStmt:
			f.addClauses(n, n.Body)
		case *ast.SelectStmt:
			f.addClauses(n, n.Body)
		}
		return true
	})
	f.descend(decl)
	if whole && len(f.frames) > 0 {
		f.frames[0].follows = true
	}
	return f
}

// addClauses adds the scopes of a switch and of its clauses; a clause reaches to the next one.
func (f *frontier) addClauses(n ast.Node, body *ast.BlockStmt) {
	f.scopes = append(f.scopes, [2]token.Pos{n.Pos(), n.End()}, [2]token.Pos{body.Pos(), body.End()})
	for i, clause := range body.List {
		end := body.Rbrace
		if i+1 < len(body.List) {
			end = body.List[i+1].Pos()
		}
		f.scopes = append(f.scopes, [2]token.Pos{clause.Pos(), end})
	}
}

// descend adds the lists around the cursor, outermost last.
func (f *frontier) descend(n ast.Node) {
	for _, b := range nestedIn(n) {
		if f.at <= b.open || f.at > b.closing {
			continue
		}
		fr := frame{open: b.open, closing: b.closing}
		for _, stmt := range *b.list {
			if stmt.Pos() >= f.at {
				fr.follows = true
				break
			}
			fr.ends = leaves(stmt)
			if f.at <= stmt.End() {
				f.descend(stmt)
			}
		}
		f.frames = append(f.frames, fr)
		return
	}
}

// leaves reports whether nothing can run after stmt in its list.
func leaves(stmt ast.Stmt) bool {
	switch stmt := stmt.(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.BranchStmt:
		return stmt.Tok != token.FALLTHROUGH
	case *ast.ExprStmt:
		if call, ok := stmt.X.(*ast.CallExpr); ok {
			name, ok := call.Fun.(*ast.Ident)
			return ok && name.Name == "panic"
		}
	}
	return false
}

// open reports whether the user may still write, within from..to, where the names of the cursor are visible.
func (f *frontier) open(from, to token.Pos) bool {
	for i, fr := range f.frames {
		if fr.open < from || fr.closing > to {
			break
		}
		if !fr.follows && (i > 0 || !fr.ends) {
			return true
		}
	}
	return false
}

// scopeOf is the extent in which something declared at pos lives: the innermost that holds the declaration.
func (f *frontier) scopeOf(pos token.Pos) (from, to token.Pos) {
	for _, s := range f.scopes {
		if s[0] <= pos && pos < s[1] && (to == 0 || s[1]-s[0] < to-from) {
			from, to = s[0], s[1]
		}
	}
	return from, to
}

// bodyEnding returns the frame whose closing brace stands at pos.
func (f *frontier) bodyEnding(pos token.Pos) (frame, bool) {
	for _, fr := range f.frames {
		if fr.closing == pos {
			return fr, true
		}
	}
	return frame{}, false
}
