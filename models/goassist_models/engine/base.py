"""The Engine protocol: a prompt in, generations out. llama.py, openai.py and fake.py implement it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from goassist_models.infill import InfillPrompt

FinishReason = Literal["eos", "stop", "length", "cancelled", "partial", "unlikely"]


class CancelToken:
    """One request's stop flag: set from any thread, tested between stages and in the token loop."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._listener: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Ask whoever works for this request to stop at the next token."""
        self._event.set()
        listener = self._listener
        if listener is not None:
            listener()

    def heard_by(self, listener: Callable[[], None] | None) -> None:
        """Have `listener` called at the cancel, from the thread that cancels; at once where that has been. One only."""
        self._listener = listener
        if listener is not None and self.cancelled:
            listener()

    @property
    def cancelled(self) -> bool:
        """Whether the request was given up."""
        return self._event.is_set()


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What to generate. `temperature` 0 is greedy (then the first of `n` is greedy, the others sampled).

    `until` is asked with the text so far after each token; True ends that sequence ("stop"). `refuses` is asked with
    the text so far and what a token would add to it; True: the next likely token is taken instead. `resume`: go on
    within an earlier generation. Engines that have no say in their tokens leave those two alone. `patience`: how
    long to wait for the end, where a part may do; `idle`: nobody waits for it yet (both for kept.py). `least_logprob`:
    a sequence ends ("unlikely") before the token with which the sum of its log-probabilities would fall below that.
    `typing_on`: the prompt is of somebody who types on; where the window of the text has moved, what is left of it need
    not be read again, though it was read behind text that is not there any more.
    """

    prompt: InfillPrompt
    max_tokens: int
    n: int = 1
    temperature: float = 0.0
    top_p: float = 0.95
    seed: int = 0
    until: Callable[[str], bool] | None = None
    refuses: Callable[[str, str], bool] | None = None
    resume: Resume | None = None
    patience: Patience | None = None
    idle: bool = False
    least_logprob: float = -math.inf
    typing_on: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """After `seconds` the beginning of the text does, up to `whole(text)` code points, if that is more than nothing.

    0 seconds are for who joins a text that was begun for an earlier place, and asks for less of it.
    """

    seconds: float
    whole: Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on in the middle of a generation of the same prompt: behind its first `keep` tokens, without `barred` next."""

    generation: Generation
    keep: int
    barred: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class GenerationTimings:
    """Where the time went: prompt tokens, those of them that had to be read (not in the cache), milliseconds.

    `read_decodes` is in how many steps they were read, 0 where the engine does not know.
    """

    prompt_tokens: int = 0
    read_tokens: int = 0
    read_ms: float = 0.0
    generate_ms: float = 0.0
    read_decodes: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated text: what follows the prompt's last byte (healed bytes already taken off).

    `steps` are its tokens, healed ones too; empty where the engine does not know them. `refused` counts the tokens
    that were not taken because of `refuses`. `continued`: it was begun for an earlier place, and may be more than this
    one asks for.
    """

    text: str
    finish_reason: FinishReason
    tokens: int = 0
    mean_logprob: float = 0.0
    timings: GenerationTimings = GenerationTimings()
    steps: tuple[Step, ...] = ()
    refused: int = 0
    continued: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One token: its id, natural log-probability, and the length of the generation's text behind it (code points)."""

    token: int
    logprob: float
    end: int


@dataclass(slots=True)
class EngineSpeed:
    """Measured speeds in tokens a second, 0 while unknown: prompt reading, and one sequence's generation."""

    read_tokens_per_s: float = 0.0
    generate_tokens_per_s: float = 0.0

    def read(self, tokens: int, ms: float) -> None:
        """Take in a prompt read; one that the clock did not see says nothing."""
        if ms > 0:
            self.read_tokens_per_s = tokens / ms * 1000

    def generated(self, ms: float) -> None:
        """Take in one token's decode, in a mean over the last ten or so."""
        if ms > 0:
            known, now = self.generate_tokens_per_s, 1000 / ms
            self.generate_tokens_per_s = 0.9 * known + 0.1 * now if known else now


class Engine(Protocol):
    """Turns prompts into text. One prompt at a time; calls queue up in order."""

    @property
    def model_name(self) -> str:
        """What to call the model in reports."""
        ...

    @property
    def speed(self) -> EngineSpeed:
        """How fast it has been; unknown where the model runs elsewhere."""
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


class EngineOver:
    """What engines over another one have in common: its name, speed, tokens and end. They say what they generate."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self._engine.model_name

    @property
    def speed(self) -> EngineSpeed:
        """The speed of the engine below."""
        return self._engine.speed

    def count_tokens(self, text: str) -> int:
        """Length of `text` in tokens."""
        return self._engine.count_tokens(text)

    async def close(self) -> None:
        """Close the engine below."""
        await self._engine.close()
