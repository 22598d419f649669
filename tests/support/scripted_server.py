"""`goassist-lsp serve` with a scripted engine in place of a model: a prompt says itself what is answered to it.

A line of the prompt such as `//fake {"say": ["a + b"]}` directs the answers:
  say       texts, the one of that number for each answer; the last one for all further ones
  token_s   seconds between tokens (a word, blanks, or another character)
  endless   true: behind what it says "x" again and again until it is cancelled, or has max_tokens
  fail      message of a ModelError
  crash     message of an exception that nobody foresaw
What the engine does is told on standard error: `engine: begun`, `engine: cancelled after N`, `engine: done`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from goassist_index.embed import FakeEmbedder
from goassist_index.errors import ModelError, PromptTooLong
from goassist_lsp import cli, verification
from goassist_lsp.cli import serve
from goassist_lsp.http.embedding import Embeddings
from goassist_lsp.settings import Settings
from goassist_models.chat import CHATML, ChatTemplate
from goassist_models.engine import CancelToken, EngineSpeed, FinishReason, GenerateRequest, Generation
from goassist_models.engine.base import GenerationTimings, Step
from goassist_models.infill import FAMILIES, render

_TOKEN = re.compile(r"\w+|[^\S\n]+|\W")
_DIRECTIONS = re.compile(r"//fake (\{.*\})")
MOST_TOKENS = 20_000
TOKENS = FAMILIES["qwen2.5-coder"]


class ScriptedEngine:
    """Implements the Engine protocol, several requests at once."""

    model_name = "scripted"

    def __init__(self) -> None:
        self.speed = EngineSpeed()

    def count_tokens(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        return tuple([await self._one(request, request.seed + number, cancel) for number in range(request.n)])

    async def _one(self, request: GenerateRequest, number: int, cancel: CancelToken) -> Generation:
        shown = "".join(segment.text for segment in render(request.prompt, TOKENS))
        prompt_tokens = self.count_tokens(shown)
        if prompt_tokens > MOST_TOKENS:
            raise PromptTooLong(f"the prompt has {prompt_tokens} tokens and the context holds {MOST_TOKENS}")
        asked = _asked(shown)
        if "fail" in asked:
            raise ModelError(asked["fail"])
        if "crash" in asked:
            raise ZeroDivisionError(asked["crash"])
        print("engine: begun", file=sys.stderr, flush=True)
        text, steps = "", list[Step]()
        reason: FinishReason = "eos"
        for token in _said(asked, number):
            await asyncio.sleep(asked.get("token_s", 0))
            if cancel.cancelled:
                print(f"engine: cancelled after {len(steps)}", file=sys.stderr, flush=True)
                return Generation(text, "cancelled", len(steps))
            if len(steps) == request.max_tokens:
                reason = "length"
                break
            text += token
            steps.append(Step(1, -0.5, len(text)))
            if request.until is not None and request.until(text):
                reason = "stop"
                break
        print("engine: done", file=sys.stderr, flush=True)
        timings = GenerationTimings(prompt_tokens, prompt_tokens)
        return Generation(text, reason, len(steps), -0.5, timings, tuple(steps))

    async def close(self) -> None:
        print("engine: closed", file=sys.stderr, flush=True)


def _asked(shown: str) -> dict[str, Any]:
    found = _DIRECTIONS.findall(shown)
    return json.loads(found[-1]) if found else {}


def _said(asked: dict[str, Any], number: int) -> Iterator[str]:
    endless = asked.get("endless", False)
    say = asked.get("say", [""] if endless else ["nothing was scripted"])
    yield from _TOKEN.findall(say[min(number, len(say) - 1)])
    while endless:
        yield "x"


def _embeddings(args: argparse.Namespace, engine: ScriptedEngine) -> Embeddings | None:
    return Embeddings(FakeEmbedder(), "fake", engine.count_tokens) if args.embeddings is not None else None


async def _engine(args: argparse.Namespace, settings: Settings) -> tuple[Any, ...]:
    return ScriptedEngine(), TOKENS, ChatTemplate(CHATML)


if __name__ == "__main__":
    serve._engine = _engine  # type: ignore[assignment]
    serve._embeddings = _embeddings  # type: ignore[assignment]
    verification.POINTS_LIMIT_S = 60.0  # a busy machine is no reason to go without accept points here
    sys.exit(cli.main(["serve", *sys.argv[1:]]))
