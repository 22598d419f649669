"""What is published is written from the run's records: the card has what was measured, the row can be read back."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

from goassist_lsp.cli import main
from goassist_models.registry import ModelEntry
from goassist_models.registry import _values as values_of
from support import tiny_gguf

RECIPE = """name = "mine"
base = "{base}"
context_tokens = 200
[collect]
sources = ["std/container"]
[samples]
forms = {{ joined = 1.0 }}
[export]
types = ["Q8_0"]
"""
PUBLISH = ["train", "publish", "--repository", "me/mine-gguf", "--out"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run as SFT and its export leave it, without data stages, DPO or evaluation."""
    out = tmp_path / "run"
    folder = out / "export" / "sft"
    folder.mkdir(parents=True)
    model = tiny_gguf.write_random_model(folder / "mine-sft-q8_0.gguf")
    (folder / "mine-sft-adapter.gguf").write_bytes(b"adapter")
    (out / "recipe.toml").write_text(RECIPE.format(base=model))
    (out / "minutes.json").write_text(json.dumps({"sft": 12.25}))
    (out / "sft").mkdir()
    (out / "sft" / "result.json").write_text(json.dumps({"before": 1.5, "after": 1.0, "steps": 90, "adapter": "a"}))
    return out


def test_the_card_has_the_runs_figures_and_says_what_was_not_done(run: Path) -> None:
    assert main([*PUBLISH, str(run)]) == 0
    card = (run / "export" / "sft" / "README.md").read_text()
    assert "| sft | 90 | held-out perplexity 4.48 before, 2.72 after | 12.2 |" in card
    assert "| dpo | - | not done |  |" in card
    assert "Not evaluated" in card
    assert "The run holds no data report" in card
    assert hashlib.sha256(b"adapter").hexdigest() in card
    assert 'sources = ["std/container"]' in card


def test_an_evaluation_stands_in_the_card_as_it_was_printed(run: Path) -> None:
    (run / "evaluation.md").write_text("|  | base | SFT |\n| --- | --- | --- |\n| compiles | 40 % | 50 % |\n")
    assert main([*PUBLISH, str(run)]) == 0
    card = (run / "export" / "sft" / "README.md").read_text()
    assert "| compiles | 40 % | 50 % |" in card
    assert "Not evaluated" not in card


def test_the_row_is_one_that_the_registry_reads(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PUBLISH, str(run)]) == 0
    told = capsys.readouterr().out
    (row,) = tomllib.loads(told[: told.index("the card:")])["model"]
    entry = ModelEntry(**values_of(row))
    model = run / "export" / "sft" / "mine-sft-q8_0.gguf"
    assert (entry.name, entry.file) == ("mine-sft", model.name)
    assert (entry.size_bytes, entry.sha256) == (model.stat().st_size, hashlib.sha256(model.read_bytes()).hexdigest())
    assert entry.tokens.middle == "<|fim_middle|>"
    assert entry.sources[0].label == "hub repository me/mine-gguf"
    assert not entry.default


def test_a_row_is_added_to_a_registry_once(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = tmp_path / "registry.toml"
    registry.write_text('# Ours.\n\n[[model]]\nname = "other"\n')
    assert main([*PUBLISH, str(run), "--add-to", str(registry)]) == 0
    assert [row["name"] for row in tomllib.loads(registry.read_text())["model"]] == ["other", "mine-sft"]
    before = registry.read_text()
    assert main([*PUBLISH, str(run), "--add-to", str(registry)]) != 0
    assert "a row named mine-sft already" in capsys.readouterr().err
    assert registry.read_text() == before


def test_nothing_is_published_of_a_run_without_exports(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "export" / "sft" / "mine-sft-q8_0.gguf").unlink()
    assert main([*PUBLISH, str(run)]) != 0
    assert "nothing has been exported" in capsys.readouterr().err
