"""A model with a LoRA adapter: loaded by one name, answers otherwise than its base, and refuses another base's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from goassist_index.errors import ModelError
from goassist_lsp.app import Assistant, load_engine
from goassist_lsp.settings import Settings
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.infill import FORMS, InfillPrompt
from goassist_models.registry import resolve, with_adapter
from support import tiny_gguf

PROMPT = InfillPrompt(FORMS["joined"], prefix="func f() {\n\tfmt.", suffix="\n}\n")


def adapter(path: Path, width: int, rank: int = 4) -> Path:
    """A random adapter of the first layer's output matrix, which is `width` wide."""
    rng = np.random.default_rng(1)
    metadata = {
        "general.architecture": "qwen2",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 8.0,
    }
    name = "blk.0.attn_output.weight"
    tensors = {
        f"{name}.lora_a": rng.standard_normal((rank, width)).astype(np.float32),
        f"{name}.lora_b": rng.standard_normal((width, rank)).astype(np.float32),
    }
    tiny_gguf.write_gguf(path, metadata, tensors)
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_random_model(tmp_path_factory.mktemp("model") / "random.gguf")


async def nats(path: Path, adapter: Path | None) -> float:
    engine = await LlamaEngine.load(path, LlamaSettings(n_ctx=512, threads=1, preflight=False, adapter=adapter))
    try:
        return (await engine.score(PROMPT, "Println()")).nats
    finally:
        await engine.close()


async def test_an_adapter_changes_what_the_model_says_and_nothing_else_does(base: Path, tmp_path: Path) -> None:
    with_it = adapter(tmp_path / "mine.gguf", width=288)
    plain = await nats(base, None)
    assert await nats(base, with_it) != pytest.approx(plain)
    assert await nats(base, None) == pytest.approx(plain)


async def test_the_server_loads_a_model_with_its_adapter_by_one_name(base: Path, tmp_path: Path) -> None:
    spec = f"{base}+{adapter(tmp_path / 'mine.gguf', width=288)}"
    assert resolve(spec).name == "random+mine"
    engine = await load_engine(Settings(model=spec), lambda message, percent: None)
    try:
        assert engine.model_name == "random+mine"
    finally:
        await engine.close()


async def test_adapters_are_swapped_by_a_setting_without_a_restart(base: Path, tmp_path: Path) -> None:
    first, second = (adapter(tmp_path / f"{name}.gguf", width=288) for name in ("first", "second"))
    wanted = [f"{base}", f"{base}+{first}", f"{base}+{second}", f"{base}"]
    assistant = Assistant(Settings(model=wanted[0], check_types=False))
    seen = []
    try:
        await assistant.start([])
        for spec in wanted:
            await assistant.apply_settings(Settings(model=spec, check_types=False))
            seen.append((await assistant.status())["model"])
    finally:
        await assistant.close()
    assert seen == ["random", "random+first", "random+second", "random"]


async def test_an_adapter_of_another_base_is_named(base: Path, tmp_path: Path) -> None:
    other = adapter(tmp_path / "other.gguf", width=64)
    with pytest.raises(ModelError, match=r"other\.gguf.*does not fit"):
        await nats(base, other)


async def test_an_adapter_that_is_not_there_is_named(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.gguf"):
        resolve(f"{base}+{tmp_path / 'gone.gguf'}")


def test_a_file_with_a_plus_in_its_name_stays_one_file(tmp_path: Path) -> None:
    path = tmp_path / "c+adapter.gguf"
    path.touch()
    assert with_adapter(str(path)) == (str(path), None)
    assert with_adapter("small+~/a.gguf") == ("small", Path.home() / "a.gguf")
    assert with_adapter("") == ("", None)
