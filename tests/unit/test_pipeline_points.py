"""Claims about accept points in the pipeline: which parts of what is shown may be taken, and what happens without."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from goassist_index.errors import CheckerUnavailable
from goassist_index.verdict import Unfinished, Verdict
from goassist_lsp import pipeline, verification
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.settings import Settings
from goassist_lsp.types import Completion, DocumentSnapshot
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from support.places import CURSOR, snapshot

FUNCTION = "package p\n\nfunc f(n int) int {\n%s\n\treturn n\n}\n"
LINE = FUNCTION % "\tx := <CURSOR>"
BLOCK = FUNCTION % "\tn++\n\t<CURSOR>"


class Recorder(FakeChecker):
    """Keeps each call's texts and whether they were to be complete. `late_s` and `error` meet questions of parts."""

    def __init__(self, bad: str = "", *, late_s: float = 0.0, error: Exception | None = None, final: str = "") -> None:
        super().__init__()
        self.calls: list[tuple[tuple[str, ...], bool]] = []
        self._bad, self._late_s, self._fails, self._final = bad, late_s, error, final

    async def check(
        self, snapshot: DocumentSnapshot, start: int, end: int, inserts: tuple[str, ...], **asked: bool
    ) -> tuple[Verdict, ...]:
        self.calls.append((inserts, asked.get("complete", False)))
        if len(self.calls) > 1:
            await asyncio.sleep(self._late_s)
            if self._fails is not None:
                raise self._fails
        return tuple(self._said(insert) for insert in inserts)

    def _said(self, insert: str) -> Verdict:
        if insert == self._bad:
            return Verdict("error")
        leaves = Unfinished("unused_variable", 1, 1, "declared and not used: x", final=True)
        return Verdict("ok", unfinished=(leaves,) if insert == self._final else ())


async def complete(said: Sequence[str], marked: str, checker: FakeChecker, n: int = 1) -> Completion:
    before, after = marked.split(CURSOR)
    made = pipeline.CompletionPipeline(FakeEngine(said), checker, Settings())
    return await made.complete(snapshot(before + after), len(before), CancelToken(), n=n)


def parts(completion: Completion) -> list[list[str]]:
    return [[shown.insert_text[:point] for point in shown.accept_points] for shown in completion.candidates]


async def test_parts_that_pass_and_the_whole_are_accept_points() -> None:
    checker = Recorder(bad="a + b")
    assert parts(await complete(["a + b + c"], LINE, checker)) == [["a", "a + b + c"]]


async def test_parts_are_checked_in_one_call_as_what_later_lines_may_complete() -> None:
    checker = Recorder()
    await complete(["a()\n\tb()\n"], FUNCTION.replace("\treturn n\n", "") % "\t<CURSOR>", checker)
    assert [complete for _, complete in checker.calls] == [True, False]
    assert checker.calls[1][0] == ("a", "a()", "a()\n\tb")


async def test_several_candidates_share_the_call_and_their_common_parts() -> None:
    checker = Recorder()
    shown = await complete(["a + b", "a + c"], LINE, checker, n=2)
    assert parts(shown) == [["a", "a + b"], ["a", "a + c"]]
    assert checker.calls[1:] == [(("a",), False)]


async def test_a_part_that_no_later_line_can_finish_is_no_accept_point() -> None:
    checker = Recorder(final="a()")
    assert "a()" not in parts(await complete(["a()\n\tb()\n"], BLOCK, checker))[0]


async def test_nothing_is_asked_where_no_part_can_stand_alone() -> None:
    checker = Recorder()
    assert parts(await complete(["alpha"], LINE, checker)) == [["alpha"]]
    assert len(checker.calls) == 1


@pytest.mark.parametrize(
    "checker", [Recorder(late_s=5.0), Recorder(error=CheckerUnavailable("it died"))], ids=["late", "gone"]
)
async def test_without_an_answer_about_parts_the_candidate_is_shown_without_points(
    checker: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "POINTS_LIMIT_S", 0.02)
    completion = await complete(["a + b"], LINE, checker)
    assert [(shown.insert_text, shown.accept_points) for shown in completion.candidates] == [("a + b", ())]
    assert completion.degraded == ("points",)


async def test_unchecked_text_has_no_points() -> None:
    made = pipeline.CompletionPipeline(FakeEngine(["a + b"]), FakeChecker(), Settings(check_types=False))
    before, after = LINE.split(CURSOR)
    completion = await made.complete(snapshot(before + after), len(before), CancelToken())
    assert [shown.accept_points for shown in completion.candidates] == [()]
    assert "points" not in [timing.stage for timing in completion.timings]


async def test_what_was_typed_through_gets_points_anew() -> None:
    made = pipeline.CompletionPipeline(FakeEngine(["a + b + c"]), FakeChecker(), Settings())

    async def ask(marked: str) -> Completion:
        before, after = marked.split(CURSOR)
        return await made.complete(snapshot(before + after), len(before), CancelToken())

    await ask(LINE)
    assert parts(await ask(FUNCTION % "\tx := a +<CURSOR>")) == [[" b", " b + c"]]


async def test_points_count_the_line_ends_that_the_document_has() -> None:
    completion = await complete(["a()\n\tb()\n"], BLOCK.replace("\n", "\r\n"), FakeChecker())
    assert parts(completion) == [["a", "a()", "a()\r\n\tb", "a()\r\n\tb()"]]
