"""Claims about goassist_lsp.generate.grammar: what no Go program holds is refused, and nothing that one does."""

from __future__ import annotations

import pytest

from goassist_index.scan import tokens
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate.grammar import cannot_stand
from goassist_lsp.generate.names import NameGuide
from support.holes import go_files
from support.places import CURSOR, snapshot


def guide(line: str = "\t<CURSOR>") -> NameGuide:
    """Of a place where nothing is known of names."""
    before, after = f"package p\n\nfunc f() {{\n{line}\n}}\n".split(CURSOR)
    return NameGuide(context_at(snapshot(before + after), len(before)), lambda said: None)


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        ("x := a ", "? b"),
        ("x := ", "$a"),
        ("x := ", "“a”"),
        ("f(a ==", ")"),
        ("f(a, b + ", ", c"),
        ("x := a &&", " ||"),
        ("if x == ", "== 1"),
        ("x := a +\n\t", "]"),
        ('f("a" ', "b"),
        ('f("a"', '"b"'),
        ("f(1 ", "x"),
        ("x = ", ":= 1"),
    ],
)
def test_what_cannot_be_parsed_is_refused(said: str, piece: str) -> None:
    assert guide().refuses(said, piece)


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        ("x := a + ", "/"),
        ("x := a + ", "// why\n\tb"),
        ("x := a < ", "-b"),
        ("x := a +\n\t", "b"),
        ('x := "a"\n', "y"),
        ('"a ? b', " $ c"),
        ("// is it so", "?"),
        ("f(1.", "5"),
        ("x := ", ".5"),
        ("ch := make(chan<-", " int)"),
        ("var f func(...", "int)"),
        ("for i := range 10 ", "{"),
        ('switch "a" ', "{"),
    ],
)
def test_what_may_be_go_passes(said: str, piece: str) -> None:
    assert not guide().refuses(said, piece)


def test_what_is_typed_already_counts() -> None:
    assert guide("\tif err !=<CURSOR>").refuses("", ")")
    assert not guide("\tif err !=<CURSOR>").refuses("", " nil")


def test_nothing_of_the_standard_library_is_refused() -> None:
    for path in go_files():
        found = list(tokens(path.read_text(encoding="utf-8")))
        refused = [number for number in range(len(found)) if cannot_stand(found, number)]
        assert [" ".join(token.text for token in found[n - 3 : n + 2]) for n in refused] == [], path
