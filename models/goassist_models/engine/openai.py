"""An engine over somebody's completions server: llama-server, vLLM or anything with OpenAI's `/v1/completions`.

Implements the Engine protocol for models too large for this machine. Infill prompts are sent raw, as text with the
model's special tokens in it, or as `prompt` and `suffix` for servers that lay them out themselves.

What it does not do: hold the server to healed bytes (a partial last word is taken off the prompt, and answers
that do not begin with it are dropped; when none is left, it asks once more without), keep source text from
spelling special tokens in raw prompts, or know how many prompt tokens the server had in its cache.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from goassist_index.errors import ModelError
from goassist_models.engine.base import (
    CancelToken,
    EngineSpeed,
    FinishReason,
    GenerateRequest,
    Generation,
    GenerationTimings,
)
from goassist_models.infill import FAMILIES, InfillPrompt, InfillTokens, render

if TYPE_CHECKING:
    import httpx2

PromptStyle = Literal["raw", "suffix"]
KEY_VARIABLE = "GOASSIST_API_KEY"
_CONNECT_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 60.0
_CANCEL_POLL_S = 0.02
_DIVERSE_TEMPERATURE = 0.6
_CHARS_PER_TOKEN = 3.2  # of Go source in the vocabularies of today's code models
_MAX_STOPS = 4  # the API's own limit
_PARTIAL = re.compile(r"(\w+|[^\S\n]+)\Z")


@dataclass(slots=True)
class _Choice:
    """One generation as it streams in. `tie` is the text taken off the prompt that it must begin with."""

    tie: str
    raw: str = ""
    tokens: int = 0
    logprob_sum: float = 0.0
    finish_reason: FinishReason | None = None

    @property
    def agrees(self) -> bool:
        """Whether what has come so far can be, or is, a continuation of the tie."""
        return self.raw.startswith(self.tie) or self.tie.startswith(self.raw)

    @property
    def text(self) -> str:
        """What follows the prompt's own last character."""
        return self.raw[len(self.tie) :] if self.raw.startswith(self.tie) else ""


class OpenAIEngine:
    """A remote model at `url` (with or without `/v1`). `model` "" is the first one that the server names.

    `tokens` are the model's infill tokens, for raw prompts. `at_once` requests are under way at most; others queue up
    in order. A key is read from GOASSIST_API_KEY, if set.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        tokens: InfillTokens = FAMILIES["qwen2.5-coder"],
        style: PromptStyle = "raw",
        at_once: int = 1,
    ) -> None:
        base = url.rstrip("/")
        self.url = base if base.endswith("/v1") else f"{base}/v1"
        self._model = model
        self._tokens = tokens
        self._style = style
        self._turn = asyncio.Semaphore(at_once)
        self._client: httpx2.AsyncClient | None = None
        self._closed = False
        self.speed = EngineSpeed()  # never told: its tokens are another machine's work

    @property
    def model_name(self) -> str:
        """The model's name as the server knows it, or the address while that is not known."""
        return self._model or self.url

    def count_tokens(self, text: str) -> int:
        """Length of `text` in tokens, estimated from its characters."""
        return round(len(text) / _CHARS_PER_TOKEN) + bool(text)

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Ask the server; see Engine.generate. Fewer than `request.n` may come back (see the module's text).

        `until` is asked after each piece of the stream, which may hold several tokens. `mean_logprob` is 0 where
        the server gives no log-probabilities. Raises ModelError when it does not answer, or with an error.
        """
        if self._closed:
            raise ModelError("the engine is closed")
        async with self._turn:
            start_s = time.perf_counter()
            prompt, tie = self._healed(request.prompt)
            kept = await self._until_cancelled(request, prompt, tie, cancel)
            if tie and not cancel.cancelled and not any(choice.finish_reason for choice in kept if choice.agrees):
                kept = await self._until_cancelled(request, request.prompt, "", cancel)
            count = self._prompt_tokens(request.prompt)
            timings = GenerationTimings(count, count, generate_ms=(time.perf_counter() - start_s) * 1000)
            return tuple(_generation(choice, timings) for choice in kept if choice.agrees)

    async def reach(self) -> None:
        """Ask the server which models it has. Raises ModelError where it does not answer."""
        first = await self._first_model()
        self._model = self._model or first

    async def embed(self, body: dict[str, Any]) -> Any:
        """The server's own answer to a request for embeddings. Raises ModelError where it has none."""
        import httpx2

        try:
            asked = {"model": await self._first_model(), **body}
            response = await self._connected().post(f"{self.url}/embeddings", json=asked)
            if response.status_code >= 400:
                raise self._refusal(response.status_code, response.content)
            return response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._silence(error) from error

    async def close(self) -> None:
        """Close the connections. May be called twice."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _prompt_tokens(self, prompt: InfillPrompt) -> int:
        return sum(1 if part.special else self.count_tokens(part.text) for part in render(prompt, self._tokens))

    def _healed(self, prompt: InfillPrompt) -> tuple[InfillPrompt, str]:
        """Take a partial last word, or the blanks before the cursor, off a healed prompt: (prompt, what was taken)."""
        last = prompt.typed or prompt.prefix
        partial = _PARTIAL.search(last) if prompt.form.healed else None
        if partial is None:
            return prompt, ""
        shorter = last[: partial.start()]
        if prompt.typed:
            return replace(prompt, typed=shorter), partial[0]
        return replace(prompt, prefix=shorter), partial[0]

    async def _until_cancelled(
        self, request: GenerateRequest, prompt: InfillPrompt, tie: str, cancel: CancelToken
    ) -> list[_Choice]:
        """Stream all choices to their ends, or as far as they come before the cancel."""
        choices = [_Choice(tie) for _ in range(request.n)]
        if cancel.cancelled:
            return choices
        work = asyncio.ensure_future(self._stream_groups(request, prompt, choices))
        try:
            while not (await asyncio.wait({work}, timeout=_CANCEL_POLL_S))[0]:
                if cancel.cancelled:
                    return choices
            work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        return choices

    async def _stream_groups(self, request: GenerateRequest, prompt: InfillPrompt, choices: list[_Choice]) -> None:
        """Stream the choices in one request, or in two when the first is greedy and the others are not."""
        if not self._model:
            self._model = await self._first_model()
        if request.temperature > 0 or request.n == 1:
            await self._stream(request, prompt, choices, request.temperature)
        else:
            await asyncio.gather(
                self._stream(request, prompt, choices[:1], 0.0),
                self._stream(request, prompt, choices[1:], _DIVERSE_TEMPERATURE),
            )

    async def _stream(
        self, request: GenerateRequest, prompt: InfillPrompt, choices: list[_Choice], temperature: float
    ) -> None:
        body = {
            "model": self._model,
            **self._prompt_fields(prompt),
            "max_tokens": max(1, request.max_tokens) + self.count_tokens(choices[0].tie),
            "n": len(choices),
            "temperature": temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            "stop": list(self._tokens.stops[:_MAX_STOPS]),
            "logprobs": 1,
            "stream": True,
        }
        heard = False
        async for event in self._events(body):
            for part in self._parts(event):
                heard = True
                if part.index < len(choices) and choices[part.index].finish_reason is None:
                    _take(choices[part.index], part, request)
            if all(choice.finish_reason is not None for choice in choices):
                return  # leaving the stream makes the server stop
        if not heard:
            raise self._silence(ValueError("there is no answer in it"))
        for choice in choices:
            choice.finish_reason = choice.finish_reason or "eos"

    def _prompt_fields(self, prompt: InfillPrompt) -> dict[str, str]:
        if self._style == "suffix" and not prompt.given:
            return {"prompt": prompt.noted_prefix + prompt.typed, "suffix": prompt.suffix}
        return {"prompt": "".join(part.text for part in render(prompt, self._tokens))}

    async def _events(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Server-sent events of one completions request, decoded."""
        import httpx2

        try:
            async with self._connected().stream("POST", f"{self.url}/completions", json=body) as response:
                if response.status_code >= 400:
                    raise self._refusal(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                    if data == "[DONE]":
                        return
                    if data:
                        event = json.loads(data)
                        if not isinstance(event, dict):
                            raise ValueError("an event is no object")
                        if "error" in event:
                            raise self._refusal(response.status_code, data.encode())
                        yield event
                raise ValueError("it ends before its end")
        except (httpx2.HTTPError, ValueError) as error:
            raise self._silence(error) from error

    def _parts(self, event: dict[str, Any]) -> list[_Part]:
        """What an event says of each choice. Raises ModelError for what is no such thing."""
        try:
            return [_part_of(choice) for choice in event.get("choices") or ()]
        except (AttributeError, TypeError, ValueError) as error:
            raise self._silence(error) from error

    async def _first_model(self) -> str:
        import httpx2

        try:
            response = await self._connected().get(f"{self.url}/models")
            if response.status_code >= 400:
                raise self._refusal(response.status_code, response.content)
            return str(response.json()["data"][0]["id"])
        except (httpx2.HTTPError, ValueError, LookupError, TypeError) as error:
            raise self._silence(error) from error

    def _connected(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2

            key = os.environ.get(KEY_VARIABLE, "").strip()
            self._client = httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx2.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
            )
        return self._client

    def _refusal(self, status: int, body: bytes) -> ModelError:
        said = " ".join(body.decode("utf-8", "replace").split())[:200]
        cure = f"Set {KEY_VARIABLE}" if status in (401, 403) else "Check the server's log and the model's name"
        return ModelError(f"the completions server refused (status {status}: {said})", path=self.url, cure=cure)

    def _silence(self, error: Exception) -> ModelError:
        what = str(error) or type(error).__name__
        return ModelError(
            f"the completions server does not answer as it should ({what})",
            path=self.url,
            cure="Start it, or correct its address in the settings",
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of one choice, as an event tells it; log-probabilities of its tokens, where the server gives them."""

    index: int
    text: str
    logprobs: tuple[float, ...]
    finish_reason: str | None


def _part_of(choice: dict[str, Any]) -> _Part:
    """Raises AttributeError, TypeError or ValueError for what is no choice."""
    text = choice.get("text") or ""
    if not isinstance(text, str):
        raise TypeError("a text is none")
    values = (choice.get("logprobs") or {}).get("token_logprobs") or ()
    logprobs = tuple(float(value) for value in values if value is not None)
    return _Part(int(choice.get("index", 0)), text, logprobs, choice.get("finish_reason"))


def _take(choice: _Choice, part: _Part, request: GenerateRequest) -> None:
    """Add one piece of the stream to its choice and see whether that ends it."""
    choice.raw += part.text
    choice.tokens += len(part.logprobs) or bool(part.text)
    choice.logprob_sum += sum(part.logprobs)
    text = choice.text
    if not choice.agrees or (text and request.until is not None and request.until(text)):
        choice.finish_reason = "stop"
    elif part.finish_reason:
        choice.finish_reason = "length" if part.finish_reason == "length" else "eos"


def _generation(choice: _Choice, timings: GenerationTimings) -> Generation:
    return Generation(
        text=choice.text,
        finish_reason=choice.finish_reason or "cancelled",
        tokens=choice.tokens,
        mean_logprob=choice.logprob_sum / choice.tokens if choice.tokens else 0.0,
        timings=timings,
    )
