package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

const twoPackages = `-- go.mod --
module example.com/two

go 1.22
-- lib/lib.go --
package lib

type Thing struct{ Size int }

func Make() *Thing { return &Thing{} }
-- lib/export_test.go --
package lib

func MakeTwo() (*Thing, *Thing) { return Make(), Make() }
-- mid/mid.go --
package mid

import "example.com/two/lib"

func Wrap(t *lib.Thing) *lib.Thing { return t }
-- lib/lib_test.go --
package lib_test

import (
	"testing"

	"example.com/two/lib"
	"example.com/two/mid"
)

func TestMake(t *testing.T) {
	_ = lib.Make()
	_ = mid.Wrap(nil)
}
-- lib/inner_test.go --
package lib

import "testing"

func TestInner(t *testing.T) { MakeTwo() }
`

func TestUnsavedBuffersOfOtherPackagesCount(t *testing.T) {
	p := newProject(t, twoPackages)
	user := "package mid\n\nimport \"example.com/two/lib\"\n\nfunc f() {\n\t«»\n}\n\nvar _ = lib.Make\n"
	wantError(t, p.check("mid/user.go", user, "lib.Make().Color()"), "Color undefined")
	p.overlay("lib/lib.go", unpack(twoPackages)["lib/lib.go"]+"\nfunc (t *Thing) Color() {}\n")
	wantStatus(t, p.check("mid/user.go", user, "lib.Make().Color()"), "ok")
	p.session.sources.dropOverlay(p.path("lib/lib.go"))
	p.session.changed(p.path("lib/lib.go"))
	wantError(t, p.check("mid/user.go", user, "lib.Make().Color()"), "Color undefined")
}

func TestUnsavedBuffersOfTheSamePackageCount(t *testing.T) {
	p := newProject(t, twoPackages)
	user := "package lib\n\nfunc f() {\n\t«»\n}\n"
	wantError(t, p.check("lib/user.go", user, "fresh()"), "undefined: fresh")
	p.overlay("lib/other.go", "package lib\n\nfunc fresh() {}\n")
	wantStatus(t, p.check("lib/user.go", user, "fresh()"), "ok")
}

func TestChangesOnDiskAreSeen(t *testing.T) {
	p := newProject(t, twoPackages)
	user := "package mid\n\nimport \"example.com/two/lib\"\n\nfunc f() {\n\t«»\n}\n\nvar _ = lib.Make\n"
	wantError(t, p.check("mid/user.go", user, "lib.New()"), "undefined: lib.New")
	p.write("lib/new.go", "package lib\n\nfunc New() {}\n")
	p.write("lib/lib.go", unpack(twoPackages)["lib/lib.go"]+"\nfunc (t *Thing) Color() {}\n")
	for _, target := range p.session.targets {
		target.universe.rechecked = target.universe.rechecked.Add(-time.Minute)
	}
	wantStatus(t, p.check("mid/user.go", user, "lib.Make().Color()"), "ok")
	wantStatus(t, p.check("mid/user.go", user, "lib.New()"), "ok")
}

func TestTestPackages(t *testing.T) {
	p := newProject(t, twoPackages)
	inner := "package lib\n\nimport \"testing\"\n\nfunc TestInner(t *testing.T) {\n\t«»\n}\n"
	wantStatus(t, p.check("lib/inner_test.go", inner, "a, b := MakeTwo()\n\t_, _ = a, b"), "ok")
	wantError(t, p.check("lib/inner_test.go", inner, "a := MakeTwo()"), "assignment mismatch")
	outer := strings.Replace(unpack(twoPackages)["lib/lib_test.go"], "_ = lib.Make()", "«»", 1)
	wantStatus(t, p.check("lib/lib_test.go", outer, "a, _ := lib.MakeTwo()\n\t_ = mid.Wrap(a)"), "ok")
	wantError(t, p.check("lib/lib_test.go", outer, "_ = lib.MakeThree()"), "undefined: lib.MakeThree")
	plain := "package lib\n\nfunc f() {\n\t«»\n}\n"
	wantError(t, p.check("lib/user.go", plain, "MakeTwo()"), "undefined: MakeTwo")
}

func TestReplacedAndVendoredModules(t *testing.T) {
	replaced := newProject(t, `-- go.mod --
module example.com/app

go 1.22

require example.com/dep v1.0.0

replace example.com/dep => ./dep
-- dep/go.mod --
module example.com/dep
-- dep/dep.go --
package dep

func Do(n int) {}
`)
	text := "package app\n\nimport \"example.com/dep\"\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, replaced.check("app.go", text, "dep.Do(1)"), "ok")
	wantError(t, replaced.check("app.go", text, "dep.Do()"), "not enough arguments")
	vendored := newProject(t, `-- go.mod --
module example.com/app

go 1.22

require example.com/dep v1.0.0
-- vendor/modules.txt --
# example.com/dep v1.0.0
## explicit
example.com/dep
-- vendor/example.com/dep/dep.go --
package dep

func Do(n int) {}
-- app.go --
package app

import "example.com/dep"

var _ = dep.Do
`)
	wantStatus(t, vendored.check("app.go", text, "dep.Do(1)"), "ok")
	wantError(t, vendored.check("app.go", text, "dep.Do()"), "not enough arguments")
}

func TestWorkspaceFileThatNamesMissingModules(t *testing.T) {
	p := newProject(t, twoPackages+"-- go.work --\ngo 1.22\n\nuse (\n\t.\n\t./gone\n)\n")
	user := "package mid\n\nimport \"example.com/two/lib\"\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, p.check("mid/user.go", user, "_ = lib.Make().Size"), "ok")
	wantError(t, p.check("mid/user.go", user, "_ = lib.Make().Weight"), "Weight undefined")
}

func TestWorkspaceFileJoinsModules(t *testing.T) {
	p := newProject(t, `-- go.work --
go 1.22

use (
	./a
	./b
)
-- a/go.mod --
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
`)
	text := "package b\n\nimport \"example.com/a\"\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, p.check("b/b.go", text, "_ = a.A() + 1"), "ok")
	wantError(t, p.check("b/b.go", text, "_ = a.A() + \"\""), "mismatched types")
}

func TestUnresolvedImportsAreNotBlamed(t *testing.T) {
	p := newProject(t, "-- go.mod --\nmodule example.com/app\n\ngo 1.22\n")
	text := "package app\n\nimport (\n\t\"fmt\"\n\n\t\"example.org/absent/yaml.v3\"\n)\n\nfunc f() {\n\t«»\n}\n\nvar _ = fmt.Sprint\n"
	wantStatus(t, p.check("app.go", text, "fmt.Println(yaml.Marshal(1))"), "ok")
	wantError(t, p.check("app.go", text, "fmt.Printn(yaml.Marshal(1))"), "undefined: fmt.Printn")
}

func TestBrokenModuleFileLeavesTheStandardLibrary(t *testing.T) {
	p := newProject(t, "-- go.mod --\nmodule example.com/app\n\nrequire (((\n")
	text := "package app\n\nimport \"fmt\"\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, p.check("app.go", text, "fmt.Println(1)"), "ok")
	wantError(t, p.check("app.go", text, "fmt.Printn(1)"), "undefined: fmt.Printn")
}

func TestFilesOutsideAnyModule(t *testing.T) {
	p := newProject(t, "-- main.go --\npackage main\n\nfunc main() {}\n")
	text := "package main\n\nimport \"strings\"\n\nfunc main() {\n\t«»\n}\n"
	wantStatus(t, p.check("main.go", text, "_ = strings.ToUpper(\"a\")"), "ok")
	wantError(t, p.check("main.go", text, "_ = strings.ToUpper(1)"), "cannot use 1")
}

func TestBuildConstraintsChooseTheFiles(t *testing.T) {
	p := newProject(t, `-- go.mod --
module example.com/tags

go 1.22
-- on.go --
//go:build special

package tags

const level = "high"
-- off.go --
//go:build !special

package tags

const level = 1
-- sys_windows.go --
package tags

import "syscall"

var _ syscall.Handle

func only() {}
-- use.go --
package tags
-- script.go --
//go:build ignore

package main

func main() {}
`)
	wantStatus(t, p.check("use.go", "package tags\n\nfunc f() {\n\t«»\n}\n", "_ = level + 1"), "ok")
	special := "//go:build special\n\npackage tags\n\nconst level = \"high\"\n\nfunc g() {\n\t«»\n}\n"
	wantStatus(t, p.check("on.go", special, "_ = level + \"er\""), "ok")
	wantError(t, p.check("on.go", special, "_ = level + 1"), "mismatched types")
	windows := "package tags\n\nimport \"syscall\"\n\nfunc only() {\n\t«»\n}\n"
	wantStatus(t, p.check("sys_windows.go", windows, "var h syscall.Handle\n\t_ = h"), "ok")
	wantError(t, p.check("sys_windows.go", windows, "syscall.Kill(1, 2)"), "undefined: syscall.Kill")
	script := "//go:build ignore\n\npackage main\n\nimport \"os\"\n\nfunc main() {\n\t«»\n}\n"
	wantStatus(t, p.check("script.go", script, "os.Exit(1)"), "ok")
	wantError(t, p.check("script.go", script, "os.Exit()"), "not enough arguments")
}

func TestCgoIsTakenOnTrust(t *testing.T) {
	p := newProject(t, "-- go.mod --\nmodule example.com/c\n\ngo 1.22\n-- plain.go --\npackage c\n\nfunc take(n int) {}\n")
	text := "package c\n\n// int twice(int n) { return 2 * n; }\nimport \"C\"\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, p.check("c.go", text, "_ = C.twice(C.int(1))"), "ok")
	wantStatus(t, p.check("c.go", text, "r := C.make()\n\ttake(int(r.size))"), "ok")
	wantError(t, p.check("c.go", text, "take(\"a\")"), "cannot use \"a\"")
}

func TestPackagesThatDoNotCompileAreUsedAsFarAsTheyGo(t *testing.T) {
	p := newProject(t, twoPackages)
	p.write("lib/bad.go", "package lib\n\nfunc bad( {\n\nvar x undefinedType = 3\n\nfunc Good() int { return x.y.z }\n")
	user := "package mid\n\nimport \"example.com/two/lib\"\n\nfunc f() {\n\t«»\n}\n\nvar _ = lib.Make\n"
	wantStatus(t, p.check("mid/user.go", user, "_ = lib.Make().Size"), "ok")
	same := "package lib\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, p.check("lib/user.go", same, "_ = Make().Size"), "ok")
	wantError(t, p.check("lib/user.go", same, "_ = Make().Weight"), "Weight undefined")
}

func TestLanguageVersionIsTheModules(t *testing.T) {
	old := newProject(t, "-- go.mod --\nmodule example.com/old\n\ngo 1.17\n")
	text := "package old\n\nfunc f() {\n\t«»\n}\n"
	wantError(t, old.check("old.go", text, "for range 3 {\n\t}"), "requires go1.22")
}

func TestModuleFileChangeIsNoticed(t *testing.T) {
	p := newProject(t, "-- go.mod --\nmodule example.com/app\n\ngo 1.22\n-- dep/go.mod --\nmodule example.com/dep\n-- dep/dep.go --\npackage dep\n\nfunc Do(n int) {}\n")
	text := "package app\n\nimport \"example.com/dep\"\n\nfunc f() {\n\t«»\n}\n"
	wantStatus(t, p.check("app.go", text, "dep.Missing()"), "ok") // not resolved, so not blamed
	p.write("go.mod", "module example.com/app\n\ngo 1.22\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ./dep\n")
	p.session.stamps[p.root] = moduleStamp{files: p.session.stamps[p.root].files}
	wantError(t, p.check("app.go", text, "dep.Missing()"), "undefined: dep.Missing")
}

func TestNothingIsDownloadedAndNoFileOfTheModuleChanges(t *testing.T) {
	p := newProject(t, "-- go.mod --\nmodule example.com/app\n\ngo 1.22\n")
	wantStatus(t, p.check("app.go", "package app\n\nimport \"rsc.io/quote\"\n\nfunc f() {\n\t«»\n}\n", "quote.Hello()"), "ok")
	out, err := os.ReadFile(p.path("go.mod"))
	if err != nil || string(out) != "module example.com/app\n\ngo 1.22\n" {
		t.Fatalf("go.mod is now %q (%v)", out, err)
	}
	for _, setting := range []string{"GOPROXY=off", "GOTOOLCHAIN=local"} {
		if !strings.Contains(strings.Join(goEnv(), "\n"), setting) {
			t.Errorf("%s is not set", setting)
		}
	}
}
