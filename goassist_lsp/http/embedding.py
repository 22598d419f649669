"""Vectors made on this machine: an embedding model in a process of its own, answered in OpenAI's shape."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

from goassist_index.embed import Embedder, Matrix
from goassist_index.errors import IndexUnavailable, ModelError


class Embeddings:
    """Answers requests for embeddings with an Embedder, and lets go of it at the end.

    Queries and passages come alike here: models that want a prefix before queries get none.
    """

    def __init__(self, embedder: Embedder, name: str, count_tokens: Callable[[str], int]) -> None:
        """`name` is the model's. `count_tokens` tells the usage, in the tokens of the model that writes."""
        self._embedder = embedder
        self._name = name
        self._count_tokens = count_tokens

    async def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request whose `input` is a text or several. Raises ModelError."""
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        try:
            vectors = await asyncio.wrap_future(await asyncio.to_thread(self._embedder.embed, texts))
        except IndexUnavailable as error:
            raise ModelError(error.what, path=error.path, cure=error.cure) from error
        tokens = sum(map(self._count_tokens, texts))
        told = _base64 if body["encoding_format"] == "base64" else _floats
        data = [
            {"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(told(vectors))
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": self._name, "usage": usage}

    async def close(self) -> None:
        """End the model's process, if there is one."""
        await asyncio.to_thread(self._embedder.close)


def _floats(vectors: Matrix) -> list[list[float]]:
    rows: list[list[float]] = vectors.tolist()
    return rows


def _base64(vectors: Matrix) -> list[str]:
    """As OpenAI's clients ask for them: 32-bit floats, little-endian."""
    return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
