"""HumanEval-X without compiling: files, bodies, imports, the estimator, what is drawn once and said to all modes."""

import gzip
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.cli.eval.humaneval import MODES, Draws, body_taken
from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.fake import FakeEngine
from goassist_models.evaluate.example import Answer, Edit
from goassist_models.evaluate.humaneval import (
    DATA_VARIABLE,
    Problem,
    assembled,
    body_of,
    data_file,
    end_of_function,
    imports_to_mend,
    opened,
    pass_at_k,
    read_problems,
)
from goassist_models.evaluate.report.humaneval import (
    GREEDY,
    SAMPLED,
    Asked,
    Attempt,
    as_json,
    comparisons,
    line,
    markdown,
    records,
    rows,
)
from goassist_models.evaluate.runs import Run
from goassist_models.infill import FORMS, InfillPrompt

SETUP = 'package main\n\nimport (\n    "testing"\n    "math/rand"\n)\n'
PROBLEM = Problem(
    name="Go/7",
    prompt='import (\n    "sort"\n)\n\n// Loud says it loudly.\nfunc Loud(words []string) string {\n',
    solution="    return words[0]\n}\n",
    test="func TestLoud(t *testing.T) {\n    _ = rand.Int()\n}\n",
    test_setup=SETUP,
)
ROW = {**asdict(PROBLEM), "task_id": "Go/7", "canonical_solution": PROBLEM.solution, "docstring": "", "import": ""}


def test_reads_problems_compressed_and_plain(tmp_path: Path) -> None:
    data = (json.dumps(ROW) + "\n\n").encode()
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data))
    assert read_problems(tmp_path / "a.jsonl") == read_problems(tmp_path / "a.jsonl.gz") == (PROBLEM,)


@pytest.mark.parametrize("data", [b"", b"no json\n", b"{}\n", b"[1]\n", b"\x1f\x8bbroken", b"\xff\xfe\n"])
def test_a_file_of_something_else_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data"
    path.write_bytes(data)
    with pytest.raises(GoassistError, match=str(path)):
        read_problems(path)


def test_the_data_file_is_the_flags_then_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=DATA_VARIABLE):
        data_file(None)
    by_environment, by_flag = tmp_path / "environment", tmp_path / "flag"
    by_environment.touch()
    by_flag.touch()
    monkeypatch.setenv(DATA_VARIABLE, str(by_environment))
    assert (data_file(None), data_file(by_flag)) == (by_environment, by_flag)
    with pytest.raises(ConfigError, match="no such data file"):
        data_file(tmp_path / "missing")


def test_a_body_put_at_the_cursor_comes_back_with_its_brace() -> None:
    text, offset = opened(PROBLEM)
    assert text.startswith('package main\n\nimport (\n    "sort"\n)\n')
    taken = text[:offset] + "return words[0]" + text[offset:]
    assert body_of(PROBLEM, taken) == "\treturn words[0]\n}\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("return 1\n}\n\nfunc main() {\n}\n", "return 1\n"),
        ("if a {\n\tb()\n}\nreturn T{1}\n}", "if a {\n\tb()\n}\nreturn T{1}\n"),
        ('x := "}" // }\ny := `}`\n', None),
        ("for {\n", None),
    ],
)
def test_the_function_ends_at_its_own_brace(text: str, kept: str | None) -> None:
    end = end_of_function(text)
    assert (None if end is None else text[:end]) == kept


def test_raw_text_is_cut_at_the_functions_brace_and_other_text_is_not() -> None:
    _, offset = opened(PROBLEM)
    answer = Answer(edits=(Edit(offset, offset, "return words[0]\n}\n\nfunc other() {"),))
    raw, unchecked, *_ = MODES
    assert body_taken(PROBLEM, raw, answer) == "\treturn words[0]\n\n}\n"
    assert body_taken(PROBLEM, unchecked, answer) == "\treturn words[0]\n}\n\nfunc other() {\n}\n"


def imported(body: str) -> list[str]:
    return [text.split('"')[1] for text in assembled(PROBLEM, body).splitlines() if text.startswith('import "')]


def test_imports_are_those_of_the_setup_and_those_that_are_used() -> None:
    assert assembled(PROBLEM, "return words[0]\n}\n").count("import") == 1
    assert imported("return strings.ToUpper(words[0])\n}\n") == ["strings"]
    assert imported("sort.Strings(words)\nvar b bytes.Buffer\nreturn b.String()\n}\n") == ["bytes", "sort"]
    assert imported("return fmt.Sprint(math.Pi, rand.Int())\n}\n") == ["math", "fmt"]


def test_a_package_that_the_test_alone_uses_is_imported() -> None:
    test = "func TestLoud(t *testing.T) {\n    _ = math.Sqrt(float64(rand.Int()))\n}\n"
    assert 'import "math"\n' in assembled(replace(PROBLEM, test=test), "return words[0]\n}\n")


def test_a_package_in_a_comment_or_string_is_not_used_and_others_are_not_imported() -> None:
    assert imported('// strings.ToUpper\nreturn "sort.Strings"\n}\n') == []
    assert imported("return unicode.ToUpper(words[0])\n}\n") == []


def test_says_what_the_users_own_imports_would_have_to_become() -> None:
    assert imports_to_mend(PROBLEM, "sort.Strings(words)\n}\n") == ((), ())
    assert imports_to_mend(PROBLEM, "return strings.ToUpper(words[0])\n}\n") == (("strings",), ("sort",))


@pytest.mark.parametrize(
    ("passed", "drawn", "k", "expected"),
    [
        (0, 5, 1, 0.0),
        (5, 5, 1, 1.0),
        (1, 5, 1, 0.2),
        (1, 5, 5, 1.0),
        (2, 5, 2, 0.7),
        (1, 1, 1, 1.0),
        (3, 10, 5, 11 / 12),
    ],
)
def test_pass_at_k_is_the_share_of_draws_of_k_with_one_that_passes(
    passed: int, drawn: int, k: int, expected: float
) -> None:
    assert pass_at_k(passed, drawn, k) == pytest.approx(expected)


@pytest.mark.parametrize(("passed", "drawn", "k"), [(2, 1, 1), (0, 1, 2), (0, 0, 1), (-1, 3, 1)])
def test_pass_at_k_of_what_cannot_be_is_refused(passed: int, drawn: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(passed, drawn, k)


REQUEST = GenerateRequest(InfillPrompt(FORMS["psm"], prefix="func f() {\n", suffix="}\n"), max_tokens=50)


async def test_what_was_drawn_once_is_said_to_each_mode_and_cut_where_it_would_have_stopped() -> None:
    engine = FakeEngine(["a\nb\nc\n}\nfunc more()", "d\n}"])
    draws = Draws(engine, 2, 0.6, seed=9)
    (first,) = await draws.turn(0).generate(REQUEST, CancelToken())
    (second,) = await draws.turn(1).generate(REQUEST, CancelToken())
    stopped = replace(REQUEST, until=lambda text: text.count("\n") > 1)
    (cut,) = await draws.turn(0).generate(stopped, CancelToken())
    assert (first.text, second.text, cut.text) == ("a\nb\nc\n}", "d\n}", "a\nb\n")
    assert [(r.n, r.temperature, r.seed) for r in engine.requests] == [(2, 0.6, 9)]


async def test_an_engine_with_less_room_is_asked_again_with_other_seeds() -> None:
    engine = FakeEngine(["a\n}"])
    draws = Draws(engine, 3, 0.6, seed=9)
    await draws.turn(2).generate(REQUEST, CancelToken())
    assert [(r.n, r.seed) for r in engine.requests] == [(3, 9), (2, 10), (1, 11)]


async def test_a_second_draw_goes_to_the_engine_with_a_seed_of_its_own() -> None:
    engine = FakeEngine(["a", "b"])
    draws = Draws(engine, 2, 0.6, seed=9)
    asked = replace(REQUEST, n=2, temperature=0.7, seed=1)
    drawn = [g.text for index in (0, 1) for g in await draws.turn(index).generate(asked, CancelToken())]
    assert drawn == ["a", "b", "a", "b"]
    assert [(r.n, r.temperature, r.seed) for r in engine.requests] == [(2, 0.7, 1), (2, 0.7, 1001)]


def the_run(directory: Path) -> Run:
    """Two modes, four problems: one silent, one left out, one that passes in one mode alone."""
    run = Run(directory, {"task": "humaneval-x", "arguments": {}, "systems": {}})
    passed, broken, silent = (
        Attempt("passed", "b"),
        Attempt("does not compile", "b", "problem_test.go:3:1: undefined: a", missing_imports=("x",)),
        Attempt("silent", detail="check: undefined: a"),
    )
    said = {
        "m unchecked": ([passed], [broken], [broken], [passed]),
        "m checked": ([passed], [silent], [passed], []),
    }
    for system, answers in said.items():
        run = run.describe(system, {})
        for number, attempts in enumerate(answers):
            error = "" if attempts else "the engine is gone"
            run.append_line(system, line(Asked(f"Go/{number}", GREEDY, tuple(attempts), error)))
        sampled = Asked("Go/0", SAMPLED, (passed, broken, silent, broken))
        run.append_line(system, line(sampled))
    return run


def test_silence_and_what_was_left_out_are_counted_apart(tmp_path: Path) -> None:
    unchecked, unchecked_sampled, checked, _ = rows(the_run(tmp_path))
    assert (unchecked.problems, unchecked.pass_at[1].value, unchecked.shares["does not compile"]) == (4, 0.5, 0.5)
    assert unchecked.imports_to_mend == 0.5
    assert (unchecked.complaints, unchecked.silences) == ({"undefined name": 2}, {})
    assert (checked.complaints, checked.silences) == ({}, {"check: undefined name": 1})
    assert (checked.problems, checked.pass_at[1].value, checked.shares["silent"]) == (3, 2 / 3, 1 / 3)
    assert checked.passed_of_shown is not None
    assert checked.passed_of_shown.value == 1.0
    assert checked.errors == {"Go/3": "the engine is gone"}
    assert {k: estimate.value for k, estimate in unchecked_sampled.pass_at.items()} == {1: 0.25, 4: 1.0}


def test_modes_of_a_model_are_compared_on_the_problems_that_both_answered(tmp_path: Path) -> None:
    (sentence,) = comparisons(the_run(tmp_path))
    assert "m checked alone 1 times, m unchecked alone 0 times of 3" in sentence


def test_the_page_names_what_was_left_out(tmp_path: Path) -> None:
    run = the_run(tmp_path)
    page = markdown(run)
    assert "m checked, greedy: 1 left out, the first (Go/3): the engine is gone" in page
    assert "m unchecked, greedy, does not compile: undefined name 2." in page
    assert len({text.count("|") for text in page.splitlines() if text.startswith("|")}) == 1
    assert [row["problems"] for row in as_json(run)["rows"]] == [4, 1, 3, 1]


def test_a_later_record_replaces_an_earlier_one_and_a_damaged_line_is_named(tmp_path: Path) -> None:
    run = the_run(tmp_path)
    run.append_line("m checked", line(Asked("Go/3", GREEDY, (Attempt("fails", "b"),))))
    assert records(run, "m checked")["Go/3", GREEDY].error == ""
    run.append_line("m checked", "{}")
    with pytest.raises(GoassistError, match="line 7"):
        records(run, "m checked")
