"""Claims about `bench growth` and `bench load`: keys go through a server and are counted; nothing is timed here."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from goassist_index.errors import GoassistError
from goassist_index.store import store_folder
from goassist_lsp import cli
from goassist_lsp.cli import bench_growth, bench_load
from goassist_lsp.cli.bench_growth import AXES, Axis, Point, point
from goassist_lsp.cli.bench_keys import BEGINNING, Key, Scene, figures, ratio, typist, unguessed
from goassist_models.evaluate.made_up import file_with_hole
from support.lsp_client import FAKE_SERVER
from support.workspaces import lay_out


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def scene(root: Path, size: int = 1, **directions: object) -> Scene:
    """`size` is the count of functions around the hole; the fake server does as it is directed."""
    (root / "go.mod").write_text("module m\n\ngo 1.23\n")
    before, after = file_with_hole(12 * size)
    return Scene(root, root / "main.go", f"//fake {json.dumps({'say': [], **directions})}\n{before}", after)


def axis(**directions: object) -> Axis:
    return Axis("file", "functions", (1, 4), lambda root, size: scene(root, size, **directions))


async def told(at: Scene, characters: str) -> tuple[list[Key], list[list[object]]]:
    """The keys' figures, and what the assistant was told meanwhile."""
    async with typist(at, FAKE_SERVER, gap_s=0.0) as hand:
        keys = await hand.keys(characters)
        log = (await hand._client.status())["log"]
    return keys, log


async def test_each_key_changes_the_document_and_asks_behind_it(tmp_path: Path) -> None:
    keys, log = await told(scene(tmp_path, say=["x"]), "ab+")
    lines = [entry[1] for entry in log if entry[0] == "complete"]
    assert lines == ["\ta", "\tab", "\tab+"]
    assert all(key.prompt_tokens > 0 and key.read_tokens > 0 and not key.skipped for key in keys)


async def test_the_other_files_are_open_too(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("a.go", "b.go")]
    for other in others:
        other.write_text("package main\n")
    _, log = await told(replace(scene(tmp_path), others=others), "a")
    assert [entry[1] for entry in log if entry[0] == "opened"] == ["a.go", "b.go", "main.go"]


async def test_a_key_that_the_model_is_not_asked_about_says_why(tmp_path: Path) -> None:
    (key,), _ = await told(scene(tmp_path), "}")
    assert (key.prompt_tokens, key.skipped) == (0, "the statement before the cursor is complete")


async def test_a_size_is_measured_with_its_first_key_apart(tmp_path: Path) -> None:
    found = await point(axis(), 4, 5, 1, FAKE_SERVER, 0.0)
    assert found.why == ""
    assert found.first is not None
    assert len(found.keys) == 5


async def test_a_server_that_cannot_be_had_leaves_the_size_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goassist_lsp.cli.bench_keys._LOADING_LIMIT_S", 0.2)
    monkeypatch.setenv("FAKE_LOADING", "1")
    found = await point(axis(), 4, 5, 1, FAKE_SERVER, 0.0)
    assert "not ready" in found.why
    assert found.as_json()["first_key"] is None


def test_what_is_typed_is_the_same_for_a_seed_and_never_ends_a_statement() -> None:
    first, again, other = ("".join(itertools.islice(unguessed(seed), 200)) for seed in (1, 1, 2))
    assert first == again != other
    assert not set(first) & set(";\n}")
    assert BEGINNING.endswith(" ")


def test_figures_are_percentiles_of_time_and_means_of_tokens() -> None:
    keys = [Key(10.0, 100, 1), Key(30.0, 102, 0), Key(20.0, 0, 0, "paused")]
    assert figures(keys) == {
        "keys": 3,
        "skipped": 1,
        "p50_ms": 20.0,
        "p95_ms": 30.0,
        "read_tokens": pytest.approx(1 / 3),
        "prompt_tokens": pytest.approx(202 / 3),
    }
    assert figures([])["p50_ms"] is None
    assert (ratio(6.0, 3.0), ratio(None, 3.0), ratio(6.0, 0.0)) == (2.0, None, None)


def grown(monkeypatch: pytest.MonkeyPatch, *, fails_at: int | None = None) -> list[tuple[str, int]]:
    """Have sizes cost their logarithm's worth; returns what was measured."""
    asked: list[tuple[str, int]] = []

    async def made_up(axis: Axis, size: int, count: int, seed: int) -> Point:
        asked.append((axis.name, size))
        if size == fails_at:
            return Point(size, why="it died")
        return Point(size, Key(900.0, 600, 600), (Key(10.0 * len(str(size)), 600, 1),) * count)

    monkeypatch.setattr(bench_growth, "point", made_up)
    return asked


def test_quick_takes_the_smallest_and_the_largest_of_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = grown(monkeypatch)
    picture = tmp_path / "growth.png"
    assert cli.main(["bench", "growth", "--quick", "--json", "--plot", str(picture)]) == 0
    assert asked == [(one.name, size) for one in AXES for size in (one.sizes[0], one.sizes[-1])]
    said = json.loads(capsys.readouterr().out)
    assert said["largest_to_smallest"]["file"] == pytest.approx(5 / 3)
    assert said["points"]["file"][0]["p50_ms"] == 30.0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_sizes_take_turns_and_their_keys_are_counted_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = grown(monkeypatch)
    words = ["bench", "growth", "--axis", "file", "--quick", "--times", "2", "--keys", "3", "--json"]
    assert cli.main(words) == 0
    assert [size for _, size in asked] == [100, 10_000, 100, 10_000]
    assert [point["keys"] for point in json.loads(capsys.readouterr().out)["points"]["file"]] == [6, 6]


def test_a_size_that_fails_is_told_and_the_status_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = grown(monkeypatch, fails_at=8192)
    assert cli.main(["bench", "growth", "--axis", "context"]) == 1
    assert [size for _, size in asked] == [512, 2048, 8192]
    said = capsys.readouterr()
    assert "8,192 tokens of context" in said.out
    assert "it died" in said.err


def load_options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(
        **{"processes": 2, "indexing": None, "keys": 3, "times": 2, "seed": 1, "json": False, "plot": None, **given}
    )


async def test_idle_and_busy_stretches_take_turns_in_one_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    real = bench_load.spinning

    def noting(count: int) -> object:
        counts.append(count)
        return real(0)

    monkeypatch.setattr(bench_load, "spinning", noting)
    found = await bench_load.measured(scene(tmp_path), load_options(), FAKE_SERVER, 0.0)
    assert counts == [0, 2, 0, 2]
    assert {kind: len(keys) for kind, keys in found.items()} == {"idle": 6, "busy": 6}


async def test_an_indexer_reads_a_workspace_while_keys_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    read = lay_out(tmp_path / "shop")
    at = scene(tmp_path)
    found = await bench_load.measured(at, load_options(indexing=str(read), times=1), FAKE_SERVER, 0.0)
    assert {kind: len(keys) for kind, keys in found.items()} == {"idle": 3, "busy": 3}
    assert (store_folder(read) / "index.sqlite").is_file()  # it was at it


def test_what_spins_is_killed_by_its_id_also_on_an_error() -> None:
    def fails() -> Sequence[int]:
        with bench_load.spinning(2) as pids:
            seen.extend(pids)
            assert all(psutil.Process(pid).is_running() for pid in pids)
            raise GoassistError("the server died")

    seen: list[int] = []
    with pytest.raises(GoassistError, match="the server died"):
        fails()
    assert len(seen) == 2
    assert not any(psutil.pid_exists(pid) for pid in seen)


def test_load_is_told_as_a_ratio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def made_up(at: Scene, args: argparse.Namespace) -> dict[str, list[Key]]:
        assert at.path.is_file()
        return {"idle": [Key(50.0, 600, 1)], "busy": [Key(150.0, 600, 1)]}

    monkeypatch.setattr(bench_load, "measured", made_up)
    assert cli.main(["bench", "load", "--plot", str(tmp_path / "load.svg")]) == 0
    said = capsys.readouterr().out
    assert "busy/idle" in said
    assert "3.00" in said
    assert (tmp_path / "load.svg").is_file()
    assert cli.main(["bench", "load", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["busy_to_idle"] == {"p50_ms": 3.0, "p95_ms": 3.0, "answered_in_time": 1.0}
    assert said["answered_in_time"] == {"idle": 1.0, "busy": 1.0}
