"""What `bench tune` found best for this machine, kept in the cache beside the numbers of threads.

Read by the server at start: what the user has set wins, then this, then the defaults.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from goassist_index.errors import GoassistError
from goassist_lsp.fitness import LINE_TOKENS
from goassist_lsp.settings import MODEL_VARIABLE, Options, Settings, read_options, wire_name
from goassist_models import native, registry
from goassist_models.engine.threads import keep_choice, kept_choices, usable_cores

# A line that takes longer than this is seldom there before its author types on: a larger model is not worth that.
MOST_LINE_MS = 400.0
# A prompt that nothing of is in the cache is read in this time, as when one comes to another file.
COLD_READ_S = 2.5
CONTEXT_TOKENS = (320, 640, 1280, 2048)
# The longest texts may take so long; never more than the defaults, which are as long as is of use.
LINE_S, BLOCK_S = 1.5, 5.0
LEAST_LINE_TOKENS, LEAST_BLOCK_TOKENS = 16, 48


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model is here: threads for single tokens, tokens read a second, and milliseconds.

    `token_ms` is one generated token; `key_ms` the way from a typed character to the first token behind it.
    """

    model: str
    size_bytes: int
    threads: int
    read_tokens_per_s: float
    token_ms: float
    key_ms: float

    @property
    def line_ms(self) -> float:
        """From a typed character to a whole line behind it."""
        return self.key_ms + (LINE_TOKENS - 1) * self.token_ms


def budgets(speed: Speed) -> dict[str, int]:
    """Settings by name that suit a model of that speed."""
    defaults = Settings()
    readable = COLD_READ_S * speed.read_tokens_per_s

    def sayable(seconds: float, least: int, most: int) -> int:
        return max(least, min(most, int(1e3 * seconds / speed.token_ms)))

    return {
        "context_tokens": max((size for size in CONTEXT_TOKENS if size <= readable), default=CONTEXT_TOKENS[0]),
        "max_tokens_line": sayable(LINE_S, LEAST_LINE_TOKENS, defaults.max_tokens_line),
        "max_tokens_block": sayable(BLOCK_S, LEAST_BLOCK_TOKENS, defaults.max_tokens_block),
    }


def best(speeds: Sequence[Speed]) -> Speed:
    """The largest model that says a line in time, else the quickest; there must be one."""
    in_time = [speed for speed in speeds if speed.line_ms <= MOST_LINE_MS]
    if in_time:
        return max(in_time, key=lambda speed: speed.size_bytes)
    return min(speeds, key=lambda speed: speed.line_ms)


def keep(speeds: Sequence[Speed]) -> bool:
    """Remember them for this machine; returns whether they are kept."""
    models = {speed.model: {**asdict(speed), "settings": budgets(speed)} for speed in speeds}
    return keep_choice(_key(), {"best": best(speeds).model, "models": models})


def forget() -> bool:
    """Go back to the defaults; returns whether that could be written."""
    return keep_choice(_key(), None)


def kept(options: Options, environ: Mapping[str, str] = os.environ) -> Options:
    """What was found best, for the model that the user wants or else the best one; nothing where it was not measured.

    With an engine elsewhere nothing of it is of use; a best model whose file is gone is not asked for.
    """
    found = kept_choices().get(_key())
    if options.engine_url or not isinstance(found, dict) or not isinstance(found.get("models"), dict):
        return Options()
    wanted = environ.get(MODEL_VARIABLE) or options.model or None
    name = wanted or found.get("best")
    measured = found["models"].get(name) if isinstance(name, str) else None
    values = measured.get("settings") if isinstance(measured, dict) else None
    if not isinstance(values, dict) or (wanted is None and not _is_there(str(name))):
        return Options()
    sent = {wire_name(key): value for key, value in values.items() if key in ("context_tokens", *_TEXT_BUDGETS)}
    read, problems = read_options(sent if wanted else {**sent, "model": name})
    return Options() if problems else read


_TEXT_BUDGETS = ("max_tokens_line", "max_tokens_block")


def sentence(speeds: Sequence[Speed]) -> str:
    """What to expect, in one sentence."""
    chosen = best(speeds)
    first = [f"{_told(chosen)} with {_threads(chosen.threads)} and is used unless you set another"]
    others = [_told(speed) for speed in sorted(speeds, key=lambda speed: speed.size_bytes) if speed is not chosen]
    return "On this machine " + "; ".join(first + others) + "."


def _told(speed: Speed) -> str:
    return (
        f"{speed.model} answers a key in about {speed.key_ms:.0f} ms and has a line of {LINE_TOKENS} tokens after "
        f"{speed.line_ms:.0f} ms"
    )


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _is_there(name: str) -> bool:
    try:
        registry.resolve(name)
    except GoassistError:
        return False
    return True


def _key() -> str:
    return f"tuned {usable_cores()} {native.features_key()}"
