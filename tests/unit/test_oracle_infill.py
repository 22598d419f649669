"""Proof both ways: systems of known worth score exactly that, from the question to the last table.

A module of one's own, real questions, the real Go compiler as judge; nothing is fetched.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Answer, Case, Example, Question, System
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.report.tables import markdown, summary
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.scores import score
from support import oracle

# A hole is ⟦kind|the truth|what is wrong but compiles⟧.
FILES = {
    "go.mod": "module example.com/tally\n\ngo 1.22\n",
    "words.go": """package tally

import "strings"

// Upper is said with ümläuts before it, so that bytes and characters differ.
func Upper(text string) string {
	return strings.⟦expression|ToUpper(text)|ToLower(text)⟧
}

func Most(counts map[string]int) (string, int) {
	best, most := "", 0
	for word, count := range counts {
		if count > most {
			⟦block|best, most = word, count|best, most = word, -count⟧
		}
	}
	return best, most
}
""",
    "sums.go": """package tally

func Sum[T ~int](parts []T) T {
	⟦body|total := parts[0]
	for _, part := range parts[1:] {
		total += part
	}
	return total|total := parts[9]
	for _, part := range parts[1:] {
		total += part
	}
	return total⟧
}

func Half(whole int) int {
	half ⟦line|:= whole / 2|:= whole * 2⟧
	return half
}
""",
    "words_test.go": """package tally

import "testing"

func TestUpper(t *testing.T) {
	if got := Upper("a"); ⟦expression|got != "A"|got != "B"⟧ {
		t.Fatal(got)
	}
}
""",
}
_HOLE = re.compile(r"⟦(\w+)\|(.*?)\|(.*?)⟧", re.DOTALL)
IMPORT, ITS_PLACE = 'import "strings"', "// needs strings"


def cut(files: dict[str, str]) -> tuple[list[Case], dict[str, str], dict[str, str]]:
    """Cases, what is wrong at each (by key), and the files as their author left them."""
    cases, wrongs, whole = [], {}, {}
    for file, text in files.items():
        found = list(_HOLE.finditer(text))
        whole[file] = _HOLE.sub(r"\2", text)
        for hole in found:
            start = len(_HOLE.sub(r"\2", text[: hole.start()]).encode())
            case = Case(
                module="example.com/tally",
                file=file,
                kind=hole[1],
                role="",
                function="",
                new=file == "sums.go",
                start=start,
                end=start + len(hole[2].encode()),
                function_start=0,
                function_end=0,
                truth=hole[2],
                slices=("tests",) if file.endswith("_test.go") else ("generics",) if "[T " in text else (),
            )
            cases.append(case)
            wrongs[case.key] = hole[3]
    return cases, wrongs, whole


CASES, WRONGS, WHOLE = cut(FILES)
BROKEN_AT = CASES[0].key


def asked(case: Case, root: Path) -> Question:
    source = WHOLE[case.file].encode()
    before, behind = source[: case.start].decode(), source[case.end :].decode()
    return Question(root, root / case.file, before + behind, len(before))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> CompileJudge:
    root = tmp_path_factory.mktemp("tally")
    for name, text in WHOLE.items():
        (root / name).write_text(text, encoding="utf-8")
    return CompileJudge.open(root)


def example(system: System, case: Case, question: Question, judge: CompileJudge) -> Example:
    try:
        answer = asyncio.run(system.ask(question))  # type: ignore[arg-type]
    except GoassistError as error:
        answer = Answer(error=str(error))
    return Example(case, system.name, answer, score(case, question, answer, judge))


def evaluated(directory: Path, systems: Sequence[System], judge: CompileJudge) -> Run:
    run = Run.open(directory, "infill", {})
    for system in systems:
        run = run.describe(system.name, system.about)
        for case in CASES:
            run.append(example(system, case, asked(case, judge.directory), judge))
    return Run.read(directory)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, judge: CompileJudge) -> Run:
    systems = (
        oracle.oracle(CASES),
        oracle.wrong(CASES, WRONGS),
        oracle.silent("skipped: nothing to say"),
        oracle.late(CASES, ms=2_500),
        oracle.faulty(CASES),
        oracle.failing(CASES, [case.key for case in CASES]),
        oracle.failing(CASES, [BROKEN_AT], "failing once"),
    )
    return evaluated(tmp_path_factory.mktemp("run") / "run", systems, judge)


@pytest.fixture(scope="module")
def told(run: Run) -> dict[str, Any]:
    return summary(run)


def values(told: dict[str, Any], system: str) -> dict[str, Any]:
    """Every measure's value, without its interval."""
    figures = told["figures"][system]
    return {name: figure["value"] if isinstance(figure, dict) else figure for name, figure in figures.items()}


# One of the five cases was not answered by all that are compared.
COMPARED = [case for case in CASES if case.key != BROKEN_AT]
NO_IMPORTS = {"import_right": None, "import_wrong": None}
SURE = {
    **NO_IMPORTS,
    "shown": 1.0,
    "ms_p50": oracle.MS,
    "ms_p90": oracle.MS,
    "ms_p50_of_all": oracle.MS,
    "holes": len(COMPARED),
}
COST = {"cpu_s": oracle.CPU_S, "read_tokens": 100, "generated_tokens": 5}
COMPILED = {"compiles_of_shown": 1.0, "compiles_bare_of_shown": 1.0, "compiles_of_all": 1.0}
REFUSED = {"compiles_of_shown": 0.0, "compiles_bare_of_shown": 0.0, "compiles_of_all": 0.0}
BODY = len(COMPARED[1].truth)
RIGHT = {"first_line": 1.0, "exact": 1.0, "edit_similarity": 1.0, "prefix_right": 1.0}


def test_all_four_kinds_and_a_test_file_are_asked_about() -> None:
    assert {case.kind for case in CASES} == {"line", "expression", "block", "body"}
    assert [case.file for case in CASES if case.file.endswith("_test.go")] == ["words_test.go"]


def test_the_truth_scores_everything(told: dict[str, Any]) -> None:
    assert values(told, "oracle") == {**SURE, **COST, **COMPILED, **RIGHT}


def test_what_is_wrong_but_compiles_scores_the_compiler_s_word_alone(told: dict[str, Any]) -> None:
    # Each differs in one character. The first has one more, in the others one stands for another.
    similarity = [24 / 25, 1 - 1 / BODY, 11 / 12, 9 / 10]
    agreeing = [19 / 24, 15 / BODY, 9 / 12, 8 / 10]
    assert values(told, "wrong") == pytest.approx(
        {
            **SURE,
            **COST,
            **COMPILED,
            "first_line": 0.0,
            "exact": 0.0,
            "edit_similarity": sum(similarity) / 4,
            "prefix_right": sum(agreeing) / 4,
        }
    )


def test_silence_scores_nothing_and_has_no_time_to_showing(told: dict[str, Any]) -> None:
    none = dict.fromkeys(("compiles_of_shown", "compiles_bare_of_shown", "ms_p50", "ms_p90"))
    tokens = dict.fromkeys(("read_tokens", "generated_tokens"))
    zero = dict.fromkeys(("shown", "compiles_of_all", *RIGHT), 0.0)
    assert values(told, "silent") == {
        **NO_IMPORTS,
        **none,
        **tokens,
        **zero,
        "ms_p50_of_all": oracle.MS,
        "cpu_s": oracle.CPU_S,
        "holes": len(COMPARED),
    }
    assert {reason: by["silent"] for reason, by in told["silent_because"].items()} == {
        "skipped: nothing to say": len(COMPARED)
    }


def test_a_late_truth_is_right_and_late(told: dict[str, Any]) -> None:
    times = dict.fromkeys(("ms_p50", "ms_p90", "ms_p50_of_all"), 2_500)
    assert values(told, "late") == {**SURE, **COST, **COMPILED, **RIGHT, **times}


def test_a_truth_with_one_fault_never_compiles(told: dict[str, Any]) -> None:
    # "Nowhere" is 7 characters behind the first name.
    similarity = [length / (length + 7) for length in (24, BODY, 12, 10)]
    agreeing = [4 / 24, 5 / BODY, 8 / 12, 3 / 10]
    assert values(told, "faulty") == pytest.approx(
        {
            **SURE,
            **COST,
            **REFUSED,
            "first_line": 0.0,
            "exact": 0.0,
            "edit_similarity": sum(similarity) / 4,
            "prefix_right": sum(agreeing) / 4,
        }
    )
    assert {word: by["faulty"] for word, by in told["first_complaint"].items()} == {"undefined name": len(COMPARED)}


def test_a_system_that_breaks_down_is_in_no_share(told: dict[str, Any]) -> None:
    words = {"system failed": {"words.go: the system broke down.": 2, "sums.go: the system broke down.": 2}}
    words["system failed"]["words_test.go: the system broke down."] = 1
    assert told["failures"]["failing"] == {
        "asked": 5,
        "errors": 5,
        "unjudged": 0,
        "unscored": 0,
        "words": {**words, "not judged": {}},
    }
    assert "failing" not in told["figures"]
    assert told["cases"] == {"asked": 5, "compared": 4, "left_out": 1, "apart": {"failing": 0}}


def test_a_case_that_one_system_did_not_answer_is_left_out_for_all(told: dict[str, Any]) -> None:
    assert told["failures"]["failing once"]["errors"] == 1
    assert values(told, "failing once") == values(told, "oracle")
    assert {f["holes"] for f in told["figures"].values()} == {len(COMPARED)}


def test_every_other_answer_was_judged(told: dict[str, Any]) -> None:
    found = {system: (f["errors"], f["unjudged"], f["unscored"]) for system, f in told["failures"].items()}
    assert found == {
        **dict.fromkeys(("oracle", "wrong", "silent", "late", "faulty"), (0, 0, 0)),
        "failing": (5, 0, 0),
        "failing once": (1, 0, 0),
    }


def test_each_kind_and_slice_says_the_same(told: dict[str, Any]) -> None:
    kinds, slices = told["groups"]["kind"], told["groups"]["slice"]
    assert {kind: by["oracle"]["holes"] for kind, by in kinds.items()} == dict.fromkeys(kinds, 1)
    assert set(kinds) == {"line", "expression", "block", "body"}
    assert {name: by["oracle"]["holes"] for name, by in slices.items()} == {"generics": 2, "tests": 1}
    for group in (*kinds.values(), *slices.values()):
        assert [group[s]["first_line"]["value"] for s in ("oracle", "wrong", "faulty", "silent")] == [1, 0, 0, 0]
        assert [group[s]["compiles_of_shown"]["value"] for s in ("oracle", "wrong", "faulty")] == [1, 1, 0]
    assert {name: by["oracle"]["holes"] for name, by in told["groups"]["age"].items()} == {"new": 2, "older": 2}


def test_four_cases_prove_nothing_about_two_systems(told: dict[str, Any]) -> None:
    paired = told["paired"]["systems"]
    assert told["paired"]["base"] == "oracle"
    assert paired["late"]["exact"] | {"n": 0} == {
        **dict.fromkeys(("difference", "low", "high", "gained", "lost", "n"), 0),
        "p": 1.0,
        "verdict": "within noise",
    }
    assert paired["wrong"]["first_line"]["difference"] == -1.0
    assert (paired["wrong"]["first_line"]["lost"], paired["wrong"]["first_line"]["p"]) == (4, 0.125)
    assert paired["wrong"]["compiles_and_shown"]["difference"] == 0.0
    assert paired["faulty"]["compiles_and_shown"]["difference"] == -1.0
    assert paired["silent"]["compiles_and_shown"]["difference"] == -1.0


def test_the_tables_say_what_the_figures_say(run: Run) -> None:
    text = markdown(run)
    systems = text[text.index("### Systems") : text.index("### Failures")]
    rows = {cells[1].strip(): [c.strip() for c in cells[2:-1]] for cells in map(split, systems.splitlines()) if cells}
    all_of_them, none = "100 % (40-100)", "0 % (0-60)"
    assert rows["oracle"][:6] == ["4", *[all_of_them] * 5]
    assert rows["wrong"][1:6] == [all_of_them] * 3 + [none] * 2
    assert rows["faulty"][1:6] == [all_of_them] + [none] * 4
    assert rows["silent"][1:6] == [none, "-", none, none, none]
    assert rows["late"][8:10] == ["2500 (2500-2500)"] * 2
    assert "failing" not in rows
    assert "4 cases that all compared systems answered; 1 left out." in text
    assert "failing answered 0 of 5 and stands apart" in text


def split(line: str) -> list[str]:
    return line.split("|") if line.startswith("| ") else []


def test_a_truth_whose_import_comes_along_compiles_with_it_alone(judge: CompileJudge) -> None:
    case = CASES[0]
    whole = asked(case, judge.directory)
    assert len(IMPORT) == len(ITS_PLACE)
    question = replace(whole, text=whole.text.replace(IMPORT, ITS_PLACE))
    found = example(oracle.importing(CASES, IMPORT), case, question, judge).scores
    assert found is not None
    assert (found.shown, found.compiles, found.compiles_bare) == (True, True, False)
    assert (found.exact, found.first_line_exact, found.prefix_right, found.edit_similarity) == (True, True, 1.0, 1.0)
    alone = example(oracle.oracle(CASES), case, question, judge).scores
    assert alone is not None
    assert (alone.compiles, alone.judge.endswith("undefined: strings")) == (False, True)
