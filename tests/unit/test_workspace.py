from __future__ import annotations

from pathlib import Path

import pytest

from goassist_index.workspace import module_problem, workspace_root


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GOWORK", raising=False)
    (tmp_path / "work/module/pkg").mkdir(parents=True)
    (tmp_path / "work/loose").mkdir()
    (tmp_path / "work/module/go.mod").write_text("module example.com/m\n")
    (tmp_path / "work/module/pkg/a.go").write_text("package pkg\n")
    return tmp_path / "work"


def test_root_of_a_file_is_its_module(tree: Path) -> None:
    assert workspace_root(tree / "module/pkg/a.go") == tree / "module"
    assert workspace_root(tree / "module/pkg") == tree / "module"


def test_go_work_further_up_wins_over_go_mod(tree: Path) -> None:
    (tree / "go.work").write_text("go 1.22\n")
    assert workspace_root(tree / "module/pkg/a.go") == tree


def test_gowork_off_leaves_go_work_aside(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "go.work").write_text("go 1.22\n")
    monkeypatch.setenv("GOWORK", "off")
    assert workspace_root(tree / "module/pkg/a.go") == tree / "module"


def test_gowork_names_the_file_to_use(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOWORK", str(tree / "elsewhere/go.work"))
    assert workspace_root(tree / "module/pkg/a.go") == tree / "elsewhere"


def test_file_outside_any_module_has_its_own_directory(tree: Path) -> None:
    assert workspace_root(tree / "loose/main.go") == tree / "loose"


def test_whole_module_and_loose_files_have_no_problem(tree: Path) -> None:
    assert module_problem(tree / "module/pkg") is None
    assert module_problem(tree / "loose") is None


def test_broken_go_mod_is_named_with_what_go_says_of_it(tree: Path) -> None:
    (tree / "module/go.mod").write_text("modul example.com/m\n")
    problem = module_problem(tree / "module")
    assert problem is not None
    assert problem.path == str(tree / "module/go.mod")
    assert "unknown directive: modul" in problem.what


def test_go_work_that_lists_a_missing_module_is_named(tree: Path) -> None:
    (tree / "go.work").write_text("go 1.22\n\nuse (\n\t./module\n\t./gone\n)\n")
    problem = module_problem(tree / "module")
    assert problem is not None
    assert problem.path == str(tree / "go.work")
    assert "gone" in problem.what
