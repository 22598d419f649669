"""The real llama-server with the small model, asked as llama.vim asks. It is not built for tests: minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_models import registry
from goassist_models.evaluate.example import Question
from goassist_models.evaluate.peers import llama_server
from goassist_models.evaluate.peers.llama_vim import llama_vim_system

SMALL = "qwen2.5-coder-0.5b"
BEFORE = "package p\n\nfunc max(a, b int) int {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn "
AFTER = "\n}\n"


def small_model() -> Path | None:
    try:
        return registry.resolve(SMALL).path
    except GoassistError:
        return None


@pytest.mark.skipif(llama_server.kept() is None, reason="the peer's server is not built (a run with --llama-vim does)")
@pytest.mark.skipif(small_model() is None, reason="the small model is not here")
async def test_shows_the_end_of_a_plain_function_and_types_through_it(tmp_path: Path) -> None:
    model = small_model()
    assert model is not None
    system = await llama_vim_system(model, "llama.vim")
    try:
        path = tmp_path / "p.go"
        await system.open(tmp_path)
        answer = await system.ask(Question(tmp_path, path, BEFORE + AFTER, len(BEFORE)))
        assert answer.taken(BEFORE + AFTER).startswith(BEFORE + "b\n")
        assert answer.read_tokens is not None
        assert answer.generated_tokens is not None
        assert (answer.cpu_s or 0) > 0
        await system.forget()
        again = await system.ask(Question(tmp_path, path, BEFORE + AFTER, len(BEFORE)))
        assert again.read_tokens == answer.read_tokens, "the server had kept what it was to forget"
    finally:
        await system.close()
