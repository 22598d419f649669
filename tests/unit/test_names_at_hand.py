"""Claims about goassist_lsp.context.athand: names of other files are settled for a function, and reach the prompt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from goassist_index.errors import CheckerUnavailable
from goassist_index.typefacts import InPlay, TypeFacts
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.context.athand import MOST_NAMES, NamesAtHand, chosen
from goassist_lsp.context.cursor import context_at
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.stages import Stages
from goassist_lsp.types import CursorContext, DocumentSnapshot
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from support.places import CURSOR

CART = InPlay("*Cart", "receiver", "c", "type Cart struct {\n}")
OTHER = "package p\n\ntype Cart struct {\n\tlines []int\n}\n\nfunc (c *Cart) Total() int { return 0 }\n"
MARKED = "package p\n\nfunc (c *Cart) Pay() int {\n\tsum := <CURSOR>\n\treturn sum\n}\n\nfunc g() {\n}\n"


class FakeTypes:
    """Has the cart in play everywhere, or what `trouble` says."""

    def __init__(self, trouble: str = "") -> None:
        self.trouble = trouble
        self.asked = 0

    async def in_play(self, snapshot: DocumentSnapshot, offset: int) -> TypeFacts | None:
        self.asked += 1
        if self.trouble == "slow":
            await asyncio.sleep(3600)
        if self.trouble == "gone":
            raise CheckerUnavailable("no Go here")
        return None if self.trouble == "nothing" else TypeFacts("", "", "", (CART,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cart.go").write_text(OTHER)
    (tmp_path / "cart_test.go").write_text("package p\n\nfunc helper() {}\n")
    (tmp_path / "pay.go").write_text("package p\n\nfunc stale() {}\n")
    return tmp_path


def at(folder: Path, marked: str = MARKED, name: str = "pay.go") -> CursorContext:
    before, after = marked.split(CURSOR)
    path = folder / name
    return context_at(DocumentSnapshot(path.as_uri(), path, 1, before + after), len(before))


async def test_what_other_files_declare_is_at_hand(folder: Path) -> None:
    found = await NamesAtHand(FakeTypes()).retrieve(at(folder), "")
    assert found is not None
    assert set(found.names) == {"c.lines []int", "c.Total() int"}
    assert found.snippets == ()


async def test_helpers_of_tests_are_at_hand_in_tests_only(folder: Path) -> None:
    found = await NamesAtHand(FakeTypes()).retrieve(at(folder, name="pay_test.go"), "")
    assert found is not None
    assert "helper()" in found.names


async def test_names_are_settled_for_a_function(folder: Path) -> None:
    types = FakeTypes()
    retriever = NamesAtHand(types)
    first = await retriever.retrieve(at(folder), "")
    assert await retriever.retrieve(at(folder, MARKED.replace("<CURSOR>", "c.<CURSOR>")), "") is first
    assert types.asked == 1
    await retriever.retrieve(at(folder, MARKED.replace("<CURSOR>", "1").replace("g() {\n", "g() {\n\t<CURSOR>\n")), "")
    assert types.asked == 2


@pytest.mark.parametrize("trouble", ["slow", "gone", "nothing"])
async def test_without_types_there_are_no_names_and_they_are_asked_again(folder: Path, trouble: str) -> None:
    types = FakeTypes(trouble)
    retriever = NamesAtHand(types, limit_s=0.01)
    assert await retriever.retrieve(at(folder), "") is None
    types.trouble = ""
    assert await retriever.retrieve(at(folder), "") is not None


async def test_outside_of_bodies_nothing_is_asked(folder: Path) -> None:
    types = FakeTypes()
    assert await NamesAtHand(types).retrieve(at(folder, "package p\n\nvar x = <CURSOR>\n"), "") is None
    assert types.asked == 0


def test_there_are_only_so_many(folder: Path) -> None:
    (folder / "many.go").write_text("package p\n\n" + "".join(f"func many{n}() {{}}\n" for n in range(99)))
    assert len(chosen(at(folder), TypeFacts("", "", "", ()), "")) == MOST_NAMES


async def test_the_pipeline_shows_them_above_the_function_where_the_stage_is_on(folder: Path) -> None:
    context = at(folder)
    prompts = []
    for stages in (Stages(at_hand=True), Stages()):
        engine = FakeEngine(["c.Total()"])
        made = CompletionPipeline(engine, FakeChecker("broken"), Settings(), stages, NamesAtHand(FakeTypes()))
        completion = await made.complete(context.snapshot, context.offset, CancelToken())
        prompts.append((engine.requests[0].prompt.prefix, completion.prompt_notes))
    shown, plain = prompts
    assert "// c.Total() int\n" in shown[0]
    assert shown[0].index("// c.") < shown[0].index("func (c *Cart) Pay()")
    assert set(shown[1]) == {"c.lines []int", "c.Total() int"}
    assert "//" not in plain[0]
    assert plain[1] == ()
