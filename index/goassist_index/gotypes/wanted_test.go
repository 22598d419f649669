package main

import (
	"strings"
	"testing"
	"time"
)

func TestWhatAPlaceAsksFor(t *testing.T) {
	p := newProject(t, shop)
	for _, c := range []struct{ text, call, want, fits string }{
		{"func f(s string) int {\n\treturn «»\n}\n", "", "int", ""},
		{"func f(i *Item) string {\n\treturn i.«»\n}\n", "", "string", "Name"},
		{"func f(i *Item) string {\n\treturn i.Na«»\n}\n", "", "string", "Name"},
		{"func f(i *Item) {\n\ttake(i.«»)\n}\n\nfunc take(n int, name string) {}\n", "take(n int, name string)", "int", "price Price"},
		{"func f(i *Item) {\n\ttake(1, «»\n}\n\nfunc take(n int, name string) {}\n", "take(n int, name string)", "string", ""},
		{"func f(i *Item) {\n\ti.Name = «»\n}\n", "", "string", ""},
		{"func f(i *Item) {\n\tx := «»\n}\n", "", "", ""},
		{"func f(i *Item) {\n\t«»\n}\n", "", "", ""},
		{"func f(i *Item) {\n\t_ = Item{Name: «»}\n}\n", "", "string", ""},
		{"func f(a, b string, n int) (string, error) {\n\tc := a\n\treturn «»\n}\n", "", "string, error", "a c b"},
		{"func f(a string) (string, error) {\n\treturn a, «»\n}\n", "", "error", ""},
		{"func f(a string) (string, error) {\n\treturn «», nil\n}\n", "", "string", "a"},
		{"func f() {\n\tg().take(«»)\n}\n\ntype T struct{}\n\nfunc g() T { return T{} }\n\nfunc (T) take(n int) {}\n", "g().take(n int)", "int", ""},
		{"func f(s string) *Item {\n\treturn &Item{\n\t\tName: «»\n}\n", "", "string", "s"},
		{"func f(s string) *Item {\n\treturn &Item{\n\t\tName: «»\n\t}\n}\n", "", "string", "s"},
		{"func f(n int) {\n\ttake(\n\t\tn,\n\t\t«»\n\t)\n}\n\nfunc take(n int, name string) {}\n", "take(n int, name string)", "string", ""},
		{"func f() {\n\tnowhere(«»)\n}\n", "", "", ""},
	} {
		text := "package shop\n\n" + c.text
		at := strings.Index(text, "«»")
		text = strings.Replace(text, "«»", "", 1)
		p.overlay("f.go", text)
		var got wanted
		err := p.session.within(p.path("f.go"), nil, time.Minute, func(d *directory, f *sourceFile) error {
			if v := d.viewAt(f, at, ""); v != nil {
				defer v.unit.release()
				got = v.wanted()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Call != c.call || got.Type != c.want || strings.Join(got.Fits, " ") != c.fits {
			t.Errorf("%q: %+v, want %q, %q and %q", c.text, got, c.call, c.want, c.fits)
		}
	}
}
