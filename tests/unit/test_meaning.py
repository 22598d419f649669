"""Claims about goassist_lsp.meaning: it is there when its model and packages are, and said to be not where not."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, ModelError
from goassist_lsp import meaning
from goassist_models import registry


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path))


def download(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the right size in the default model's place."""
    entry = registry.default_embedding()
    entry.path.parent.mkdir(parents=True)
    with entry.path.open("wb") as file:
        file.truncate(entry.size_bytes)


def install(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    found = {name: ModuleSpec(name, None) for name in packages}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found.get(name))


def test_it_needs_the_model_and_both_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "faiss", "sentence_transformers")
    assert meaning.model_there() is None
    download(monkeypatch)
    model = meaning.model_there()
    assert model is not None
    assert (model.name, model.dimensions) == ("all-minilm-l6-v2", 384)
    install(monkeypatch, "faiss")
    assert meaning.model_there() is None


def test_who_asks_for_it_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="model pull all-minilm-l6-v2"):
        meaning.embedder()
    with pytest.raises(ConfigError, match=r"no embedding model 'word2vec'.*all-minilm-l6-v2, bge-small-en"):
        meaning.embedder("word2vec")
    download(monkeypatch)
    assert meaning.embedder().dimensions == 384
