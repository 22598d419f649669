package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// wantImports fails the test unless v is ok with exactly these imports, each as "path" or "name path".
func wantImports(t *testing.T, v verdict, imports ...string) {
	t.Helper()
	wantStatus(t, v, "ok")
	var got []string
	for _, spec := range v.Imports {
		got = append(got, strings.TrimSpace(spec.Name+" "+spec.Path))
	}
	if strings.Join(got, ", ") != strings.Join(imports, ", ") {
		t.Fatalf("imports %q, want %q", got, imports)
	}
	if len(v.MissingImports) > 0 {
		t.Fatalf("%q are still missing", v.MissingImports)
	}
}

// body is a file of package app whose function f holds the text.
func body(text string) string { return "package app\n\nfunc f() {\n" + text + "\n}\n" }

const app = "-- go.mod --\nmodule example.com/app\n\ngo 1.22\n-- other.go --\npackage app\n"

func TestResolvesTheStandardLibraryByWhatIsUsed(t *testing.T) {
	p := newProject(t, app)
	for _, c := range []struct{ name, body, insert, imports string }{
		{"one package", "\t«»", "_ = strings.ToUpper(\"a\")", "strings"},
		{"two packages", "\t«»", "_ = strings.ToUpper(os.Args[0])", "os, strings"},
		{"by member: the old generator", "\t«»", "_ = rand.Intn(3)", "math/rand"},
		{"by member: the new one", "\t«»", "_ = rand.IntN(3)", "math/rand/v2"},
		{"by member: the cryptographic one", "\t«»", "_, _ = rand.Prime(rand.Reader, 64)", "crypto/rand"},
		{"by type", "\tvar b []byte\n\t_, _ = b, 1\n\t«»", "var s template.HTML = \"a\"\n\t_ = s", "html/template"},
		{"the name was typed before", "\t_ = strings.«»", "ToUpper(\"a\")", "strings"},
		{"unsafe", "\t«»", "_ = unsafe.Sizeof(1)", "unsafe"},
		{"in a closure", "\tgo func() {\n\t\t«»\n\t}()", "time.Sleep(time.Second)", "time"},
		{"many below it", "\t«»", "_, _ = http.Get(\"a\")", "net/http"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantImports(t, p.resolve("f.go", body(c.body), c.insert), strings.Split(c.imports, ", ")...)
		})
	}
}

func TestResolvesDeclarations(t *testing.T) {
	p := newProject(t, app)
	for _, c := range []struct{ name, text, insert, imports string }{
		{"struct field", "package app\n\ntype box struct {\n\t«»\n}\n", "at time.Time", "time"},
		{"package variable", "package app\n\nvar x = «»\n", "errors.New(\"a\")", "errors"},
		{"signature", "package app\n\nfunc f(«») {\n}\n", "ctx context.Context", "context"},
		{"new function", "package app\n\n«»\n", "func g() error {\n\treturn errors.New(\"a\")\n}", "errors"},
		{"literal in a variable", "package app\n\nvar run = func() error {\n\t«»\n}\n", "return errors.New(\"a\")", "errors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantImports(t, p.resolve("f.go", c.text, c.insert), c.imports)
		})
	}
}

func TestWithoutABudgetMissingImportsStayErrors(t *testing.T) {
	p := newProject(t, app)
	v := p.check("f.go", body("\t«»"), "_ = strings.ToUpper(\"a\")")
	wantError(t, v, "undefined: strings")
	if len(v.Imports) > 0 {
		t.Fatalf("imports %v of a verdict that nobody asked to resolve", v.Imports)
	}
}

func TestNoImportCuresAnotherFault(t *testing.T) {
	p := newProject(t, app)
	for _, c := range []struct{ name, insert, message string }{
		{"no such package", "_ = nowhere.Do()", "undefined: nowhere"},
		{"no such member", "_ = strings.ToUper(\"a\")", "undefined: strings"},
		{"a member in lower case", "strings.builder()", "undefined: strings"},
		{"wrong argument", "_ = strings.ToUpper(1)", "cannot use 1"},
		{"another name", "_ = strings.ToUpper(zz)", "undefined: zz"},
		{"one of two names", "_ = strings.ToUpper(nowhere.Do())", "undefined: nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := p.resolve("f.go", body("\t«»"), c.insert)
			wantError(t, v, c.message)
			if len(v.Imports) > 0 || len(v.MissingImports) == 0 {
				t.Fatalf("imports %v, missing %v", v.Imports, v.MissingImports)
			}
		})
	}
}

func TestAnErrorIsSaidWithTheImportsInPlace(t *testing.T) {
	p := newProject(t, app)
	v := p.resolve("f.go", body("\t«»"), "_ = strings.ToUpper(\"a\")\n\t_ = zz")
	wantError(t, v, "undefined: zz")
	if len(v.Errors) != 1 {
		t.Fatalf("%d errors, want the one that no import cures: %+v", len(v.Errors), v.Errors)
	}
}

func TestAmbiguityIsDecidedByTheNeighboursOrNotAtAll(t *testing.T) {
	const insert = "_ = template.New(\"a\")"
	user := func(file, path string) string {
		return "-- " + file + " --\npackage " + strings.Split(file, "/")[0] + "\n\nimport \"" + path + "\"\n\nvar _ = template.New\n"
	}
	undecided := newProject(t, app)
	v := undecided.resolve("f.go", body("\t«»"), insert)
	wantError(t, v, "undefined: template")
	if v.Reason != "ambiguous import: html/template, text/template" {
		t.Fatalf("reason %q", v.Reason)
	}
	sameFile := newProject(t, app+"-- t.go --\npackage app\n\nimport \"html/template\"\n\nvar _ = template.New\n"+
		user("a/a.go", "text/template")+user("b/b.go", "text/template"))
	wantImports(t, sameFile.resolve("f.go", body("\t«»"), insert), "html/template")
	module := newProject(t, app+user("a/a.go", "text/template")+user("b/b.go", "text/template")+user("c/c.go", "html/template"))
	module.surveyed()
	wantImports(t, module.resolve("f.go", body("\t«»"), insert), "text/template")
	even := newProject(t, app+user("a/a.go", "text/template")+user("c/c.go", "html/template"))
	even.surveyed()
	wantError(t, even.resolve("f.go", body("\t«»"), insert), "undefined: template")
}

func TestWhatTheNeighboursImportDoesNotHideWhatFits(t *testing.T) {
	p := newProject(t, app+"-- t.go --\npackage app\n\nimport \"math/rand\"\n\nvar _ = rand.Int\n")
	wantImports(t, p.resolve("f.go", body("\t«»"), "_ = rand.Int()"), "math/rand")
	wantImports(t, p.resolve("f.go", body("\t«»"), "_, _ = rand.Int(rand.Reader, nil)"), "crypto/rand")
	wantImports(t, p.resolve("f.go", body("\t«»"), "var n uint32 = rand.Uint32N(3)\n\t_ = n"), "math/rand/v2")
}

func TestAliasesOfTheNeighboursAreNames(t *testing.T) {
	p := newProject(t, app+"-- t.go --\npackage app\n\nimport (\n\tmetav1 \"example.com/app/meta/v1\"\n\tstr \"strings\"\n)\n\nvar _, _ = metav1.Now, str.ToUpper\n"+
		"-- meta/v1/v1.go --\npackage v1\n\nfunc Now() int { return 1 }\n")
	wantImports(t, p.resolve("f.go", body("\t«»"), "_ = metav1.Now()"), "metav1 example.com/app/meta/v1")
	wantImports(t, p.resolve("f.go", body("\t«»"), "_ = v1.Now()"), "v1 example.com/app/meta/v1")
	wantImports(t, p.resolve("f.go", body("\t«»"), "_ = str.ToLower(\"a\")"), "str strings")
	p.write("u.go", "package app\n\nimport v1 \"example.com/app/meta/v1\"\n\nvar _ = v1.Now\n")
	p.write("v.go", "package app\n\nimport \"example.com/app/meta/v1\"\n\nvar _ = v1.Now\n")
	wantImports(t, p.resolve("f.go", body("\t«»"), "_ = v1.Now()"), "v1 example.com/app/meta/v1")
}

func TestAShadowedNameIsNoImport(t *testing.T) {
	p := newProject(t, app+"-- t_test.go --\npackage app\n\nvar strings = 1\n-- other_plan9.go --\npackage app\n\ntype sort int\n")
	wantError(t, p.resolve("f.go", body("\ttime := 1\n\t_ = time\n\t«»"), "_ = time.Now()"), "time.Now undefined")
	wantError(t, p.resolve("f.go", body("\t«»"), "_ = strings.ToUpper(\"a\")"), "undefined: strings")
	wantError(t, p.resolve("f.go", body("\t«»"), "sort.Ints(nil)"), "undefined: sort")
	text := "package app\n\nfunc f() {\n\t«»\n}\n\ntype bytes struct {\n\ta in t\n"
	if v := p.resolve("f.go", text, "_ = bytes.ToUpper(nil)"); len(v.Imports) > 0 {
		t.Fatalf("imports %v in place of a declaration that is being typed", v.Imports)
	}
}

func TestAnImportThatCannotBeFoundMayBeTheOneThatIsMeant(t *testing.T) {
	p := newProject(t, app)
	text := "package app\n\nimport \"example.org/absent/strings-lib\"\n\nfunc f() {\n\t«»\n}\n"
	wantError(t, p.resolve("f.go", text, "_ = strings.ToUpper(\"a\")"), "undefined: strings")
	wantImports(t, p.resolve("f.go", text, "_ = bytes.ToUpper(nil)"), "bytes")
}

// Each function of this service, put back into a file that lacks one of the imports it uses.
func TestFindsTheImportsOfItsOwnSourceAgain(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(root)
	files, _ := filepath.Glob(filepath.Join(root, "*.go"))
	asked := 0
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, data, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for i, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || i%4 != 0 {
				continue
			}
			from, to := fset.Position(fn.Body.Lbrace).Offset+1, fset.Position(fn.Body.Rbrace).Offset
			for _, spec := range file.Imports {
				want := importPath(spec)
				if !mentions(data[from:to], assumedName(want)) {
					continue
				}
				text := bytes.Clone(data)
				blank(text[fset.Position(spec.Pos()).Offset:fset.Position(spec.End()).Offset])
				s.sources.setOverlay(path, slices.Concat(text[:from], text[to:]))
				s.changed(path)
				q := question{from: from, to: from, inserts: []string{string(data[from:to])}, importBudget: time.Minute}
				got, err := s.check(path, q, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				if got[0].Status == "ok" && len(got[0].Imports) == 0 {
					continue // it is a variable's name here
				}
				t.Logf("%s: %s: %q", filepath.Base(path), fn.Name.Name, want)
				wantImports(t, got[0], want)
				asked++
				break
			}
			s.sources.dropOverlay(path)
			s.changed(path)
		}
	}
	if asked < 40 {
		t.Fatalf("only %d functions were asked about", asked)
	}
}

func TestPackagesOfTheWorkspace(t *testing.T) {
	p := newProject(t, app+`-- store/store.go --
package store

func Open() int { return 1 }
-- go-kit/kit.go --
package kit

func Use() {}
-- odd/name.go --
package differs

func Do() {}
-- internal/deep/deep.go --
package deep

func Dig() {}
-- lib/internal/own/own.go --
package own

func Get() {}
-- back/back.go --
package back

import "example.com/app"

func Go() { app.F() }
-- cmd/tool/tool.go --
package main

func Run() {}
-- only/only_test.go --
package only

func Test() {}
-- testdata/data/data.go --
package data

func Read() {}
`)
	p.surveyed()
	for _, c := range []struct{ insert, imports string }{
		{"_ = store.Open()", "example.com/app/store"},
		{"kit.Use()", "example.com/app/go-kit"},
		{"differs.Do()", "differs example.com/app/odd"},
		{"deep.Dig()", "example.com/app/internal/deep"},
	} {
		wantImports(t, p.resolve("f.go", body("\t«»"), c.insert), c.imports)
	}
	for name, insert := range map[string]string{
		"internal to another": "own.Get()", "imports this one": "back.Go()", "a program": "tool.Run()",
		"main": "main.Run()", "tests only": "only.Test()", "test data": "data.Read()",
	} {
		if v := p.resolve("f.go", body("\t«»"), insert); v.Status != "error" || len(v.Imports) > 0 {
			t.Errorf("%s: %s with %v", name, v.Status, v.Imports)
		}
	}
	inner := "package lib\n\nfunc f() {\n\t«»\n}\n"
	wantImports(t, p.resolve("lib/lib.go", inner, "own.Get()"), "example.com/app/lib/internal/own")
	p.write("fresh/fresh.go", "package fresh\n\nfunc New() {}\n")
	for _, target := range p.session.targets {
		for _, ms := range target.universe.modules {
			ms.mains[0].walked = time.Time{}
		}
	}
	wantImports(t, p.resolve("f.go", body("\t«»"), "fresh.New()"), "example.com/app/fresh")
}

func TestTestsMayImportWhatTheyTest(t *testing.T) {
	p := newProject(t, twoPackages)
	text := "package lib_test\n\nimport \"testing\"\n\nfunc TestMake(t *testing.T) {\n\t«»\n}\n"
	wantImports(t, p.resolve("lib/new_test.go", text, "a, _ := lib.MakeTwo()\n\t_ = mid.Wrap(a)"), "example.com/two/lib", "example.com/two/mid")
	inner := "package lib\n\nimport \"testing\"\n\nfunc TestMake(t *testing.T) {\n\t«»\n}\n"
	wantError(t, p.resolve("lib/in_test.go", inner, "_ = mid.Wrap(nil)"), "undefined: mid")
}

func TestAFreshWorkspacePackageIsSeenWithItsBuffer(t *testing.T) {
	p := newProject(t, app+"-- store/store.go --\npackage store\n")
	wantError(t, p.resolve("f.go", body("\t«»"), "store.Open()"), "undefined: store")
	p.overlay("store/store.go", "package store\n\nfunc Open() {}\n")
	wantImports(t, p.resolve("f.go", body("\t«»"), "store.Open()"), "example.com/app/store")
	p.overlay("store/store.go", "package store\n\nfunc Open(name string) {}\n")
	wantError(t, p.resolve("f.go", body("\t«»"), "store.Open()"), "not enough arguments")
}

func TestTooLittleTimeLeavesAnError(t *testing.T) {
	p := newProject(t, app)
	question := question{inserts: []string{"_ = strings.ToUpper(\"a\")"}, importBudget: time.Nanosecond}
	wantError(t, p.ask("f.go", body("\t«»"), question), "undefined: strings")
	wantImports(t, p.resolve("f.go", body("\t«»"), question.inserts[0]), "strings")
}

func TestSeveralCandidatesGetTheirOwnImports(t *testing.T) {
	p := newProject(t, app)
	p.overlay("f.go", body("\t"))
	at := strings.Index(body("\t"), "{\n\t") + 3
	q := question{from: at, to: at, inserts: []string{"os.Exit(1)", "println()", "strings.Clon(\"a\")"}, importBudget: time.Minute}
	got, err := p.session.check(p.path("f.go"), q, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, v := range got {
		said = append(said, fmt.Sprint(v.Status, v.Imports))
	}
	if strings.Join(said, " ") != "ok[{ os}] ok[] error[]" {
		t.Fatalf("got %s", said)
	}
}
