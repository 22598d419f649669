"""Embeddings made on this machine, as OpenAI's own Python client sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from goassist_index.embed import EmbeddingModel, WorkerEmbedder
from goassist_index.errors import ModelError
from goassist_lsp.http.embedding import Embeddings
from support.embedding import TINY, install
from support.serving import serving

TEXTS = ["parse a duration", "a duration is parsed", "close the window"]


@pytest.fixture(scope="module")
def client() -> Iterator[OpenAI]:
    with serving("--embeddings") as server, OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_texts_that_mean_alike_are_near_each_other(client: OpenAI, encoding: Any) -> None:
    more = {"encoding_format": encoding} if encoding != "base64" else {}  # base64 is what the client asks for itself
    answer = client.embeddings.create(model="any", input=TEXTS, **more)
    first, second, third = ([float(x) for x in one.embedding] for one in answer.data)

    def near(left: list[float], right: list[float]) -> float:
        return sum(a * b for a, b in zip(left, right, strict=True))

    assert near(first, first) == pytest.approx(1, abs=1e-5)
    assert near(first, second) > near(first, third)
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert (answer.model, answer.usage.prompt_tokens > 5) == ("fake", True)


def test_one_text_is_no_list(client: OpenAI) -> None:
    assert len(client.embeddings.create(model="any", input=TEXTS[0]).data) == 1


@pytest.mark.parametrize("wrong", [[], ["a"] * 300, {"a": 1}, [1, 2]])
def test_what_is_no_text_is_refused(client: OpenAI, wrong: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="any", input=wrong)
    assert refused.value.param is not None and refused.value.param.startswith("input")


async def test_model_that_cannot_be_loaded_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "packages", monkeypatch)
    body = {"input": ["a", "bb"], "encoding_format": "float"}
    there = Embeddings(WorkerEmbedder(TINY), "tiny", len)
    try:
        answer = await there.embed(body)
        assert [one["embedding"][0] for one in answer["data"]] == [1.0, 2.0]
        assert answer["usage"]["prompt_tokens"] == 3
    finally:
        await there.close()
    broken = Embeddings(WorkerEmbedder(EmbeddingModel("broken", "/models/broken", 3, 7, "", "")), "broken", len)
    with pytest.raises(ModelError, match="no file named"):
        await broken.embed(body)
    await broken.close()
