"""An adapter for one's own repository: kept when it foretells later commits better, removed by one command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from goassist_index.errors import GoassistError
from goassist_lsp.cli import main
from goassist_lsp.cli.train import adapt as command
from goassist_models.evaluate.commits import Repository
from goassist_models.registry import resolve
from goassist_models.train import adapt

BEGUN = 4


CHECKED = "\tif err != nil {\n\t\treturn err\n\t}\n"


def function(number: int) -> str:
    """One of many that differ and have a manner in common."""
    calls = "".join(f"\terr = store.Write(key, {n})\n{CHECKED}" for n in range(number % 4))
    return f"func Save{number}(store *Store, key string) error {{\n\terr := store.Open(key)\n{calls}\treturn err\n}}\n"


FILE = "package store\n\ntype Store struct{}\n\nfunc (s *Store) Open(k string) error { return nil }\n\n"


def later(number: int) -> str:
    """A function of the same manner whose body is no copy of one that was there."""
    pad = "\tkey += key\n" * (number + 1)
    head = f"func New{number}(store *Store, key string) error {{\n{pad}\terr := store.Open(key)\n"
    return f"{head}{CHECKED}\treturn err\n}}\n"


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def commit(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", name)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Some commits of one manner, then two later ones with functions that are new."""
    root = tmp_path / "mine"
    root.mkdir()
    git(root, "init", "-q")
    commit(root, "go.mod", "module example.com/mine\n\ngo 1.23\n")
    for number in range(BEGUN):
        commit(root, f"f{number}.go", FILE + "\n".join(function(4 * number + n) for n in range(4)))
    for number in range(2):
        commit(root, f"later{number}.go", "package store\n\n" + "\n".join(later(6 * number + n) for n in range(6)))
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(command.os, "nice", lambda step: 0)
    return tmp_path / "cache"


def adapted(root: Path, base: Path, *more: str) -> int:
    flags = ("--model", str(base), "--later", "2", "--tokens", "1200", "--updates", "24", "--now")
    return main(["train", "adapt", str(root), *flags, *more])


def test_one_that_wins_is_kept_loaded_and_removed(
    repository: Path, base: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapted(repository, base, "--learning-rate", "1e-2") == 0
    told = capsys.readouterr().out
    place = adapt.Place.of(repository, cache)
    record = json.loads((place.kept / adapt.RECORD).read_text())
    assert record["kept"]
    assert record["adapted"] < record["base"]
    assert record["high"] < 0
    spec = told.split("`goassist.model` to ")[1].splitlines()[0]
    assert resolve(spec).adapter == place.kept / adapt.ADAPTER
    assert place.kept.stat().st_mode & 0o077 == 0
    assert adapted(repository, base) == 0
    assert "has been learnt already" in capsys.readouterr().out
    assert main(["train", "adapt", str(repository), "--remove"]) == 0
    assert not place.kept.exists()
    assert not place.work.exists()


def test_one_that_is_no_better_is_not_kept(
    repository: Path, base: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert adapted(repository, base, "--learning-rate", "1e-9") == 1
    assert "is not kept" in capsys.readouterr().out
    place = adapt.Place.of(repository, cache)
    assert not json.loads((place.kept / adapt.RECORD).read_text())["kept"]
    assert not (place.kept / adapt.ADAPTER).exists()


def test_a_stopped_one_goes_on_where_it_stood(
    repository: Path, base: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def stop() -> None:
        begun.append(1)
        if len(begun) == 15:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "wait_until_idle", stop)
    flags = ["--model", str(base), "--later", "2", "--tokens", "1200", "--updates", "24", "--learning-rate", "1e-2"]
    assert main(["train", "adapt", str(repository), *flags]) != 0
    assert len(begun) == 15
    assert not adapt.Place.of(repository, cache).kept.exists()
    assert main(["train", "adapt", str(repository), *flags]) == 0
    assert len(begun) < 15 + 24


def test_later_code_is_not_learnt(repository: Path, tmp_path: Path) -> None:
    opened = Repository.open(repository)
    split = adapt.split_history(opened, 2)
    before = adapt.tree(opened, split.before, tmp_path / "before")
    after = adapt.only_new(adapt.tree(opened, opened.head, tmp_path / "after"), before)
    assert {file.path for file in before} == {f"f{n}.go" for n in range(BEGUN)}
    assert {file.path for file in after} == {"later0.go", "later1.go"}
    assert adapt.ordered(before, frozenset({"f3.go"}), "")[0].path == "f3.go"


def test_a_history_that_is_too_short_is_named(tmp_path: Path, base: Path, capsys: Any) -> None:
    root = tmp_path / "young"
    root.mkdir()
    git(root, "init", "-q")
    commit(root, "a.go", "package a\n")
    assert adapted(root, base) != 0
    assert "too few to hold some out" in capsys.readouterr().err


def test_too_few_later_functions_are_named() -> None:
    with pytest.raises(GoassistError, match="later commits bring 0 functions"):
        adapt.chosen([], 10, 1)
