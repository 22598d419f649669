"""The Engine protocol: a prompt in, generations out. llama.py, openai.py and fake.py implement it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from goassist_models.infill import InfillPrompt

FinishReason = Literal["eos", "stop", "length", "cancelled"]


class CancelToken:
    """One request's stop flag: set from any thread, tested between stages and in the token loop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask whoever works for this request to stop at the next token."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the request was given up."""
        return self._event.is_set()


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What to generate. `temperature` 0 is greedy (then the first of `n` is greedy, the others sampled).

    `until` is asked with the text so far after each token; True ends that sequence ("stop").
    """

    prompt: InfillPrompt
    max_tokens: int
    n: int = 1
    temperature: float = 0.0
    top_p: float = 0.95
    seed: int = 0
    until: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class GenerationTimings:
    """Where the time went: prompt tokens, those of them that had to be read (not in the cache), milliseconds."""

    prompt_tokens: int = 0
    read_tokens: int = 0
    read_ms: float = 0.0
    generate_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated text: what follows the prompt's last byte (healed bytes already taken off)."""

    text: str
    finish_reason: FinishReason
    tokens: int = 0
    mean_logprob: float = 0.0
    timings: GenerationTimings = GenerationTimings()


class Engine(Protocol):
    """Turns prompts into text. One prompt at a time; calls queue up in order."""

    @property
    def model_name(self) -> str:
        """What to call the model in reports."""
        ...

    def count_tokens(self, text: str) -> int:
        """Length of `text` in this model's tokens (an estimate where the tokenizer is remote)."""
        ...

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Up to `request.n` generations; a cancelled one ends with finish_reason "cancelled", never raises.

        Raises ModelError when the model cannot answer.
        """
        ...

    async def close(self) -> None:
        """Free the model and end its thread. May be called twice."""
        ...
