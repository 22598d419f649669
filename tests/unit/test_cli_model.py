"""The `model` verb: what it prints and with which exit status, without a network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_lsp.cli import main
from goassist_models import download, registry
from support import tiny_gguf


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry.ModelEntry:
    """A registry of one tiny model that "downloads" from a file beside the cache."""
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "ca che"))
    monkeypatch.delenv("GOASSIST_MODEL", raising=False)
    made = tiny_gguf.write_bigram_model(tmp_path / "made.gguf", {})
    data = made.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    entry = replace(registry.default_entry(), name="tiny", file="t.gguf", size_bytes=len(data), sha256=digest)
    monkeypatch.setattr(registry, "entries", lambda: (entry,))
    real = download.pull
    monkeypatch.setattr(
        download, "pull", lambda row, show: real(row, show, fetch=lambda job, source: job.part.write_bytes(data))
    )
    return entry


def said(capsys: pytest.CaptureFixture[str]) -> object:
    """The one JSON value that was printed."""
    return json.loads(capsys.readouterr().out)


def test_list_tells_what_is_here(tiny: registry.ModelEntry, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "list", "--json"]) == 0
    row, *embedding = said(capsys)  # type: ignore[misc]
    assert [one["name"] for one in embedding] == ["all-minilm-l6-v2", "bge-small-en-v1.5"]
    assert (row["name"], row["present"], row["path"]) == ("tiny", False, str(tiny.path))
    assert main(["model", "pull"]) == 0
    capsys.readouterr()
    main(["model", "list", "--json"])
    row, *_ = said(capsys)  # type: ignore[misc]
    assert row["present"]


def test_pull_prints_where_the_file_lies(tiny: registry.ModelEntry, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "pull", "tiny", "--json"]) == 0
    assert said(capsys) == {"name": "tiny", "path": str(tiny.path)}


def test_path_of_a_model_that_is_not_here_is_an_error_with_a_cure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "path"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "model pull tiny" in printed.err


def test_verify_names_what_it_checked(
    tiny: registry.ModelEntry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["model", "pull"])
    capsys.readouterr()
    assert main(["model", "verify", "--json"]) == 0
    assert said(capsys) == {"name": "tiny", "path": str(tiny.path), "ok": True, "checked": "sha256"}
    mine = tmp_path / "made.gguf"
    assert main(["model", "verify", str(mine), "--json"]) == 0
    assert said(capsys) == {"name": "made", "path": str(mine), "ok": True, "checked": "header"}


def test_damaged_file_fails_verification(tiny: registry.ModelEntry, capsys: pytest.CaptureFixture[str]) -> None:
    main(["model", "pull"])
    data = bytearray(tiny.path.read_bytes())
    data[-1] ^= 1
    tiny.path.write_bytes(data)
    assert main(["model", "verify"]) == 2
    assert "digest" in capsys.readouterr().err


def test_only_registry_models_can_be_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "pull", str(tmp_path / "made.gguf")]) == 2
    assert "only models of the registry" in capsys.readouterr().err


def test_pull_of_a_file_named_by_the_environment_has_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOASSIST_MODEL", str(tmp_path / "made.gguf"))
    assert main(["model", "pull", "--json"]) == 0
    assert said(capsys) == {"name": "made", "path": str(tmp_path / "made.gguf")}
