"""Proof of `eval humaneval-x` both ways, on two problems of our own: what is right passes, each fault is named.

With the real Go toolchain, type service and sandbox; only the model's part is played.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError, ModelError
from goassist_lsp.cli import main
from goassist_lsp.cli.eval import humaneval as task
from goassist_models.engine.fake import FakeEngine
from goassist_models.evaluate.humaneval import Problem, prepare, read_problems, verdict
from goassist_models.evaluate.sandbox import Limits
from goassist_models.infill import InfillPrompt

SETUP = 'package main\n\nimport (\n    "testing"\n)\n'
ROWS = (
    {
        "task_id": "Own/0",
        "prompt": 'import (\n    "strings"\n)\n\n// Shout says it in capitals.\nfunc Shout(said string) string {\n',
        "canonical_solution": "    return strings.ToUpper(said)\n}\n",
        "test": 'func TestShout(t *testing.T) {\n    if Shout("ab") != "AB" {\n        t.Fatal("not loud")\n    }\n}\n',
        "test_setup": SETUP,
    },
    {
        "task_id": "Own/1",
        "prompt": "// Double gives twice as much.\nfunc Double(n int) int {\n",
        "canonical_solution": "    return 2 * n\n}\n",
        "test": "func TestDouble(t *testing.T) {\n    if Double(4) != 8 {\n        t.Fatal(Double(4))\n    }\n}\n",
        "test_setup": SETUP,
    },
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture(scope="module")
def problems(data: Path) -> tuple[Problem, ...]:
    return read_problems(data)


@pytest.fixture(scope="module")
def module(problems: tuple[Problem, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("cache"), problems)


def test_the_authors_solutions_pass(problems: tuple[Problem, ...], module: Path) -> None:
    assert [verdict(problem, problem.solution, module).verdict for problem in problems] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("body", "expected", "told"),
    [
        ("\treturn 3 * n\n}\n", "fails", "problem_test.go:15: 12"),
        ("\tpanic(n)\n}\n", "fails", "panic: 4"),
        ("}\n", "does not compile", "missing return"),
        ('\treturn "n"\n}\n', "does not compile", "problem_test.go:10"),
        ("\treturn 2 * n\n", "does not compile", "problem_test.go"),
        ("\tm := 2 * n\n\treturn 2 * n\n}\n", "does not compile", "declared and not used: m"),
        ("\treturn unicode.MaxRune\n}\n", "does not compile", "undefined: unicode"),
        ("\tfor {\n\t}\n}\n", "times out", ""),
        ("\tselect {}\n}\n", "fails", "deadlock"),
        (
            "\tvar kept [][]int\n\tfor {\n\t\tkept = append(kept, make([]int, 1<<20))\n\t}\n}\n",
            "fails",
            "out of memory",
        ),
    ],
)
def test_a_fault_is_named(problems: tuple[Problem, ...], module: Path, body: str, expected: str, told: str) -> None:
    judgement = verdict(problems[1], body, module, Limits(wall_s=3))
    assert (judgement.verdict, told in judgement.detail) == (expected, True), judgement.detail


def test_a_body_that_ends_the_test_early_has_not_passed(problems: tuple[Problem, ...], module: Path) -> None:
    test = "func TestDouble(t *testing.T) { Double(4) }\n"
    early = Problem("Own/2", problems[1].prompt, "", test, SETUP.replace('"testing"', '"testing"\n    "os"'))
    assert verdict(early, "\tos.Exit(0)\n\treturn 0\n}\n", module).verdict == "fails"


def test_a_module_that_cannot_be_compiled_in_is_no_verdict(problems: tuple[Problem, ...], tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("nonsense\n")
    with pytest.raises(GoassistError, match="Own/1"):
        verdict(problems[1], problems[1].solution, tmp_path)


Says = Callable[[InfillPrompt], Sequence[str]]


def says(shout: str, double: str) -> Says:
    return lambda prompt: [shout if "Shout" in prompt.prefix else double]


RIGHT = says("return strings.ToUpper(said)", "return 2 * n")


@pytest.fixture
def measured(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run the command with an engine that says so; gives exit status, rows by system and drawing, the engine."""

    def measure(said: Says | Exception, *flags: str):  # type: ignore[no-untyped-def]
        engine = FakeEngine(said)

        async def fake(*_: object) -> FakeEngine:
            return engine

        monkeypatch.setattr(task, "_engine", fake)
        out = str(tmp_path / "run")
        words = ["eval", "humaneval-x", "--data", str(data), "--out", out, "--json", "--samples", "2", *flags]
        status = main(words)
        report = json.loads(capsys.readouterr().out)
        return status, {(row["system"], row["drawn"]): row for row in report["rows"]}, engine

    return measure


def test_an_oracle_passes_everything_in_every_mode(measured) -> None:  # type: ignore[no-untyped-def]
    status, rows, _ = measured(RIGHT)
    assert status == 0
    assert {key for key, row in rows.items() if row["pass_at"]["1"]["value"] == 1.0} == {
        (f"fake {mode}", drawn)
        for mode in ("raw", "unchecked", "checked", "repaired")
        for drawn in ("greedy", "sampled")
    }
    assert all(row["shares"]["passed"] == 1.0 and row["problems"] == 2 for row in rows.values())
    assert rows["fake checked", "sampled"]["pass_at"]["2"]["value"] == 1.0


def test_wrong_answers_fail_in_every_mode(measured) -> None:  # type: ignore[no-untyped-def]
    _, rows, _ = measured(says("return strings.ToLower(said)", "return 3 * n"))
    assert [row["shares"]["fails"] for row in rows.values()] == [1.0] * 8


def test_what_does_not_compile_is_shown_unchecked_and_kept_back_checked(measured) -> None:  # type: ignore[no-untyped-def]
    _, rows, _ = measured(says("return strings.Louder(said)", 'return "two" * n'))
    assert rows["fake raw", "greedy"]["shares"]["does not compile"] == 1.0
    assert rows["fake unchecked", "sampled"]["shares"]["does not compile"] == 1.0
    assert rows["fake checked", "greedy"]["shares"]["silent"] == 1.0
    assert rows["fake checked", "greedy"]["passed_of_shown"] is None


def test_saying_nothing_is_silence(measured) -> None:  # type: ignore[no-untyped-def]
    _, rows, _ = measured(says("", ""))
    assert [row["shares"]["silent"] for row in rows.values()] == [1.0] * 8


def test_an_import_that_is_missing_in_the_users_file_is_not_held_against_an_answer(measured) -> None:  # type: ignore[no-untyped-def]
    _, rows, _ = measured(says("return strings.ToUpper(said)", "return int(math.Round(2 * float64(n)))"))
    without_check = [rows[f"fake {mode}", drawn] for mode in ("raw", "unchecked") for drawn in ("greedy", "sampled")]
    assert [(row["shares"]["passed"], row["imports_to_mend"]) for row in without_check] == [(1.0, 0.5)] * 4


def test_a_finished_run_is_not_asked_again(measured) -> None:  # type: ignore[no-untyped-def]
    _, first, _ = measured(RIGHT)
    status, again, engine = measured(ModelError("must not be asked"))
    assert (status, engine.requests, again == first) == (0, [], True)


def test_what_could_not_be_asked_is_left_out_and_asked_again(measured) -> None:  # type: ignore[no-untyped-def]
    status, rows, _ = measured(ModelError("the model is gone"))
    assert status == 1
    assert {row["problems"] for row in rows.values()} == {0}
    assert rows["fake raw", "greedy"]["errors"].keys() == {"Own/0", "Own/1"}
    status, rows, _ = measured(RIGHT)
    assert (status, {row["problems"] for row in rows.values()}) == (0, {2})


def test_a_limit_chooses_problems_by_seed(measured) -> None:  # type: ignore[no-untyped-def]
    _, rows, _ = measured(RIGHT, "--limit", "1")
    assert {row["problems"] for row in rows.values()} == {1}


def test_without_a_data_file_the_command_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GOASSIST_HUMANEVAL_X", raising=False)
    assert main(["eval", "humaneval-x"]) == 2
    assert "--data" in capsys.readouterr().err
