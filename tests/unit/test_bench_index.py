"""Claims about `bench index`: what it measures is what it says, and the workspace it is given stays as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goassist_index.cachedir import ENVIRONMENT_NAME
from goassist_lsp.cli import main
from support.workspaces import lay_out


def test_it_measures_a_copy_and_tells_what_the_index_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT_NAME, str(tmp_path / "cache"))
    root = lay_out(tmp_path / "shop")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert main(["bench", "index", str(root), "--lines", "2000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["workspaces"]
    shop, made_up = found[str(root)], found["made up, 2,000 lines"]
    assert shop["files"] == 4
    assert made_up["chunks"] > made_up["files"] > 0
    assert all(
        one[name] > 0
        for one in (shop, made_up)
        for name in ("cold_s", "peak_mb", "query_p50_ms", "start_s", "start_cpu_s")
    )
    assert all(one["saved_max_ms"] >= one["saved_p50_ms"] > 0 for one in (shop, made_up))
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert os.environ[ENVIRONMENT_NAME] == str(tmp_path / "cache")


def test_a_module_that_cannot_be_had_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["bench", "index", str(tmp_path / "nowhere")]) != 0
    assert "nowhere" in capsys.readouterr().err
