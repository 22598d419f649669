package main

import (
	"strings"
	"testing"
)

const shop = `-- go.mod --
module example.com/shop

go 1.22
-- shop.go --
package shop

import (
	"errors"
	"fmt"
)

type Item struct {
	Name  string
	price int
}

func (i *Item) Price() int { return i.price }

type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(v T) { s.items = append(s.items, v) }

func find(items []*Item, name string) (*Item, error) {
	for _, it := range items {
		if it.Name == name {
			return it, nil
		}
	}
	return nil, errors.New("no " + name)
}

func Max[T int | float64](a, b T) T {
	if a > b {
		return a
	}
	return b
}

func show(i *Item) { fmt.Println(i.Name, i.price) }
`

// inFunc wraps lines in a file of the shop package.
func inFunc(header, body string) string {
	return "package shop\n\nimport \"fmt\"\n\nvar _ = fmt.Sprint\n\n" + header + " {\n" + body + "\n}\n"
}

func TestBlamesTheFaultsThatAModelMakes(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct{ name, header, body, insert, message string }{
		{"unknown name", "func f()", "\t«»", "fmt.Println(zz)", "undefined: zz"},
		{"wrong member", "func f(i *Item)", "\t«»", "i.Cost()", "i.Cost undefined"},
		{"too few arguments", "func f()", "\t_, _ = find(«»)", "nil", "not enough arguments"},
		{"too many arguments", "func f(i *Item)", "\t_ = i.Price(«»)", "1", "too many arguments"},
		{"argument type", "func f()", "\t_, _ = find(nil, «»)", "3", "cannot use 3"},
		{"missing result", "func f() (int, error)", "\t«»", "return 1", "not enough return values"},
		{"assignment mismatch", "func f()", "\t«»", "a := find(nil, \"\")", "assignment mismatch"},
		{"mismatch with names before the hole", "func f()", "\ta, b, c := «»", "find(nil, \"\")", "assignment mismatch"},
		{"unclosed parenthesis", "func f()", "\t«»", "fmt.Println((1)", "syntax error"},
		{"unclosed block", "func f()", "\t«»", "if true {", "syntax error"},
		{"spare parenthesis", "func f()", "\tfmt.Println(«»)", "1)", "syntax error"},
		{"spare brace in the middle", "func f()", "\t«»\n\tfmt.Println()", "}", "syntax error"},
		{"unused value", "func f(i *Item)", "\t«»", "i.Price", "is not used"},
		{"type of a later use", "func f()", "\tx := «»\n\tx.Price()", "1", "x.Price undefined"},
		{"unused label", "func f()", "\t«»", "again:\n\tfmt.Println()", "label again"},
		{"type argument", "func f()", "\t_ = Max(«»)", "\"a\", \"b\"", "string does not satisfy"},
		{"generic method", "func f(s *Stack[int])", "\ts.Push(«»)", "\"a\"", "cannot use \"a\""},
		{"new member of a new local type", "func f()", "\ttype pair struct{ a int }\n\tvar p pair\n\t_ = p.«»", "b", "p.b undefined"},
		{"redeclaration", "func f(i *Item)", "\ta := 1\n\t«»\n\t_ = a", "a := 2", "no new variables"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantError(t, p.check("f.go", inFunc(c.header, c.body), c.insert), c.message)
		})
	}
}

func TestAcceptsWhatCompiles(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct{ name, header, body, insert string }{
		{"statement", "func f(i *Item)", "\t«»", "fmt.Println(i.price)"},
		{"expression", "func f()", "\t_, _ = find(«»)", "nil, \"a\""},
		{"rest of a line", "func f()", "\tif x, err := «»\n\t\tfmt.Println(x)\n\t}", "find(nil, \"\"); err == nil {"},
		{"method", "func (i *Item) f()", "\t«»", "i.price++\n\tshow(i)"},
		{"generic method", "func (s *Stack[K]) f(v K)", "\t«»", "s.Push(v)\n\ts.items = s.items[:0]"},
		{"generic function", "func f[T any](v T)", "\t«»", "s := &Stack[T]{}\n\ts.Push(v)"},
		{"recursion", "func f(n int) int", "\treturn «»", "f(n-1)"},
		{"unkeyed literal with unexported fields", "func f()", "\t«»", "_ = Item{\"a\", 1}"},
		{"opens the block that the text closes", "func f(n int)", "\tif n > «»\n\t\tfmt.Println()\n\t}", "0 {"},
		{"continues a name", "func f(i *Item)", "\tfmt.Pri«»", "ntln(i)"},
		{"multi-line call", "func f()", "\tfmt.Println(\n\t\t«»\n\t)", "1,\n\t\t2,"},
		{"case clause", "func f(n int)", "\tswitch n {\n\t«»\n\t}", "case 1:\n\t\tfmt.Println(n)"},
		{"closure", "func f()", "\tg := func() int {\n\t\t«»\n\t}\n\tg()", "return 1"},
		{"goto and label", "func f()", "\t«»", "again:\n\tgoto again"},
		{"nothing", "func f()", "\t«»", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantStatus(t, p.check("f.go", inFunc(c.header, c.body), c.insert), "ok")
		})
	}
}

func TestErrorPlacesAreThoseOfTheFileWithTheCandidate(t *testing.T) {
	p := newProject(t, shop)
	v := p.check("f.go", "package shop\n\nfunc f() {\n\t«»\n}\n", "a := 1\n\t_ = a + zz")
	wantError(t, v, "undefined: zz")
	if e := v.Errors[0]; e.Line != 5 || e.Col != 10 || e.InsertOffset == nil || *e.InsertOffset != 16 {
		t.Fatalf("got %+v at insert offset %v, want line 5, column 10, offset 16", e, e.InsertOffset)
	}
}

func TestErrorsThatStoodBeforeAreNotBlamed(t *testing.T) {
	p := newProject(t, shop)
	v := p.check("f.go", inFunc("func f(i *Item)", "\ti.nothing()\n\t«»\n\tfmt.Println(later)"), "show(i)")
	wantStatus(t, v, "ok")
	wantUnfinished(t, v, "other", false)
	wantUnfinished(t, v, "undefined_after", true)
}

func TestNamesMissingImports(t *testing.T) {
	p := newProject(t, shop)
	v := p.check("f.go", inFunc("func f()", "\t«»"), "_ = strings.ToUpper(os.Args[0])")
	wantError(t, v, "undefined: strings")
	if got := strings.Join(v.MissingImports, " "); got != "os strings" {
		t.Fatalf("missing imports %q, want os and strings", got)
	}
}

func TestToleratesSyntaxErrorsElsewhere(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct{ name, text string }{
		{"another function unclosed", "package shop\n\nfunc g() {\n\tif true {\n\nfunc f(i *Item) {\n\t«»\n}\n"},
		{"another function closed twice", "package shop\n\nfunc g() {\n\t}\n}\n}\n\nfunc f(i *Item) {\n\t«»\n}\n"},
		{"a type being typed", "package shop\n\ntype broken struct {\n\ta in t t\n}\n\nfunc f(i *Item) {\n\t«»\n}\n"},
		{"a signature being typed", "package shop\n\nfunc g(a int, \n\nfunc f(i *Item) {\n\t«»\n}\n"},
		{"a broken line above", "package shop\n\nfunc f(i *Item) {\n\tx := := 3\n\t«»\n}\n"},
		{"a broken line below", "package shop\n\nfunc f(i *Item) {\n\t«»\n\tfor for {\n\t}\n}\n"},
		{"an unclosed call below", "package shop\n\nfunc f(i *Item) {\n\t«»\n\tshow(i\n\tshow(i)\n}\n"},
		{"the last function is not closed", "package shop\n\nfunc f(i *Item) {\n\t«»\n"},
		{"nor is a block in it", "package shop\n\nfunc f(i *Item) {\n\tif i != nil {\n\t\t«»\n\nfunc g() {}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantStatus(t, p.check("f.go", c.text, "show(i)"), "ok")
			wantError(t, p.check("f.go", c.text, "show(zz)"), "undefined: zz")
			wantStatus(t, p.check("f.go", c.text, "show(i"), "error")
		})
	}
}

func TestNamesOfBrokenDeclarationsAreNotBlamed(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nfunc helper(a int, b {\n}\n\nfunc f(i *Item) {\n\t«»\n}\n"
	wantStatus(t, p.check("f.go", text, "helper(1)"), "ok")
	wantError(t, p.check("f.go", text, "helpless(1)"), "undefined: helpless")
}

func TestUnusedVariableIsFinalWhenNothingMayFollow(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct {
		name, body, insert string
		final              bool
	}{
		{"last in the body", "\t«»", "x := 1", false},
		{"before other statements", "\t«»\n\tfmt.Println()", "x := 1", true},
		{"last in its block", "\tif true {\n\t\t«»\n\t}\n\tfmt.Println()", "x := 1", false},
		{"before a return", "\t«»", "x := 1\n\treturn", true},
		{"in a block of the candidate", "\t«»", "if true {\n\t\tx := 1\n\t}", true},
		{"declared in an if header", "\t«»", "if x := 1; true {\n\t}", true},
		{"in a case clause", "\tswitch {\n\tcase true:\n\t\t«»\n\tdefault:\n\t}\n\tfmt.Println()", "x := 1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := p.check("f.go", inFunc("func f()", c.body), c.insert)
			wantStatus(t, v, "ok")
			wantUnfinished(t, v, "unused_variable", c.final)
		})
	}
}

func TestMissingReturnIsFinalWhenTextFollows(t *testing.T) {
	p := newProject(t, shop)
	v := p.check("f.go", inFunc("func f() int", "\t«»"), "fmt.Println()")
	wantStatus(t, v, "ok")
	wantUnfinished(t, v, "missing_return", false)
	v = p.check("f.go", inFunc("func f() int", "\t«»\n\tfmt.Println()"), "fmt.Println()")
	wantUnfinished(t, v, "missing_return", true)
	v = p.check("f.go", inFunc("func f() int", "\tif true {\n\t\t«»\n\t}"), "return 1")
	wantUnfinished(t, v, "missing_return", false)
}

func TestUnusedImportCountsTheWholeFile(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nimport \"os\"\n\nfunc f() {\n\t«»\n}\n"
	v := p.check("f.go", text, "_ = 1")
	wantStatus(t, v, "ok")
	wantUnfinished(t, v, "unused_import", false)
	v = p.check("f.go", text, "return")
	wantUnfinished(t, v, "unused_import", true)
	for _, use := range []string{"func g() { _ = os.Args }", "func g(a ...os.Signal) {}"} {
		if v := p.check("f.go", text+"\n"+use+"\n", "_ = 1"); len(v.Unfinished) > 0 {
			t.Errorf("%s: %+v", use, v.Unfinished)
		}
	}
}

func TestDeclarationsAreCheckedWithTheWholePackage(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct{ name, text, good, bad, message string }{
		{"struct field", "package shop\n\ntype box struct {\n\t«»\n}\n", "item *Item", "item *Itme", "undefined: Itme"},
		{"package variable", "package shop\n\nvar x = «»\n", "Max(1, 2)", "Max(1, \"a\")", "mismatched types"},
		{"typed variable", "package shop\n\nvar x int = «»\n", "len(\"a\")", "\"a\"", "cannot use"},
		{"constant", "package shop\n\nconst x = «»\n", "1 << 3", "len(zz)", "undefined: zz"},
		{"signature", "package shop\n\nfunc f(«») {\n\tshow(i)\n}\n", "i *Item", "i int", "cannot use i"},
		{"import", "package shop\n\nimport (\n\t«»\n)\n\nfunc f() { _ = os.Args }\n", "\"os\"", "\"os\" \"fmt\"", "syntax error"},
		{"new function", "package shop\n\n«»\n", "func g(i *Item) int {\n\treturn i.price\n}", "func g(i *Item) int {\n\treturn i.cost\n}", "i.cost undefined"},
		{"method set", "package shop\n\n«»\n\nvar _ fmt2 = (*Item)(nil)\n\ntype fmt2 interface{ Weight() int }\n", "func (i *Item) Weight() int { return 1 }", "func (i *Item) Weight() string { return \"\" }", "cannot use"},
		{"redeclared function", "package shop\n\n«»\n", "func g2() {}", "func show() {}", "redeclared"},
		{"literal in a variable", "package shop\n\nvar run = func(i *Item) int {\n\t«»\n}\n", "return i.price", "return i.Name", "cannot use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantStatus(t, p.check("f.go", c.text, c.good), "ok")
			wantError(t, p.check("f.go", c.text, c.bad), c.message)
		})
	}
}

func TestDeclarationsTolerateBrokenOnesElsewhere(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nimport (\n\t\"fm\n)\n\nfunc g( {\n}\n\nvar x int = «»\n"
	wantStatus(t, p.check("f.go", text, "len(\"a\")"), "ok")
	wantError(t, p.check("f.go", text, "\"a\""), "cannot use")
}

func TestOneBrokenImportDoesNotTakeTheOthersWithIt(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nimport (\n\t\"fmt\"\n\t\"os\n)\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, p.check("f.go", text, "fmt.Println()"), "ok")
	wantError(t, p.check("f.go", text, "fmt.Printn()"), "undefined: fmt.Printn")
}

func TestALineThatLostItsBraceIsMended(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nfunc f(i *Item) {\n\tif i ==\n\t\tshow(i)\n\t}\n\t«»\n}\n"
	wantStatus(t, p.check("f.go", text, "show(i)"), "ok")
	wantError(t, p.check("f.go", text, "show(zz)"), "undefined: zz")
}

func TestSeveralCandidatesGetAVerdictEach(t *testing.T) {
	p := newProject(t, shop)
	p.overlay("f.go", inFunc("func f(i *Item)", "\t"))
	at := strings.Index(inFunc("func f(i *Item)", "\t"), "{\n\t") + 3
	got, err := p.session.check(p.path("f.go"), question{from: at, to: at, inserts: []string{"show(i)", "show(1)", "show("}}, 0)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %d verdicts", err, len(got))
	}
	for i, want := range []string{"ok", "error", "error"} {
		wantStatus(t, got[i], want)
	}
}
