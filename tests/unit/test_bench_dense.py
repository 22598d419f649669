"""Claims about `bench dense`: both layouts of the same vectors, and what of an exact search they find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goassist_index.embed import FakeEmbedder
from goassist_lsp import meaning
from goassist_lsp.cli import main
from support.workspaces import lay_out


def test_it_measures_vectors_as_they_are_laid_out_and_in_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "dense", "--count", "3000", "--json"]) == 0
    (flat, lists) = json.loads(capsys.readouterr().out)["sets"]["made up, 3,000"]
    assert (flat["kind"], flat["vectors"], flat["recall"]) == ("flat", 3000, 1.0)
    assert (lists["kind"], lists["lists"]) == ("ivf", 76)
    assert 0.5 < lists["recall"] <= 1
    assert all(one[name] > 0 for one in (flat, lists) for name in ("build_s", "disk_mb", "open_ms", "search_p50_ms"))


def test_vectors_that_are_not_kept_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path))
    assert main(["bench", "dense", "--kept"]) == 2
    assert "eval search --dense" in capsys.readouterr().err


def test_it_measures_how_quickly_pieces_are_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = lay_out(tmp_path / "shop")
    monkeypatch.setattr(meaning, "embedder", FakeEmbedder)
    assert main(["bench", "dense", "--embed", str(root), "--pieces", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pieces"] >= found["embedded"] >= 3
    assert found["pieces_a_second"] > 0
    assert found["query_p50_ms"] > 0
