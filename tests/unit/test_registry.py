"""Names and paths to model files."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, ModelError
from goassist_models import registry
from goassist_models.infill import FAMILIES
from support import tiny_gguf


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GOASSIST_MODEL", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry.ModelEntry:
    """A registry of one model, tiny and not downloaded; its file would be what `content_of` says."""
    data = tiny_gguf.write_bigram_model(tmp_path / "made.gguf", {}).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    entry = replace(registry.default_entry(), name="tiny", file="t.gguf", size_bytes=len(data), sha256=digest)
    monkeypatch.setattr(registry, "entries", lambda: (entry,))
    return entry


def put(entry: registry.ModelEntry, data: bytes) -> None:
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    entry.path.write_bytes(data)


def test_rows_are_complete_and_one_is_the_default() -> None:
    rows = registry.entries()
    assert sum(row.default for row in rows) == 1
    assert len({row.name for row in rows}) == len({row.file for row in rows}) == len(rows)
    for row in rows:
        assert len(row.sha256) == 64
        assert row.infill in FAMILIES
        assert [source.kind for source in row.sources] == ["hub", "pypi"]


def test_parts_of_a_package_source_are_pinned() -> None:
    source = next(s for s in registry.default_entry().sources if isinstance(s, registry.PackageSource))
    assert source.requirement(3).endswith("part3==" + source.version)


def test_nothing_named_means_the_default_model() -> None:
    assert registry.requested() == registry.default_entry()


def test_environment_names_a_model_or_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_MODEL", "qwen2.5-coder-1.5b")
    assert registry.requested() == registry.entry_named("qwen2.5-coder-1.5b")
    monkeypatch.setenv("GOASSIST_MODEL", "/some/where.gguf")
    assert registry.requested() == Path("/some/where.gguf")


def test_name_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_MODEL", "/some/where.gguf")
    assert registry.requested("qwen2.5-coder-0.5b") == registry.default_entry()


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"qwen2\.5-coder-0\.5b"):
        registry.resolve("gpt-12")


def test_model_not_downloaded_says_how_to_get_it(tiny: registry.ModelEntry) -> None:
    with pytest.raises(ModelError, match="model pull tiny"):
        registry.resolve()


def test_whole_file_is_found_and_verified(tiny: registry.ModelEntry, tmp_path: Path) -> None:
    put(tiny, (tmp_path / "made.gguf").read_bytes())
    assert registry.resolve() == registry.ModelFile("tiny", tiny.path, tiny)
    registry.check(registry.resolve())


def test_file_of_wrong_size_is_refused_at_once(tiny: registry.ModelEntry) -> None:
    put(tiny, b"GGUF")
    with pytest.raises(ModelError, match=r"t\.gguf.*damaged.*4 bytes"):
        registry.resolve()


def test_one_wrong_byte_is_found_by_verify(tiny: registry.ModelEntry, tmp_path: Path) -> None:
    data = bytearray((tmp_path / "made.gguf").read_bytes())
    data[-1] ^= 1
    put(tiny, bytes(data))
    with pytest.raises(ModelError, match="digest"):
        registry.check(registry.resolve())


def test_any_gguf_file_with_infill_tokens_will_do(tmp_path: Path) -> None:
    path = tiny_gguf.write_bigram_model(tmp_path / "mine.gguf", {})
    assert registry.resolve(str(path)) == registry.ModelFile("mine", path, None)
    registry.check(registry.resolve(str(path)))


def test_models_that_embed_are_no_models_that_write() -> None:
    names = [entry.name for entry in registry.embeddings()]
    assert names == ["all-minilm-l6-v2", "bge-small-en-v1.5"]
    assert not {entry.name for entry in registry.entries()} & set(names)
    assert registry.default_embedding() == registry.embedding("all-minilm-l6-v2")
    with pytest.raises(ConfigError, match="no model"):
        registry.resolve("all-minilm-l6-v2")
    bge = registry.embeddings()[1].model
    assert bge.query_prefix.startswith("Represent this sentence")
    assert bge.directory.endswith("bge-small-en-v1.5")


def test_a_companion_that_is_not_what_it_should_be_is_named(tiny: registry.ModelEntry, tmp_path: Path) -> None:
    put(tiny, (tmp_path / "made.gguf").read_bytes())
    (tiny.path.parent / "config.json").write_bytes(b"{}")
    companion = registry.Companion("config.json", hashlib.sha256(b"{}").hexdigest())
    whole = registry.ModelFile("tiny", tiny.path, replace(tiny, companions=(companion,)))
    registry.check(whole)
    (tiny.path.parent / "config.json").write_bytes(b"{ }")
    with pytest.raises(ModelError, match=r"config\.json.*digest"):
        registry.check(whole)
    (tiny.path.parent / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json.*no file"):
        registry.check(whole)
