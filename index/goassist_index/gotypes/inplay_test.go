package main

import (
	"slices"
	"strings"
	"testing"
)

func TestTypesInPlayAreWrittenAsDeclarations(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nimport \"strings\"\n\nfunc (s *Stack[T]) f(all map[string][]*Item, b strings.Builder, n int) (*Item, error) {\n\treturn find(all[\"a\"], )\n}\n"
	p.overlay("f.go", text)
	got := viewOf(t, p, text, "return ", func(v *view) any { return v.facts() }).(facts)
	var names []string
	for _, in := range got.InPlay {
		names = append(names, in.Role+" "+in.Variable+" "+in.Name)
	}
	if said := strings.Join(names, ", "); said != "receiver s Stack[T], param b strings.Builder, param all Item" {
		t.Errorf("in play: %s", said)
	}
	item := got.InPlay[len(got.InPlay)-1]
	if item.Declaration != "type Item struct {\n\tName string\n\tprice int\n}" || item.Standard {
		t.Errorf("declaration %q, of the standard library: %v", item.Declaration, item.Standard)
	}
	if !slices.Equal(item.Methods, []string{"func (*Item) Price() int"}) {
		t.Errorf("methods %q", item.Methods)
	}
	if builder := got.InPlay[1]; !builder.Standard || strings.Contains(builder.Declaration, "buf") {
		t.Errorf("%q of the standard library: %v", builder.Declaration, builder.Standard)
	}
}

func TestTheExpectedTypeComesWithItsProducersAndTheOperandWithItsMembers(t *testing.T) {
	p := newProject(t, shop)
	text := "package shop\n\nfunc pick(i *Item) *Item { return i }\n\nfunc f(i *Item) {\n\tshow()\n\tfind(nil, i.)\n}\n"
	p.overlay("f.go", text)
	got := viewOf(t, p, text, "\tshow(", func(v *view) any { return v.facts() }).(facts)
	if len(got.InPlay) == 0 || got.InPlay[0].Role != "expected" || got.Call != "show(i *Item)" {
		t.Fatalf("call %q, in play %+v", got.Call, got.InPlay)
	}
	if !slices.Equal(got.InPlay[0].Producers, []string{"func find(items []*Item, name string) (*Item, error)", "func pick(i *Item) *Item"}) {
		t.Errorf("producers %q", got.InPlay[0].Producers)
	}
	got = viewOf(t, p, text, "find(nil, i.", func(v *view) any { return v.facts() }).(facts)
	if len(got.InPlay) == 0 || got.InPlay[0].Role != "operand" || got.Call != "find(items []*Item, name string) (*Item, error)" {
		t.Fatalf("call %q, in play %+v", got.Call, got.InPlay)
	}
	if !slices.Equal(got.InPlay[0].Members, []string{"Name string", "price int", "Price func() int"}) {
		t.Errorf("members %q", got.InPlay[0].Members)
	}
}
