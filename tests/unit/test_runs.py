"""Runs on disk: what was appended is read again, a stopped run goes on, another's directory is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Answer, Case, Edit, Example, Scores
from goassist_models.evaluate.runs import Run

CASE = Case("m@v1", "a/a.go", "line", "rest of line", "F", True, 10, 13, 0, 20, "x+1", ("tests",), ("d@v1 2025-01",))
EXAMPLE = Example(
    CASE, "goassist 0.5b", Answer((Edit(1, 1, "é\n"),), 12.5, mean_logprob=-0.5, details={"trail": ["cut"]})
)


def test_an_example_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = Run.open(tmp_path, "infill", {"limit": 2})
    scored = replace(EXAMPLE, scores=Scores(True, "é\n", True, True, exact=True, edit_similarity=0.5))
    run.append(EXAMPLE)
    run.append(scored)
    assert run.examples("goassist 0.5b") == [EXAMPLE, scored]
    assert run.examples("nobody") == []


def test_a_line_cut_short_by_the_end_of_a_run_is_asked_again(tmp_path: Path) -> None:
    run = Run.open(tmp_path, "infill", {})
    run.append(EXAMPLE)
    with run.path(EXAMPLE.system).open("a", encoding="utf-8") as file:
        file.write('{"case": {"module"')
    assert run.examples(EXAMPLE.system) == [EXAMPLE]
    run.append(EXAMPLE)
    assert run.examples(EXAMPLE.system) == [EXAMPLE, EXAMPLE]


def test_a_damaged_line_is_named_with_its_file(tmp_path: Path) -> None:
    run = Run.open(tmp_path, "infill", {})
    run.append(EXAMPLE)
    path = run.path(EXAMPLE.system)
    path.write_text('{"case": 1}\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(GoassistError, match=r"line 1 is no Example") as error:
        run.examples(EXAMPLE.system)
    assert str(path) in str(error.value)


def test_the_same_arguments_go_on_and_others_are_refused(tmp_path: Path) -> None:
    begun = Run.open(tmp_path, "infill", {"limit": 2, "modules": ("a", "b")})
    begun.describe("s", {"model": "m"}).note(failed=[1])
    again = Run.open(tmp_path, "infill", {"limit": 2, "modules": ("a", "b")})
    assert again.systems == ("s",)
    assert again.header["failed"] == [1]
    with pytest.raises(GoassistError, match="other arguments"):
        Run.open(tmp_path, "infill", {"limit": 3, "modules": ("a", "b")})
    with pytest.raises(GoassistError, match="other arguments"):
        Run.open(tmp_path, "typing", {"limit": 2, "modules": ("a", "b")})


def test_rewriting_replaces_all_of_a_system(tmp_path: Path) -> None:
    run = Run.open(tmp_path, "infill", {})
    run.append(EXAMPLE)
    run.append(EXAMPLE)
    run.rewrite(EXAMPLE.system, [EXAMPLE])
    assert run.examples(EXAMPLE.system) == [EXAMPLE]


def test_a_directory_without_a_run_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match="no evaluation run"):
        Run.read(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"task": "infill"}))
    with pytest.raises(GoassistError, match="no evaluation run"):
        Run.read(tmp_path)


def test_the_header_names_machine_and_versions(tmp_path: Path) -> None:
    header = Run.open(tmp_path, "infill", {}).header
    assert header["machine"]["cores"] >= 1
    assert header["versions"]["go"].startswith("go1")


def test_the_key_of_a_case_does_not_depend_on_how_it_is_described() -> None:
    assert replace(CASE, slices=(), new=False).key == CASE.key
    assert replace(CASE, start=11).key != CASE.key


def test_imports_that_come_along_are_taken_or_left() -> None:
    answer = Answer((Edit(8, 8, "strings.ToUpper"), Edit(0, 0, "import\n")))
    assert answer.taken("package \nrest") == "import\npackage strings.ToUpper\nrest"
    assert answer.taken("package \nrest", imports=False) == "package strings.ToUpper\nrest"


def test_a_text_with_a_unicode_line_separator_stays_one_line(tmp_path: Path) -> None:
    run = Run.open(tmp_path, "infill", {})
    odd = replace(EXAMPLE, answer=Answer((Edit(1, 1, "a\u2028b\x85c"),)))
    run.append(odd)
    assert run.examples(EXAMPLE.system) == [odd]
