"""Claims about made-up modules: they compile, are as large as asked for, and hang together."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from goassist_models.evaluate.made_up import MODULE, file_with_hole, write_module


def test_a_file_has_about_the_lines_asked_for_and_its_hole_in_a_body() -> None:
    for lines in (100, 1000, 10_000):
        before, after = file_with_hole(lines)
        assert abs((before + after).count("\n") - lines) <= 30
        assert before.endswith("\ttotal := count\n\t")
        assert after.startswith("\n\treturn total\n}\n")
        assert abs(len(before) - len(after)) < 1000


def test_a_workspace_has_the_lines_asked_for(tmp_path: Path) -> None:
    files, first = write_module(tmp_path, 5000, 1000)
    assert [file.parent.name for file in files] == ["p0", "p1", "p2", "p3", "p4"]
    assert first == [f"{MODULE}/p0"]
    lines = sum(file.read_text().count("\n") for file in files)
    assert abs(lines - 5000) <= 100


@pytest.mark.skipif(shutil.which("go") is None, reason="needs the Go toolchain")
def test_it_compiles_and_every_package_is_reached_from_its_main_file(tmp_path: Path) -> None:
    files, first = write_module(tmp_path, 140, 20)
    before, after = file_with_hole(60, first)
    (tmp_path / "main.go").write_text(before + after)
    subprocess.run(["go", "vet", "./..."], cwd=tmp_path, check=True)
    reached = subprocess.run(["go", "list", "-deps", "."], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert sum(line.startswith(MODULE) for line in reached.stdout.splitlines()) == 8
    assert subprocess.run(["gofmt", "-l", *files], check=True, capture_output=True).stdout == b""
