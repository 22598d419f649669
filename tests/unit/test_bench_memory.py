"""Claims about `bench memory --keys`: bodies go through a server key by key, and what it holds is told as it came."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import pytest

from goassist_lsp.cli.bench_memory import MIB, report_resident
from goassist_lsp.cli.bench_resident import Resident, Sample, keys_of_bodies, replay, slope
from goassist_models.evaluate.keystrokes import TypedBody
from support.lsp_client import FAKE_SERVER


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def body(root: Path, typed: str, **directions: object) -> TypedBody:
    (root / "go.mod").write_text("module m\n\ngo 1.23\n")
    before = f"//fake {json.dumps({'say': [], **directions})}\npackage m\n\nfunc f() {{\n\t"
    (root / "a.go").write_text(before + "\n}\n")
    return TypedBody(root, root / "a.go", "f", before, "\n}\n", tuple(typed))


async def test_keys_are_typed_body_after_body_and_sampled(tmp_path: Path) -> None:
    told: list[int] = []
    found = await replay(tmp_path, [body(tmp_path, "ab+")], 7, 30.0, told.append, FAKE_SERVER)
    assert [sample.keys for sample in found.samples] == list(range(8))
    assert told == [1, 2, 3, 4, 5, 6, 7]
    assert found.answered == 7
    assert all(sample.server_bytes > MIB for sample in found.samples)


async def test_a_key_does_not_wait_for_an_answer_that_does_not_come(tmp_path: Path) -> None:
    found = await replay(tmp_path, [body(tmp_path, "abc", wait=True)], 3, 0.05, lambda n: None, FAKE_SERVER)
    assert found.answered == 0
    assert found.samples[-1].keys == 3


def test_bodies_come_again_when_all_are_typed(tmp_path: Path) -> None:
    one, two = body(tmp_path, "ab"), body(tmp_path, "c")
    assert list(islice(keys_of_bodies([one, two]), 5)) == [(one, 0), (one, 1), (two, 0), (one, 0), (one, 1)]


def test_the_slope_is_that_of_the_second_half() -> None:
    start = [Sample(keys, 100 * keys, 0) for keys in (0, 1, 2)]
    assert slope([*start, Sample(4, 500, 10), Sample(6, 502, 12), Sample(8, 504, 14)]) == pytest.approx(2.0)
    assert slope([Sample(0, 1, 1)]) is None


def test_memory_is_told_beside_the_model_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    samples = tuple(Sample(keys, (500 + keys) * MIB, 100 * MIB) for keys in range(0, 40, 2))
    picture = tmp_path / "memory.svg"
    args = argparse.Namespace(module="m", keys=38, json=True, plot=picture)
    report_resident(args, "small", 480 * MIB, Resident(samples, 30))
    said = json.loads(capsys.readouterr().out)
    assert (said["peak_bytes"], said["above_model_bytes"]) == (638 * MIB, 158 * MIB)
    assert said["slope_bytes_per_key"] == pytest.approx(MIB)
    assert len(said["samples"]) == 20
    assert picture.read_text().startswith("<?xml")
    args.json, args.plot = False, None
    report_resident(args, "small", 480 * MIB, Resident(samples, 30))
    out = capsys.readouterr().out
    assert "peak 638.0 MiB, 158.0 above the model file; +1000.00 MiB a 1,000 keys in the second half" in out
    assert "30 of 38 keys were answered before the next one" in out
