"""The assistant's way from settings to an engine: what a local model is run with, and when it is loaded anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_lsp.app import LEAST_CELLS, _engine_settings, llama_settings, load_engine
from goassist_lsp.settings import Settings
from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.llama import LlamaSettings
from goassist_models.infill import FORMS, InfillPrompt
from support import tiny_gguf


def test_the_default_settings_run_a_model_as_the_engine_does_by_default() -> None:
    assert llama_settings(Settings()) == LlamaSettings()


@pytest.mark.parametrize("tokens", [2048, 4096, 8192, 32_768])
def test_the_cache_holds_the_context_that_is_allowed(tokens: int) -> None:
    # The budget is kept in characters: dense text comes to more tokens than it says.
    assert llama_settings(Settings(context_tokens=tokens)).n_ctx >= 2 * tokens


def test_a_context_that_the_cache_does_not_hold_loads_the_model_anew() -> None:
    small, middle, large = (_engine_settings(Settings(context_tokens=tokens)) for tokens in (256, 640, 8192))
    assert small == middle != large
    assert llama_settings(Settings(context_tokens=640)).n_ctx == LEAST_CELLS


async def test_a_prompt_as_large_as_the_setting_allows_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    model = tiny_gguf.write_bigram_model(tmp_path / "tiny.gguf", {})
    engine = await load_engine(Settings(model=str(model), context_tokens=5000), lambda message, percent: None)
    try:
        prompt = InfillPrompt(FORMS["psm"], "fmt." * 2500, "")
        (said,) = await engine.generate(GenerateRequest(prompt, 1), CancelToken())
    finally:
        await engine.close()
    assert said.timings.prompt_tokens > 5000
