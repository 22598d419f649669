package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// legalAt says what may stand after said at the hole «» of f.go.
func legalAt(t *testing.T, p *project, text, said string) (got legal) {
	t.Helper()
	at := strings.Index(text, "«»")
	text = strings.Replace(text, "«»", "", 1)
	p.overlay("f.go", text)
	err := p.session.within(p.path("f.go"), nil, time.Minute, func(d *directory, f *sourceFile) error {
		if v := d.viewAt(f, at, said); v != nil {
			defer v.unit.release()
			got = v.legal()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLegalNamesByPlace(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct {
		why, text, said, kind string
		has, hasNot           string
	}{
		{"members of a value", "func f(i *Item) {\n\t«»\n}\n", "x := i.", "member", "Price price Name", "Cost len i"},
		{"members of what was just written", "func f(i *Item) {\n\t«»\n}\n", "s := Stack[int]{}\n\ts.", "member", "Push", "Price"},
		{"members in the middle of a word", "func f(i *Item) {\n\ti.Pr«»\n}\n", "", "member", "Price", "len"},
		{"exported names of a package", "import \"strings\"\n\nfunc f() {\n\t«»\n}\n", "return strings.", "member", "Join Builder", "explode"},
		{"names in scope", "func f(i *Item, n int) {\n\tbefore := 1\n\t«»\n\tafter := 2\n}\n", "", "name", "i n before find len nil Item", "after Price"},
		{"members in an if statement's beginning", "func f(i *Item) {\n\t«»\n\tshow(i)\n}\n", "if x := i.", "member", "Price", "len"},
		{"members in a loop's beginning", "func f(i *Item) {\n\t«»\n}\n", "for x := i.", "member", "Price", "len"},
		{"members in an argument of a condition", "func f(i *Item) {\n\t«»\n}\n", "if x, err := find(nil, i.", "member", "Name", "len"},
		{"names that were just written", "func f() {\n\t«»\n}\n", "for k := range 3 {\n\t\treturn ", "name", "k find", "i"},
		{"keys of a struct", "func f() {\n\t«»\n}\n", "i := Item{", "key", "price Name", "Price find"},
		{"keys of a struct in a struct's pointer", "func f() []*Item {\n\t«»\n}\n", "return []*Item{{Name: \"a\", ", "key", "price Name", "Price find"},
		{"keys of a struct on lines of their own", "func f() *Item {\n\treturn «»\n}\n", "&Item{\n\t\t", "key", "price Name", "Price find"},
		{"keys of a struct that is not closed", "func f() *Item {\n\treturn &Item{«»\n}\n", "\n\t\t", "key", "price Name", "Price find"},
		{"keys behind others", "func f() *Item {\n\treturn &Item{\n\t\tName: \"a\",\n\t\t«»\n\t}\n}\n", "", "key", "price Name", "Price find"},
		{"names in a map's literal", "func f(k string) {\n\t«»\n}\n", "m := map[string]int{", "name", "k find", "Price"},
		{"types in a case of a type switch", "func f(v any, n int) {\n\tswitch v.(type) {\n\t«»\n\t}\n}\n", "case ", "case", "Item int error nil", "find len n v"},
		{"types in a case with a text behind", "func f(v any, n int) {\n\tswitch x := v.(type) {\n\tcase «»:\n\t\t_ = x\n\tcase string:\n\t}\n}\n", "", "case", "Item int error nil", "find len n v x"},
		{"types that the value can have", "func f(err error) {\n\tswitch err.(type) {\n\tcase «»\n\t}\n}\n", "", "case", "error any nil", "Item int find err"},
		{"names in a case of another switch", "func f(n int) {\n\tswitch n {\n\tcase «»\n\t}\n}\n", "", "name", "n find len", "Price"},
		{"names in the body of a type switch's case", "func f(v any, n int) {\n\tswitch v.(type) {\n\tcase int:\n\t\t«»\n\t}\n}\n", "return ", "name", "n find v", "Price"},
		{"nothing known of a case that may declare", "func f(c chan int) {\n\tselect {\n\tcase «»\n\t}\n}\n", "", "", "", ""},
		{"nothing known of an unknown value", "func f() {\n\t«»\n}\n", "x := nowhere.", "", "", ""},
		{"nothing known where an embedded type is unknown", "type odd struct {\n\tmissing.Type\n\ta int\n}\n\nfunc f(o odd) {\n\t«»\n}\n", "o.", "", "", ""},
		{"what packages of a name export that could be imported", "func f(s string) {\n\t«»\n}\n", "return strings.", "member", "Join Builder", "explode"},
		{"all packages of that name", "func f() {\n\t«»\n}\n", "x := rand.", "member", "Intn Prime", "seed"},
		{"nothing known of a name that the package declares elsewhere", "func f() {\n\t«»\n}\n\nvar strings = missing()\n", "return strings.", "", "", ""},
		{"nothing known of C", "import \"C\"\n\nfunc f() {\n\t«»\n}\n", "C.", "", "", ""},
		{"nothing known of names beside a broken line", "func f() {\n\tx := := 3\n\t«»\n}\n", "return ", "", "", ""},
	} {
		got := legalAt(t, p, "package shop\n\n"+c.text, c.said)
		// The first walk through the standard library may take longer than is waited for.
		for tries := 0; c.kind != "" && got.Kind == "" && tries < 500; tries++ {
			time.Sleep(10 * time.Millisecond)
			got = legalAt(t, p, "package shop\n\n"+c.text, c.said)
		}
		if got.Kind != c.kind {
			t.Errorf("%s: kind %q, want %q: %v", c.why, got.Kind, c.kind, got.Names)
		}
		for _, name := range strings.Fields(c.has) {
			if !slices.Contains(got.Names, name) {
				t.Errorf("%s: no %s among %v", c.why, name, got.Names)
			}
		}
		for _, name := range strings.Fields(c.hasNot) {
			if slices.Contains(got.Names, name) {
				t.Errorf("%s: %s among %v", c.why, name, got.Names)
			}
		}
	}
}

func TestWhatFitsAlone(t *testing.T) {
	p := newProject(t, shop)
	head := "package shop\n\nimport \"strings\"\n\nvar _ = strings.Join\n\n" +
		"type box struct {\n\tinner *box\n\tname string\n\topen func(n int) *box\n}\n\nfunc (b *box) next() *box { return b }\n" +
		"func (b *box) two() (*box, error) { return b, nil }\n\n"
	for _, c := range []struct{ text, said, fits string }{
		{"func f(b *box) *box {\n\t«»\n}\n", "return b.", "inner open next"},
		{"func f(b *box) string {\n\t«»\n}\n", "return b.", "name"},
		{"func f(b *box, s string) {\n\t«»\n}\n", "s = b.inner.", "name"},
		{"func f(b *box) {\n\t«»\n}\n", "b = &box{name: b.", "name"},
		{"func f(b *box) {\n\t«»\n}\n", "x := b.", ""},
		{"func f(b *box, e error) error {\n\t«»\n}\n", "return ", "e nil"},
		{"func f() bool {\n\t«»\n}\n", "return strings.", "Contains ContainsAny"},
	} {
		got := legalAt(t, p, head+c.text, c.said)
		for tries := 0; got.Kind == "" && tries < 500; tries++ {
			time.Sleep(10 * time.Millisecond)
			got = legalAt(t, p, head+c.text, c.said)
		}
		for _, name := range strings.Fields(c.fits) {
			if !slices.Contains(got.Fits, name) {
				t.Errorf("%s: %s does not fit, only %v", c.said, name, got.Fits)
			}
		}
		if c.fits == "" && len(got.Fits) > 0 || slices.Contains(got.Fits, "two") || slices.Contains(got.Fits, "Join") {
			t.Errorf("%s: %v fit", c.said, got.Fits)
		}
	}
}

func TestOnlyInterfacesAreAsserted(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nfunc f(a any, e error, i *Item) {\n\t«»\n}\n"
	for said, want := range map[string]bool{"e.": true, "i.": false} {
		if got := legalAt(t, p, text, said); got.Asserts != want {
			t.Errorf("%s asserts: %v, want %v", said, got.Asserts, want)
		}
	}
	if got := legalAt(t, p, text, "a."); got.Kind != "" {
		t.Errorf("an empty interface has no members to hold to, got %+v", got)
	}
}

func TestImportablePackagesAreNamedBesideTheScope(t *testing.T) {
	p := newProject(t, shop+"-- other.go --\npackage shop\n\nimport str \"strings\"\n\nvar _ = str.Join\n-- money/money.go --\npackage money\n")
	text := "package shop\n\nfunc f() {\n\t«»\n}\n"
	got := legalAt(t, p, text, "return ")
	for deadline := time.Now().Add(time.Minute); got.Kind == "" && time.Now().Before(deadline); { // the first walk takes longer than is waited for
		time.Sleep(10 * time.Millisecond)
		got = legalAt(t, p, text, "return ")
	}
	for _, name := range []string{"strings", "http", "rand", "money", "str"} {
		if !slices.Contains(got.Packages, name) {
			t.Errorf("no %s among %v", name, got.Packages)
		}
	}
	if slices.Contains(got.Packages, "v2") || slices.Contains(got.Packages, "internal") {
		t.Errorf("no packages: %v", got.Packages)
	}
}

func TestTenThousandNamesAreNamedAtOnce(t *testing.T) {
	var many strings.Builder
	many.WriteString("package shop\n\ntype wide struct {\n")
	for n := range 10_000 {
		fmt.Fprintf(&many, "\tF%d int\n", n)
	}
	many.WriteString("}\n\n")
	for n := range 10_000 {
		fmt.Fprintf(&many, "func g%d() {}\n", n)
	}
	p := newProject(t, shop+"-- many.go --\n"+many.String())
	got := legalAt(t, p, "package shop\n\nfunc f(w wide) {\n\t«»\n}\n", "x := w.")
	if len(got.Names) != 10_000 {
		t.Errorf("%d members", len(got.Names))
	}
	for tries := 0; got.Kind != "name" && tries < 500; tries++ {
		time.Sleep(10 * time.Millisecond)
		got = legalAt(t, p, "package shop\n\nfunc f(w wide) {\n\t«»\n}\n", "return ")
	}
	if !slices.Contains(got.Names, "g9999") {
		t.Errorf("%d names in scope", len(got.Names))
	}
}
