"""Claims about `bench startup`'s first suggestion: asked for while a statement is typed, until there is one."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from goassist_lsp.cli import bench_startup
from goassist_lsp.cli.bench_startup import _first_suggestion
from goassist_lsp.cli.lspclient import LspClient
from support.lsp_client import FAKE_SERVER


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))


async def first(root: Path, **directions: object) -> tuple[float | None, list[Any]]:
    (root / "go.mod").write_text("module m\n\ngo 1.23\n")
    path = root / "a.go"
    path.write_text(f"//fake {json.dumps(directions)}\npackage m\n\nfunc f() {{\n\tprintln()\n}}\n")
    client = await LspClient.start(FAKE_SERVER)
    try:
        begun = time.perf_counter()
        await client.initialize(root)
        text = path.read_text()
        client.open(path, text)
        shown_ms = await _first_suggestion(client, path, text[: text.index("println()")], begun)
        return shown_ms, (await client.status())["log"]
    finally:
        await client.close()


async def test_the_first_text_that_comes_ends_it(tmp_path: Path) -> None:
    shown_ms, log = await first(tmp_path, say=["total()"])
    assert shown_ms is not None and shown_ms > 0
    lines = [entry[1] for entry in log if entry[0] == "complete"]
    assert lines
    assert all("\tprintln(".startswith(line) for line in lines)


async def test_silence_to_the_end_is_told_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_startup, "_GIVE_UP_S", 3.0)
    shown_ms, _ = await first(tmp_path, say=[])
    assert shown_ms is None
