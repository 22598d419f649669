"""Answers in OpenAI's shapes: completions and chats, whole or as the events of a stream."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from goassist_lsp.http.pieces import Piece, Report, TokenLogprob


@dataclass(slots=True)
class Usage:
    """Tokens of one request, with `n` answers to each prompt. A prompt is counted once, whatever is said to it."""

    n: int
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def count(self, piece: Piece) -> None:
        """Take in a piece."""
        self.completion_tokens += piece.completion_tokens
        if piece.index % self.n == 0:
            self.prompt_tokens += piece.prompt_tokens

    def as_json(self) -> dict[str, int]:
        """As OpenAI tells it."""
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
        }


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """One piece for each answer, in their order: its text, and what its last piece said."""
    texts: dict[int, str] = {}
    last: dict[int, Piece] = {}
    for piece in pieces:
        texts[piece.index] = texts.get(piece.index, "") + piece.text
        last[piece.index] = piece
    return [replace(last[index], text=texts[index]) for index in sorted(last)]


class Shape(Protocol):
    """How an endpoint tells its answers."""

    def whole(self, answers: Sequence[Piece], usage: Usage) -> dict[str, Any]:
        """The body of a response."""
        ...

    def events(self, piece: Piece) -> Iterator[dict[str, Any]]:
        """The events of a stream that tell a piece."""
        ...

    def usage_event(self, usage: Usage) -> dict[str, Any]:
        """The last event of a stream whose client wants the usage."""
        ...


@dataclass(frozen=True, slots=True)
class CompletionShape:
    """`text_completion`. `echoed` are texts that stand before the answers, one for each index or none."""

    model: str
    with_logprobs: bool = False
    echoed: Sequence[str] = ()
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    _begun: set[int] = field(default_factory=set)

    def _head(self) -> dict[str, Any]:
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}

    def whole(self, answers: Sequence[Piece], usage: Usage) -> dict[str, Any]:
        """See Shape."""
        return {**self._head(), "choices": [self._choice(answer) for answer in answers], "usage": usage.as_json()}

    def events(self, piece: Piece) -> Iterator[dict[str, Any]]:
        """See Shape."""
        yield {**self._head(), "choices": [self._choice(piece)]}

    def usage_event(self, usage: Usage) -> dict[str, Any]:
        """See Shape."""
        return {**self._head(), "choices": [], "usage": usage.as_json()}

    def _choice(self, piece: Piece) -> dict[str, Any]:
        before = self.echoed[piece.index] if self.echoed and piece.index not in self._begun else ""
        self._begun.add(piece.index)
        choice: dict[str, Any] = {
            "index": piece.index,
            "text": before + piece.text,
            "finish_reason": piece.finish_reason,
            "logprobs": self._logprobs(piece.logprobs) if self.with_logprobs and piece.logprobs else None,
        }
        return choice if piece.report is None else {**choice, "goassist": told(piece.report)}

    def _logprobs(self, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        return {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": None,
            "text_offset": [token.start for token in tokens],
        }


@dataclass(frozen=True, slots=True)
class ChatShape:
    """`chat.completion` and its chunks."""

    model: str
    with_logprobs: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    _begun: set[int] = field(default_factory=set)

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def whole(self, answers: Sequence[Piece], usage: Usage) -> dict[str, Any]:
        """See Shape."""
        choices = [
            self._choice(answer, "message", {"role": "assistant", "content": answer.text, "refusal": None})
            for answer in answers
        ]
        return {**self._head("chat.completion"), "choices": choices, "usage": usage.as_json()}

    def events(self, piece: Piece) -> Iterator[dict[str, Any]]:
        """See Shape."""
        delta: dict[str, Any] = {} if piece.index in self._begun else {"role": "assistant"}
        self._begun.add(piece.index)
        if piece.text:
            delta["content"] = piece.text
        yield {**self._head("chat.completion.chunk"), "choices": [self._choice(piece, "delta", delta)]}

    def usage_event(self, usage: Usage) -> dict[str, Any]:
        """See Shape."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage.as_json()}

    def _choice(self, piece: Piece, name: str, said: dict[str, Any]) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": piece.index,
            name: said,
            "finish_reason": piece.finish_reason,
            "logprobs": self._logprobs(piece.logprobs) if self.with_logprobs and piece.logprobs else None,
        }
        return choice if piece.report is None else {**choice, "goassist": told(piece.report)}

    def _logprobs(self, tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
        content = [
            {"token": t.text, "logprob": t.logprob, "bytes": list(t.text.encode()), "top_logprobs": []} for t in tokens
        ]
        return {"content": content, "refusal": None}


@dataclass(frozen=True, slots=True)
class InfillShape:
    """llama.cpp's own, of one answer; its `timings` also by the names that `response_fields` would give them."""

    model: str

    def whole(self, answers: Sequence[Piece], usage: Usage) -> dict[str, Any]:
        """See Shape."""
        (answer,) = answers[:1]
        timings = {
            "prompt_n": answer.timings.read_tokens,
            "prompt_ms": answer.timings.read_ms,
            "predicted_n": answer.completion_tokens,
            "predicted_ms": answer.timings.generate_ms,
        }
        return {
            "content": answer.text,
            "model": self.model,
            "stop": True,
            "tokens_evaluated": answer.prompt_tokens,
            "tokens_predicted": answer.completion_tokens,
            "timings": timings,
            **{f"timings/{name}": value for name, value in timings.items()},
        }

    def events(self, piece: Piece) -> Iterator[dict[str, Any]]:
        """See Shape; it is never streamed."""
        yield {"content": piece.text}

    def usage_event(self, usage: Usage) -> dict[str, Any]:
        """See Shape."""
        return usage.as_json()


def told(report: Report) -> dict[str, Any]:
    """The `goassist` object."""
    return asdict(report)
