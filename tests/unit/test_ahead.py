"""Claims about what is said ahead: the place behind what is shown is asked about in idle time."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest

from goassist_lsp import app
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.generate.ahead import place_after
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.types import Candidate, Completion
from goassist_models.engine import CancelToken, Generation
from goassist_models.engine.fake import FakeEngine
from support.places import CURSOR, snapshot

LINE = "package p\n\nfunc f(n int) {\n\tx := <CURSOR>\n}\n"


def parts(marked: str) -> tuple[str, int]:
    before, after = marked.split(CURSOR)
    return before + after, len(before)


@pytest.mark.parametrize(
    ("marked", "text", "end", "trail", "next_place"),
    [
        (LINE, "alpha", 0, (), "func f(n int) {\n\tx := alpha\n\t<CURSOR>\n}\n"),
        (LINE, "alpha", 0, ("cut back",), "func f(n int) {\n\tx := alpha<CURSOR>\n}\n"),
        ("\tf(<CURSOR>n)\n", "m", 1, (), "\tf(m<CURSOR>)\n"),
        ("\tf<CURSOR>\r\n", "()", 0, (), "\tf()\r\n\t<CURSOR>\r\n"),
    ],
)
def test_the_place_behind_a_suggestion(
    marked: str, text: str, end: int, trail: tuple[str, ...], next_place: str
) -> None:
    document, offset = parts(marked)
    candidate = Candidate(text, offset, offset + end, Generation(text, "eos"), trail=trail)
    place, at = place_after(snapshot(document), candidate)
    assert f"{place.text[:at]}{CURSOR}{place.text[at:]}".endswith(next_place)


async def completed(engine: FakeEngine) -> tuple[CompletionPipeline, Completion]:
    made = CompletionPipeline(engine, FakeChecker(bad="broken"), Settings())
    document, offset = parts(LINE)
    return made, await made.complete(snapshot(document), offset, CancelToken())


async def test_behind_a_finished_line_the_next_one_is_asked_about_while_nobody_waits() -> None:
    engine = FakeEngine(["alpha"])
    made, completion = await completed(engine)
    await made.ahead(completion)
    first, second = engine.requests
    assert (first.idle, second.idle) == (False, True)
    assert second.prompt.prefix.endswith("x := alpha\n\t")


async def test_nothing_is_said_ahead_of_what_is_unlikely_or_of_silence() -> None:
    engine = FakeEngine(["alpha"])
    made, completion = await completed(engine)
    (candidate,) = completion.candidates
    unsure = replace(candidate, generation=replace(candidate.generation, tokens=10, mean_logprob=-0.5))
    await made.ahead(replace(completion, candidates=(unsure,)))
    await made.ahead(replace(completion, candidates=()))
    assert len(engine.requests) == 1


class Battery:
    def __init__(self, plugged: bool | None) -> None:
        self.power_plugged = plugged


@pytest.mark.parametrize(
    ("battery", "requests"), [(None, 2), (Battery(True), 2), (Battery(None), 2), (Battery(False), 1)]
)
async def test_nothing_is_said_ahead_on_battery(
    battery: Battery | None, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    engine = FakeEngine(["alpha"])
    assistant = app.Assistant(Settings(), engine=engine, checker=FakeChecker())
    document, offset = parts(LINE)
    completion = await assistant.complete(snapshot(document), offset, CancelToken())
    await assistant.ahead(completion)
    assert len(engine.requests) == requests
