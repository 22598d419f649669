"""`eval typing` as a run: bodies go on where they stood, what breaks is named, the rest is typed all the same."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.cli.eval import typing as task
from goassist_models.evaluate.example import Answer, Edit, Question, System
from goassist_models.evaluate.keystrokes import TypedBody, keys_of
from goassist_models.evaluate.runs import Run
from support.virtual_time import run_virtually

BEFORE, AFTER = "package p\n\nfunc F() {\n\t", "\n}\n"
TEXTS = ("first()", "second()", "third()")
INTERVALS_MS = (180.0, 540.0)


@pytest.fixture
def session(tmp_path: Path) -> task._Session:
    module = tmp_path / "module"
    module.mkdir()
    (module / "p.go").write_text(BEFORE + TEXTS[0] + AFTER)
    bodies = [
        TypedBody(module, module / "p.go", text[:-2], BEFORE, AFTER, keys_of(text), "example.com/m@v1")
        for text in TEXTS
    ]
    return task._Session(Run.open(tmp_path / "run", "typing", {}), bodies, tmp_path / "scratch", None)


class Counted:
    """A system with how often it was started, closed and asked."""

    def __init__(self, name: str, answer: Callable[[Question], Answer]) -> None:
        self.name, self.answer = name, answer
        self.started = self.closed = 0
        self.texts: list[str] = []

    @property
    def start(self) -> task._Start:
        async def make() -> System:
            self.started += 1
            return System(self.name, self.ask, close=self.close, about={"model": "none"})

        return task._Start(self.name, make)

    async def ask(self, question: Question) -> Answer:
        self.texts.append(question.text)
        return self.answer(question)

    async def close(self) -> None:
        self.closed += 1


def silence(question: Question) -> Answer:
    return Answer()


def dying_at(*texts: str) -> Callable[[Question], Answer]:
    def answer(question: Question) -> Answer:
        if any(text[:3] in question.text for text in texts):
            raise GoassistError("the server has ended")
        return Answer()

    return answer


def test_each_body_is_typed_at_each_interval_into_each_system(session: task._Session) -> None:
    first, second = Counted("a", silence), Counted("b", lambda q: Answer((Edit(q.offset, q.offset, "?"),)))
    run_virtually(task._type_all(session, [first.start, second.start], INTERVALS_MS))
    found = task.figures(Run.read(session.run.directory))
    assert list(found) == [(name, ms) for name in "ab" for ms in INTERVALS_MS]
    assert {of["keys"] for of in found.values()} == {sum(map(len, TEXTS))}
    assert found["a", 180.0]["shown"]["percent"] == 0
    assert found["b", 180.0]["wrong_of_shown"]["percent"] == 100
    assert (first.started, first.closed) == (1, 1)


def test_a_run_goes_on_with_what_is_not_typed_yet_and_starts_nobody_for_nothing(session: task._Session) -> None:
    system = Counted("a", silence)
    run_virtually(task._type_all(session, [system.start], INTERVALS_MS[:1]))
    path = session.run.path("a")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:20])  # stopped within a line
    again = Counted("a", silence)
    run_virtually(task._type_all(session, [again.start], INTERVALS_MS[:1]))
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert [record.function for record in task.records(session.run, "a")] == ["first", "second", "third"]
    assert not any("fir" in text or "sec" in text for text in again.texts)
    last = Counted("a", silence)
    run_virtually(task._type_all(session, [last.start], INTERVALS_MS[:1]))
    assert last.started == 0


def test_after_a_body_that_broke_the_system_a_fresh_one_types_the_next(session: task._Session) -> None:
    system = Counted("a", dying_at("second()"))
    run_virtually(task._type_all(session, [system.start], INTERVALS_MS[:1]))
    assert (system.started, system.closed) == (2, 2)
    of = task.figures(session.run)["a", 180.0]
    assert (of["bodies"], [left["function"] for left in of["abandoned"]]) == (2, ["second"])
    assert "1 bodies abandoned (example.com/m@v1 second): the server has ended." in task.markdown(session.run)


def test_a_system_that_always_breaks_is_given_up_and_the_others_are_typed(session: task._Session) -> None:
    broken, good = Counted("broken", dying_at("package")), Counted("good", silence)
    run_virtually(task._type_all(session, [broken.start, good.start], INTERVALS_MS))
    assert len(task.records(session.run, "broken")) == 3  # of six
    assert len(task.records(session.run, "good")) == 6
    (failed,) = Run.read(session.run.directory).header["failed_systems"]
    assert failed["system"] == "broken" and "3 bodies in a row" in failed["why"]


def test_a_system_that_cannot_be_had_is_named_and_the_others_are_typed(session: task._Session) -> None:
    async def make() -> System:
        raise GoassistError("no such program")

    good = Counted("good", silence)
    run_virtually(task._type_all(session, [task._Start("absent", make), good.start], INTERVALS_MS[:1]))
    assert [failed["system"] for failed in session.run.header["failed_systems"]] == ["absent"]
    assert session.run.systems == ("good",)


def test_the_table_says_that_the_median_key_was_not_answered(session: task._Session) -> None:
    async def never(question: Question) -> Answer:
        await asyncio.sleep(10)
        return Answer()

    async def make() -> System:
        return System("slow", never)

    run_virtually(task._type_all(session, [task._Start("slow", make)], INTERVALS_MS[:1]))
    row = task._rows(task.figures(session.run))[0]
    columns = dict(zip(task._COLUMNS, row, strict=True))
    assert columns["p50 ms"] == "> 180"
    assert columns["% answered in time"] == "0.0 [0, 0]"
    assert columns["% wrong of shown"] == columns["CPU s/100 keys"] == "-"


def test_a_damaged_record_is_named_with_its_line(session: task._Session) -> None:
    session.run.append_line("a", '{"system": "a"}')
    with pytest.raises(GoassistError, match=r"line 1 is no record of a typed body"):
        task.records(session.run, "a")


def test_asking_nobody_is_an_error() -> None:
    nobody = argparse.Namespace(model=None, systems="none", llama_vim=False, server=None)
    with pytest.raises(ConfigError, match="nobody is asked"):
        task._starts(nobody)
