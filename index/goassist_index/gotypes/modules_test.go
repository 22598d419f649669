package main

import (
	"slices"
	"testing"
)

// cached makes a project whose module cache holds the archive's files below "cache/".
func cached(t *testing.T, archive string) *project {
	t.Helper()
	p := newProject(t, archive)
	t.Setenv("GOMODCACHE", p.path("cache"))
	return p
}

const required = `-- app/go.mod --
module example.com/app

go 1.22

require (
	example.com/Dep v1.2.0
	gopkg.in/yaml.v3 v3.0.1
	example.com/unsummed v1.0.0
	example.com/absent v1.0.0
)

require (
	example.com/far v1.0.0 // indirect
	example.com/forked v1.0.0 // indirect
)

replace example.com/forked => example.com/fork v1.5.0
-- app/go.sum --
example.com/Dep v1.2.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
example.com/Dep v1.2.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
gopkg.in/yaml.v3 v3.0.1 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
example.com/absent v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
example.com/far v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
example.com/fork v1.5.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
example.com/unsummed v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
-- app/app.go --
package app
-- cache/example.com/!dep@v1.2.0/go.mod --
module example.com/Dep

go 1.20
-- cache/example.com/!dep@v1.2.0/dep.go --
package dep

import "example.com/far/low"

func Do() low.Depth { return 1 }
-- cache/example.com/!dep@v1.2.0/pick/pick.go --
package pick

func One() {}
-- cache/example.com/!dep@v1.2.0/internal/hidden/hidden.go --
package hidden

func See() {}
-- cache/example.com/!dep@v1.2.0/lost/lost.go --
package lost

import "example.com/nobody/requires/this"

func Find() { this.Is() }
-- cache/example.com/!dep@v1.2.0/testdata/td/td.go --
package td

func See() {}
-- cache/gopkg.in/yaml.v3@v3.0.1/yaml.go --
package yaml

func Marshal(v any) ([]byte, error) { return nil, nil }
-- cache/example.com/unsummed@v1.0.0/unsummed.go --
package unsummed

func Do() {}
-- cache/example.com/far@v1.0.0/far.go --
package far

func Go() {}
-- cache/example.com/far@v1.0.0/low/low.go --
package low

type Depth int
-- cache/example.com/far@v1.0.0/pick/pick.go --
package pick

func One() {}

func Two() {}
-- cache/example.com/fork@v1.5.0/forked.go --
package forked

func Bend() {}
-- cache/example.com/unrequired@v1.0.0/unrequired.go --
package unrequired

func Do() {}
`

func TestPackagesOfRequiredModules(t *testing.T) {
	p := cached(t, required)
	for _, c := range []struct{ insert, imports string }{
		{"_ = dep.Do() + 1", "dep example.com/Dep"},
		{"_, _ = yaml.Marshal(1)", "gopkg.in/yaml.v3"},
		{"far.Go()", "example.com/far"},
		{"forked.Bend()", "example.com/forked"},
		{"pick.One()", "example.com/Dep/pick"},
		{"pick.Two()", "example.com/far/pick"},
	} {
		wantImports(t, p.resolve("app/f.go", body("\t«»"), c.insert), c.imports)
	}
	wantError(t, p.resolve("app/f.go", body("\t«»"), "_ = dep.Do() + \"a\""), "mismatched types")
	for name, insert := range map[string]string{
		"go.sum does not vouch for it": "unsummed.Do()", "not downloaded": "absent.Do()", "not required": "unrequired.Do()",
		"internal": "hidden.See()", "something below it is not required": "lost.Find()", "test data": "td.See()",
	} {
		if v := p.resolve("app/f.go", body("\t«»"), insert); v.Status != "error" || len(v.Imports) > 0 {
			t.Errorf("%s: %s with %v", name, v.Status, v.Imports)
		}
	}
}

func TestReplacedModulesAreReadWhereTheyLie(t *testing.T) {
	p := newProject(t, `-- app/go.mod --
module example.com/app

go 1.22

require example.com/dep v1.0.0

replace example.com/dep v1.0.0 => ../dep
-- app/app.go --
package app
-- dep/go.mod --
module example.com/dep
-- dep/sub/sub.go --
package sub

func Do() {}
-- dep/nested/go.mod --
module example.com/dep/nested
-- dep/nested/nested.go --
package nested

func Do() {}
`)
	wantImports(t, p.resolve("app/f.go", body("\t«»"), "sub.Do()"), "example.com/dep/sub")
	wantError(t, p.resolve("app/f.go", body("\t«»"), "nested.Do()"), "undefined: nested")
}

func TestVendoredPackagesAreThoseThatAreListed(t *testing.T) {
	p := newProject(t, `-- go.mod --
module example.com/app

go 1.22

require example.com/dep v1.0.0
-- vendor/modules.txt --
# example.com/dep v1.0.0
## explicit; go 1.20
example.com/dep/sub
-- vendor/example.com/dep/sub/sub.go --
package sub

func Do() {}
-- vendor/example.com/dep/stray/stray.go --
package stray

func Do() {}
-- app.go --
package app
`)
	wantImports(t, p.resolve("f.go", body("\t«»"), "sub.Do()"), "example.com/dep/sub")
	wantError(t, p.resolve("f.go", body("\t«»"), "stray.Do()"), "undefined: stray")
}

func TestModulesOfAWorkspaceFile(t *testing.T) {
	const files = `-- a/go.mod --
module example.com/a

go 1.22
-- a/a.go --
package a

func A() int { return 1 }
-- b/go.mod --
module example.com/b

go 1.22
-- b/b.go --
package b
`
	text := "package b\n\nfunc f() {\n\t«»\n}\n"
	joined := newProject(t, files+"-- go.work --\ngo 1.22\n\nuse (\n\t./a\n\t./b\n)\n")
	wantImports(t, joined.resolve("b/f.go", text, "_ = a.A()"), "example.com/a")
	broken := newProject(t, files+"-- go.work --\ngo 1.22\n\nuse (\n\t./a\n\t./b\n\t./gone\n)\n")
	wantError(t, broken.resolve("b/f.go", text, "_ = a.A()"), "undefined: a")
	alone := newProject(t, files)
	wantError(t, alone.resolve("b/f.go", text, "_ = a.A()"), "undefined: a")
}

func TestWithoutAModuleTheStandardLibraryIsThere(t *testing.T) {
	p := newProject(t, "-- main.go --\npackage main\n")
	text := "package main\n\nfunc main() {\n\t«»\n}\n"
	wantImports(t, p.resolve("f.go", text, "_ = strings.ToUpper(\"a\")"), "strings")
}

func TestChangedModuleFilesCount(t *testing.T) {
	p := newProject(t, "-- go.mod --\nmodule example.com/app\n\ngo 1.22\n-- dep/go.mod --\nmodule example.com/dep\n-- dep/dep.go --\npackage dep\n\nfunc Do() {}\n")
	wantError(t, p.resolve("f.go", body("\t«»"), "dep.Do()"), "undefined: dep")
	p.write("go.mod", "module example.com/app\n\ngo 1.22\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n")
	for dir, stamp := range p.session.stamps {
		stamp.looked = stamp.looked.Add(-2 * lookInterval)
		p.session.stamps[dir] = stamp
	}
	wantImports(t, p.resolve("f.go", body("\t«»"), "dep.Do()"), "example.com/dep")
}

func TestReadsModuleFiles(t *testing.T) {
	p := newProject(t, `-- go.mod --
module "example.com/app" // ours

go 1.22.1

require example.com/one v1.0.0 // indirect; for now
require (
	example.com/two v2.0.0+incompatible
	example.com/three v0.0.0-20200101000000-abcdefabcdef // indirect
	broken
)
replace (
	example.com/one => ./one
	example.com/two v2.0.0+incompatible => example.com/other v2.1.0
)
exclude example.com/two v1.0.0
`)
	f := readModFile(p.path("go.mod"))
	if f.module != "example.com/app" || f.goVersion != "1.22.1" {
		t.Fatalf("module %s, go %s", f.module, f.goVersion)
	}
	want := []requirement{
		{"example.com/one", "v1.0.0", false},
		{"example.com/two", "v2.0.0+incompatible", true},
		{"example.com/three", "v0.0.0-20200101000000-abcdefabcdef", false},
	}
	if !slices.Equal(f.requires, want) {
		t.Fatalf("requires %+v", f.requires)
	}
	if r, ok := f.replacement("example.com/one", "v9.9.9"); !ok || r.path != p.path("one") || r.version != "" {
		t.Fatalf("one is replaced by %+v", r)
	}
	if r, ok := f.replacement("example.com/two", "v2.0.0+incompatible"); !ok || r.path != "example.com/other" || r.version != "v2.1.0" {
		t.Fatalf("two is replaced by %+v", r)
	}
	if _, ok := f.replacement("example.com/two", "v3.0.0"); ok {
		t.Fatal("another version is replaced")
	}
	if readModFile(p.path("none.mod")) != nil {
		t.Fatal("a file that is not there was read")
	}
}

func TestNamesOfPathsAreThoseThatGoimportsAssumes(t *testing.T) {
	for path, name := range map[string]string{
		"strings": "strings", "math/rand/v2": "rand", "gopkg.in/yaml.v3": "yaml", "example.com/go-kit": "kit",
		"example.com/a-b": "a", "example.com/lib.go": "lib", "k8s.io/api/core/v1": "core", "v2": "v2",
	} {
		if got := assumedName(path); got != name {
			t.Errorf("%s is taken to be called %s, want %s", path, got, name)
		}
	}
	for _, c := range []struct {
		importer, path string
		may            bool
	}{
		{"example.com/a", "example.com/a/internal/b", true},
		{"example.com/a/c", "example.com/a/internal/b", true},
		{"example.com/a_test", "example.com/a/internal", true},
		{"example.com/ab", "example.com/a/internal/b", false},
		{"example.com/a", "internal/abi", false},
		{"example.com/a/internal/b", "example.com/a/internal/b/internal/c", true},
		{"example.com/a", "example.com/a/internal/b/internal/c", false},
		{"example.com/a", "vendor/golang.org/x/net", false},
		{"example.com/a", "cmd/go", false},
		{"example.com/a", "example.com/internals", true},
	} {
		if mayImport(c.importer, c.path) != c.may {
			t.Errorf("%s may import %s: %v, want %v", c.importer, c.path, !c.may, c.may)
		}
	}
}
