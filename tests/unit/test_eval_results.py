"""The page of results: tables are replaced between their marks, prose stays, a page without the marks stays whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_lsp import cli
from goassist_lsp.cli.eval.results import footnote, replaced
from goassist_models.evaluate.example import Answer, Case, Edit, Example, Scores
from goassist_models.evaluate.runs import Run

PAGE = "# Results\n\nProse.\n\n<!-- infill: begin -->\nold\n<!-- infill: end -->\n\nMore prose.\n"


def finished_run(directory: Path) -> Run:
    run = Run.open(directory, "infill", {"limit": 1}).describe("ours", {"model": "m"})
    case = Case("m@v1", "a.go", "line", "rest of line", "F", True, 1, 2, 0, 3, "x")
    scores = Scores(True, "x", True, True, True, True, 1.0, 1.0)
    run.append(Example(case, "ours", Answer((Edit(1, 1, "x"),), 10.0), scores))
    return run


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    assert replaced(PAGE, "infill", "new", Path("p")) == PAGE.replace("\nold\n", "\n\nnew\n\n")


def test_a_page_without_the_marks_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match="no place for typing"):
        replaced(PAGE, "typing", "new", tmp_path)


def test_a_finished_run_is_written_into_the_page(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text(PAGE + PAGE.replace("infill", "ablations"))
    run = finished_run(tmp_path / "run")
    words = ["eval", "results", str(run.directory), f"ablations={run.directory}", "--write", str(page)]
    assert cli.main(words) == 0
    written = page.read_text()
    assert written.startswith("# Results\n\nProse.\n\n<!-- infill: begin -->\n\n")
    assert "old" not in written
    assert written.count("ours") >= 2
    assert footnote(run.header) in written


def test_a_page_is_left_as_it_is_when_one_run_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    run = finished_run(tmp_path / "run")
    assert cli.main(["eval", "results", str(run.directory), str(tmp_path / "none"), "--write", str(page)]) == 2
    assert page.read_text() == PAGE
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_a_missing_extra_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "results.md"
    page.write_text(PAGE)
    run = finished_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert cli.main(["eval", "results", str(run.directory), "--write", str(page)]) == 2
    assert "pandas is not installed. Install it with `pip install 'goassist-lsp[eval]'`" in capsys.readouterr().err
    assert page.read_text() == PAGE
