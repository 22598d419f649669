"""Claims about goassist_index.beside: what the files of a package import, read from their heads as they are saved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goassist_index import beside
from goassist_index.beside import ImportsBeside
from goassist_index.verdict import ImportSpec


def write(directory: Path, **imports: str) -> None:
    for name, specs in imports.items():
        lines = "".join(f"\t{spec}\n" for spec in specs.split())
        (directory / f"{name}.go").write_text(f"package p\n\nimport (\n{lines})\n\nvar _ = 1\n")


def paths(found: tuple[ImportSpec, ...]) -> list[str]:
    return [spec.path for spec in found]


def test_what_most_files_import_comes_first_and_the_own_file_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, a='"os" "fmt"', b='"fmt" "errors"', own='"net/http"')
    assert paths(ImportsBeside().of(tmp_path / "own.go")) == ["fmt", "errors", "os"]


def test_a_test_sees_what_tests_import_and_other_files_do_not(tmp_path: Path) -> None:
    write(tmp_path, a='"os"', a_test='"testing"')
    assert paths(ImportsBeside().of(tmp_path / "own.go")) == ["os"]
    assert paths(ImportsBeside().of(tmp_path / "own_test.go")) == ["os", "testing"]


def test_a_name_of_its_own_is_kept_and_imports_without_a_name_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.go").write_text('package p\n\nimport (\n\tstr "strings"\n\t_ "embed"\n\t. "math"\n)\nimport "C"\n')
    assert ImportsBeside().of(tmp_path / "own.go") == (ImportSpec("str", "strings"),)


def test_a_file_is_read_again_when_it_is_saved_or_gone(tmp_path: Path) -> None:
    found = ImportsBeside()
    write(tmp_path, a='"os"', b='"fmt"')
    assert paths(found.of(tmp_path / "own.go")) == ["fmt", "os"]
    write(tmp_path, a='"errors"')
    os.utime(tmp_path / "a.go", ns=(1, 1))
    (tmp_path / "b.go").unlink()
    assert paths(found.of(tmp_path / "own.go")) == ["errors"]


def test_what_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ImportsBeside()
    write(tmp_path, a='"os"')
    found.of(tmp_path / "own.go")
    monkeypatch.setattr(beside, "read_header", lambda text: pytest.fail("read again"))
    assert paths(found.of(tmp_path / "own.go")) == ["os"]


def test_another_directory_is_another_package(tmp_path: Path) -> None:
    found = ImportsBeside()
    (tmp_path / "q").mkdir()
    write(tmp_path, a='"os"')
    write(tmp_path / "q", a='"fmt"')
    assert paths(found.of(tmp_path / "own.go")) == ["os"]
    assert paths(found.of(tmp_path / "q" / "own.go")) == ["fmt"]


@pytest.mark.parametrize("text", ["", "package", 'package p\n\nimport (\n\t"os', "\0\0", 'package p; import "os"\n'])
def test_a_broken_file_counts_for_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, a='"os"')
    (tmp_path / "broken.go").write_text(text)
    assert paths(ImportsBeside().of(tmp_path / "own.go")) == ["os"]


def test_a_directory_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert ImportsBeside().of(tmp_path / "gone" / "own.go") == ()


def test_folders_and_hidden_files_are_no_go_files(tmp_path: Path) -> None:
    (tmp_path / "odd.go").mkdir()
    write(tmp_path, **{"_off": '"os"', ".off": '"os"'})
    assert ImportsBeside().of(tmp_path / "own.go") == ()


def test_of_a_large_package_the_first_files_count(tmp_path: Path) -> None:
    for number in range(beside.MOST_FILES + 2):
        write(tmp_path, **{f"f{number:03}": f'"example.com/{number}"'})
    assert len(ImportsBeside().of(tmp_path / "own.go")) == beside.MOST_FILES
