"""Claims about goassist_lsp.context.retrieve: snippets are settled for a function and stay while one types in it."""

from __future__ import annotations

import asyncio

import pytest

from goassist_index.around import Around
from goassist_index.errors import CheckerUnavailable, IndexUnavailable
from goassist_index.typefacts import InPlay, TypeFacts
from goassist_lsp.context import retrieve
from goassist_lsp.context.retrieve import WorkspaceRetriever, query_of
from goassist_lsp.types import DocumentSnapshot
from support.places import in_function, place
from support.snippets import FakeIndexes, snippet

OTHER = "package p\n\nfunc other() {\n\t<CURSOR>\n}\n"


async def test_typing_on_in_a_function_asks_the_index_once() -> None:
    indexes = FakeIndexes(snippet("Sum", "func Sum() int {\n}"))
    retriever = WorkspaceRetriever(indexes)
    first = await retriever.retrieve(in_function("\t<CURSOR>"), "")
    assert first is not None
    assert (first.repo, first.path, [s.symbol for s in first.snippets]) == ("module", "main.go", ["Sum"])
    indexes.snippets = ()
    assert await retriever.retrieve(in_function("\tx := n\n\treturn x<CURSOR>"), "") is first
    assert len(indexes.queries) == 1


async def test_a_function_that_one_comes_back_to_is_asked_about_when_that_was_long_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    indexes = FakeIndexes(snippet("Sum", "func Sum() int {\n}"))
    retriever = WorkspaceRetriever(indexes)
    for marked in (in_function("\t<CURSOR>"), place(OTHER), in_function("\t<CURSOR>")):
        await retriever.retrieve(marked, "")
    assert len(indexes.queries) == 2
    monkeypatch.setattr(retrieve, "_SETTLED_S", -1.0)
    await retriever.retrieve(place(OTHER), "")
    await retriever.retrieve(place(OTHER), "")
    assert len(indexes.queries) == 3


async def test_that_nothing_was_found_is_settled_too() -> None:
    indexes = FakeIndexes()
    retriever = WorkspaceRetriever(indexes)
    assert await retriever.retrieve(in_function("\t<CURSOR>"), "") is None
    indexes.snippets = (snippet("Sum", "func Sum() int {\n}"),)
    assert await retriever.retrieve(in_function("\tx<CURSOR>"), "") is None


@pytest.mark.parametrize("marked", ["package p\n\nvar x = <CURSOR>\n", "package p\n\nfunc f(<CURSOR>) {\n}\n"])
async def test_outside_of_bodies_nothing_is_asked(marked: str) -> None:
    indexes = FakeIndexes(snippet("Sum", "func Sum() int {\n}"))
    assert await WorkspaceRetriever(indexes).retrieve(place(marked), "") is None
    assert indexes.queries == []


async def test_the_function_that_is_written_is_no_snippet_for_itself() -> None:
    own = snippet("f", "func f(n int) int {\n}", path="main.go", lines=(3, 5))
    above = snippet("g", "func g() {\n}", path="main.go", lines=(7, 7))
    found = await WorkspaceRetriever(FakeIndexes(own, above)).retrieve(in_function("\t<CURSOR>"), "")
    assert found is not None
    assert [s.symbol for s in found.snippets] == ["g"]
    assert await WorkspaceRetriever(FakeIndexes(own)).retrieve(in_function("\t<CURSOR>"), "") is None


async def test_a_file_of_no_workspace_has_nothing() -> None:
    assert await WorkspaceRetriever(FakeIndexes(root=None)).retrieve(in_function("\t<CURSOR>"), "") is None


@pytest.mark.parametrize(("trouble", "said"), [("down", "the index is down"), ("slow", "does not answer in time")])
async def test_an_index_that_fails_is_an_error_and_is_asked_again(trouble: str, said: str) -> None:
    indexes = FakeIndexes(snippet("Sum", "func Sum() int {\n}"), down=trouble == "down", slow=trouble == "slow")
    retriever = WorkspaceRetriever(indexes, limit_s=0.01)
    with pytest.raises(IndexUnavailable, match=said):
        await retriever.retrieve(in_function("\t<CURSOR>"), "")
    indexes.down = indexes.slow = False
    assert await retriever.retrieve(in_function("\t<CURSOR>"), "") is not None


class FakeTypes:
    """Has the same in play everywhere; `slow`: never says so, `gone`: cannot be had."""

    def __init__(self, *names: str, standard: str = "", slow: bool = False, gone: bool = False) -> None:
        told = [InPlay(name, "param", "v", f"type {name} struct {{}}") for name in names]
        more = [InPlay(standard, "param", "w", "", standard=True)] if standard else []
        self.facts = TypeFacts("", "", "", tuple(told + more))
        self.slow, self.gone = slow, gone

    async def in_play(self, snapshot: DocumentSnapshot, offset: int) -> TypeFacts | None:
        if self.slow:
            await asyncio.sleep(3600)
        if self.gone:
            raise CheckerUnavailable("no Go here")
        return self.facts


async def test_the_index_is_told_what_is_in_play_and_what_is_called_nearby() -> None:
    indexes = FakeIndexes(snippet("Sum", "func Sum() int {\n}"))
    types = FakeTypes("Cart[K]", "price.Amount", "Cart[V]", standard="http.Request")
    await WorkspaceRetriever(indexes, types).retrieve(
        in_function("\tfirst(n)\n\tif ok := second(n); ok {\n\t\tfunc() {}()\n\t}\n\t<CURSOR>"), ""
    )
    assert indexes.around == Around(types=("Cart", "price.Amount"), calls=("second", "first"))


@pytest.mark.parametrize("types", [FakeTypes(slow=True), FakeTypes(gone=True)])
async def test_types_that_are_not_there_in_time_are_done_without(types: FakeTypes) -> None:
    indexes = FakeIndexes(snippet("Sum", "func Sum() int {\n}"))
    retriever = WorkspaceRetriever(indexes, types, limit_s=0.01)
    assert await retriever.retrieve(in_function("\t<CURSOR>"), "") is not None
    assert indexes.around == Around()


def test_the_query_is_the_header_and_the_lines_around_the_cursor() -> None:
    body = "\n".join(f"\tline{n}()" for n in range(20))
    after = "\n".join(f"\tafter{n}()" for n in range(20))
    lines = query_of(in_function(f"{body}\n\t<CURSOR>\n{after}")).split("\n")
    assert lines[0] == "func f(n int) int {"
    assert lines[1:10] == [f"\tline{n}()" for n in range(11, 20)]
    assert lines[-1] == "\tafter3()"
