"""The loop of `eval infill`: every system about every case, judged beside, stopped and gone on with, failures apart."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError
from goassist_lsp.cli.eval import infill
from goassist_lsp.cli.eval.infill import Inquiry, ModuleWork, measure
from goassist_lsp.cli.eval.systems import _variants
from goassist_models.evaluate.example import Answer, Question, System
from goassist_models.evaluate.ghost import infill_cases
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.runs import Run
from support import oracle

GO_MOD = "module example.com/sums\n\ngo 1.23\n"
SOURCE = """package sums

import "strconv"

// Total adds up all of them.
func Total(values []int) int {
	total := 0
	for _, value := range values {
		total += value
	}
	return total
}

// Text is the total, written out.
func Text(values []int) string {
	total := Total(values)
	return strconv.Itoa(total)
}

// Mean is the mean of the values, 0 for none.
func Mean(values []int) int {
	if len(values) == 0 {
		return 0
	}
	return Total(values) / len(values)
}

// Largest is the largest of them.
func Largest(values []int) int {
	largest := values[0]
	for _, value := range values[1:] {
		largest = max(largest, value)
	}
	return largest
}
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> ModuleWork:
    directory = tmp_path_factory.mktemp("sums")
    (directory / "go.mod").write_text(GO_MOD)
    (directory / "sums.go").write_text(SOURCE)
    judge = CompileJudge.open(directory)
    counts = {"line": 1, "expression": 1, "block": 1, "body": 1}
    return ModuleWork("sums", judge, infill_cases(judge, "sums", counts, 1, frozenset()))


def inquiry(tmp_path: Path) -> Inquiry:
    return Inquiry(Run.open(tmp_path / "run", "infill", {}), Path(tempfile.mkdtemp(dir=tmp_path)))


async def test_every_system_is_asked_about_every_case_and_judged(tmp_path: Path, work: ModuleWork) -> None:
    assert len(work.cases) == 4
    asked = [oracle.oracle(work.cases), oracle.faulty(work.cases)]
    made = inquiry(tmp_path)
    await measure(made, [work], asked)
    right, faulty = made.run.examples("oracle"), made.run.examples("faulty")
    assert [e.case.key for e in right] == [e.case.key for e in faulty]
    assert {e.case.key for e in right} == {case.key for case in work.cases}
    assert all(e.scores is not None and e.scores.exact and e.scores.compiles for e in right)
    assert all(e.scores is not None and e.scores.shown and e.scores.compiles is False for e in faulty)
    assert made.run.systems == ("oracle", "faulty")


async def test_a_stopped_run_asks_only_what_is_missing(tmp_path: Path, work: ModuleWork) -> None:
    await measure(inquiry(tmp_path), [work], [oracle.oracle(work.cases)])
    made = inquiry(tmp_path)
    lines = made.run.path("oracle").read_text().splitlines(keepends=True)
    made.run.path("oracle").write_text("".join(lines[:2]) + lines[2][:30])
    questions: list[Question] = []

    async def ask(question: Question) -> Answer:
        questions.append(question)
        return await oracle.oracle(work.cases).ask(question)

    await measure(made, [work], [System("oracle", ask)])
    assert len(questions) == 2
    assert {e.case.key for e in made.run.examples("oracle")} == {case.key for case in work.cases}


async def test_what_failed_is_kept_apart_and_asked_again_by_the_next_run(tmp_path: Path, work: ModuleWork) -> None:
    key = work.cases[1].key
    made = inquiry(tmp_path)
    await measure(made, [work], [oracle.failing(work.cases, {key}, "s")])
    failed = [e for e in made.run.examples("s") if e.answer is not None and e.answer.error]
    assert [e.case.key for e in failed] == [key]
    assert failed[0].scores is not None and "broke down" in failed[0].scores.unjudged
    await measure(inquiry(tmp_path), [work], [oracle.oracle(work.cases, "s")])
    again = made.run.examples("s")
    assert len(again) == 4
    assert all(e.scores is not None and e.scores.exact for e in again)


async def test_a_system_that_fails_again_and_again_is_given_up_and_the_others_go_on(
    tmp_path: Path, work: ModuleWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infill, "_GIVE_UP_AFTER", 2)
    made = inquiry(tmp_path)
    dead = oracle.failing(work.cases, {case.key for case in work.cases}, "dead")
    await measure(made, [work], [dead, oracle.oracle(work.cases)])
    assert len(made.run.examples("dead")) == 2
    assert len(made.run.examples("oracle")) == 4
    assert "broke down" in made.run.header["given_up"]["dead"]


async def test_a_system_that_hangs_is_counted_as_failed(
    tmp_path: Path, work: ModuleWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infill, "_ANSWER_LIMIT_S", 0.01)
    monkeypatch.setattr(infill, "_GIVE_UP_AFTER", 1)

    async def ask(question: Question) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    made = inquiry(tmp_path)
    await measure(made, [work], [System("hanging", ask)])
    answers = [e.answer for e in made.run.examples("hanging")]
    assert [answer is not None and answer.error.startswith("no answer within") for answer in answers] == [True]


async def test_the_author_s_function_is_not_on_disk_while_it_is_asked_for(tmp_path: Path, work: ModuleWork) -> None:
    seen: list[bool] = []

    async def ask(question: Question) -> Answer:
        case = oracle.case_of(work.cases, question)
        seen.append(f"func {case.function}(" in question.path.read_text())
        return Answer()

    made = inquiry(tmp_path)
    await measure(made, [work], [System("looking", ask)])
    assert seen == [False] * 4
    assert (work.judge.directory / "sums.go").read_text() == SOURCE


def test_modules_take_turns_so_that_a_short_run_has_some_of_each(work: ModuleWork) -> None:
    first = ModuleWork("a", work.judge, work.cases * 2)
    second = ModuleWork("b", work.judge, work.cases)
    turns = list(infill._in_turn([first, second]))
    assert [module.name for module, _ in turns] == ["a"] * 4 + ["b"] * 4 + ["a"] * 4
    assert [case.kind for _, case in turns] == ["line", "expression", "block", "body"] * 3


def test_systems_are_named_by_group_or_by_stage_and_ours_comes_first() -> None:
    assert [v.name for v in _variants("raw, no check,goassist")] == ["goassist", "no check", "raw model"]
    assert _variants("none") == []
    with pytest.raises(ConfigError, match="'nonsense'"):
        _variants("goassist,nonsense")
