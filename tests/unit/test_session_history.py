"""Claims about what the assistant remembers of a session: places as Go prints them, few of them, no texts of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from goassist_index.errors import ModelError
from goassist_lsp.app import Assistant
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.history import CAPACITY, History
from goassist_lsp.settings import Settings
from goassist_lsp.types import Completion
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from support.places import FILE, place, snapshot

TEXT = "package p\n\nfunc f(n int) int {\n\tx := \n\treturn n\n}\n"
HOLE = TEXT.index(":= ") + 3


@pytest.mark.parametrize(
    ("text", "offset", "line_and_column"),
    [
        ("", 0, "1:1"),
        ("ab", 2, "1:3"),
        ("a\nbc", 2, "2:1"),
        ("a\r\nb", 4, "2:2"),
        ("a\n😀é.", 4, "2:7"),
        ("\ud800x", 2, "1:3"),
    ],
)
def test_places_are_told_as_go_prints_them(text: str, offset: int, line_and_column: str) -> None:
    history = History()
    history.add(snapshot(text), offset, Completion())
    assert next(iter(history)).place == f"{FILE}:{line_and_column}"


@pytest.mark.parametrize(
    ("folders", "path"),
    [((), "/module/main.go"), (("/module",), "main.go"), (("/", "/module"), "main.go"), (("/mod",), "/module/main.go")],
)
def test_paths_are_told_from_the_innermost_folder(folders: Sequence[str], path: str) -> None:
    history = History()
    history.add(snapshot("x"), 0, Completion(), [Path(folder) for folder in folders])
    assert next(iter(history)).place == f"{path}:1:1"


def test_the_newest_come_first_and_the_oldest_go() -> None:
    history = History()
    for number in range(CAPACITY + 9):
        history.add(snapshot("\n" * 99), number, Completion())
    lines = [int(asked.place.split(":")[1]) for asked in history]
    assert lines == list(range(CAPACITY + 9, 9, -1))
    assert len(history) == CAPACITY


def test_the_kind_of_the_hole_is_kept_and_the_file_is_not() -> None:
    history = History()
    context = place(TEXT[:HOLE] + "<CURSOR>" + TEXT[HOLE:])
    history.add(context.snapshot, context.offset, Completion(context=context))
    (asked,) = history
    assert (asked.kind, asked.completion.context) == ("line", None)
    assert abs(datetime.now().astimezone() - asked.at) < timedelta(minutes=5)
    assert history.last is asked.completion


def assistant(said: Sequence[str] | Exception, settings: Settings | None = None) -> Assistant:
    return Assistant(settings or Settings(), engine=FakeEngine(said), checker=FakeChecker(bad="broken"))


async def test_the_assistant_explains_its_session_newest_first() -> None:
    made = assistant(["broken"])
    await made.complete(snapshot(TEXT), HOLE, CancelToken())
    await made.complete(snapshot("// a comment\n" + TEXT), 5, CancelToken())
    told = made.explain_session()
    assert told.startswith("# The last 2 completions, newest first\n")
    first, second = [line for line in told.splitlines() if line.startswith("- ")]
    assert "`/module/main.go:1:6`: silent: " in first
    assert "`/module/main.go:4:7` (line): silent: nothing that was generated may be shown; the type check" in second
    assert "Dropped by check at `broken`: undefined: broken" in told


async def test_a_cancelled_request_is_not_remembered() -> None:
    made, cancel = assistant(["a"]), CancelToken()
    cancel.cancel()
    await made.complete(snapshot(TEXT), HOLE, cancel)
    assert made.explain_session() == made.explain() == "Nothing has been asked yet."


async def test_silence_without_a_model_is_explained() -> None:
    made = Assistant(Settings(), checker=FakeChecker())
    await made.complete(snapshot(TEXT), HOLE, CancelToken())
    assert made.explain() == "**Silent**: the model is not loaded."
    made = assistant(["a"], Settings(enabled=False))
    await made.complete(snapshot(TEXT), HOLE, CancelToken())
    assert made.explain() == "**Silent**: completions are switched off."


async def test_an_engine_that_breaks_down_is_remembered_and_not_hidden() -> None:
    made = assistant(ModelError("out of memory"))
    with pytest.raises(ModelError):
        await made.complete(snapshot(TEXT), HOLE, CancelToken())
    assert made.explain() == "**Silent**: out of memory."
