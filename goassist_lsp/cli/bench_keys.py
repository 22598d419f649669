"""What one key costs, through the real server as an editor drives it: the change, the question, the answer.

Used by `bench growth` and `bench load`. What is typed is nothing that a model guesses, so that each key is a question
of its own and not the rest of an earlier answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_lsp.cli.lspclient import LspClient, position_at
from goassist_models.evaluate.metrics import median, percentile

# Between an answer and the next key: somebody who types, as the server sees it.
GAP_S = 0.1
_ANSWER_LIMIT_S = 300.0
_LOADING_LIMIT_S = 300.0
_POLL_S = 0.05
_NAMES = ("limit", "count", "total")
# Typed before the keys that count: the first one reads the whole prompt, the next is somebody's who comes back.
BEGINNING = "total += "


@dataclass(frozen=True, slots=True)
class Scene:
    """A workspace and the place where keys are typed: behind `before` in `path`, whose text goes on with `after`.

    `others` are files that are open too, `options` the server's initializationOptions.
    """

    root: Path
    path: Path
    before: str
    after: str
    others: Sequence[Path] = ()
    options: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key: milliseconds until its answer, tokens of its prompt, and those of them that had to be read.

    Both are 0 where the model was not asked, `skipped` says why ("": an earlier answer was used).
    """

    ms: float
    prompt_tokens: int
    read_tokens: int
    skipped: str = ""


class Typist:
    """Types into the document of a scene that is open in a server."""

    def __init__(self, client: LspClient, scene: Scene, gap_s: float) -> None:
        self._client, self._scene, self._gap_s = client, scene, gap_s
        self._typed = ""

    async def keys(self, characters: str) -> list[Key]:
        """Type them one by one, each when the one before has been answered. Raises GoassistError without an answer."""
        return [await self._key(character) for character in characters]

    async def _key(self, character: str) -> Key:
        client, scene = self._client, self._scene
        await asyncio.sleep(self._gap_s)
        at = position_at(scene.before + self._typed, len(scene.before + self._typed))
        self._typed += character
        behind = position_at(scene.before + self._typed, len(scene.before + self._typed))
        begun = time.perf_counter()
        client.change(scene.path, len(self._typed) + 1, at, at, character)
        _, answer = client.post_inline(scene.path, behind)
        try:
            await asyncio.wait_for(answer, _ANSWER_LIMIT_S)
        except TimeoutError as error:
            raise GoassistError(f"no answer within {_ANSWER_LIMIT_S:.0f} s") from error
        ms = (time.perf_counter() - begun) * 1e3
        last = (await client.status()).get("last") or {}  # of the pipeline's last answer: this one
        skipped = str(last.get("skip_reason") or "")
        return Key(ms, int(last.get("prompt_tokens", 0)), int(last.get("read_tokens", 0)), skipped)


@asynccontextmanager
async def typist(scene: Scene, command: Sequence[str] = (), gap_s: float = GAP_S) -> AsyncIterator[Typist]:
    """A server (by default ours) that has the scene's files open and their packages loaded.

    Raises GoassistError when it does not come to be ready.
    """
    log = cache_dir() / "bench" / "keys-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    client = await LspClient.start(command, log=log)
    try:
        await client.initialize(scene.root, scene.options)
        for other in scene.others:
            client.open(other, other.read_text(encoding="utf-8"))
        client.open(scene.path, scene.before + scene.after)
        status = await client.until_ready(_LOADING_LIMIT_S)
        if status.get("types"):  # there is a type service
            await _loaded(client, {str(path.parent) for path in (scene.path, *scene.others)})
        yield Typist(client, scene, gap_s)
    finally:
        await client.close()


async def _loaded(client: LspClient, directories: set[str]) -> None:
    deadline = time.monotonic() + _LOADING_LIMIT_S
    while not directories <= (await client.status()).get("types_loaded_ms", {}).keys():
        if time.monotonic() > deadline:
            raise GoassistError(f"the types are not loaded after {_LOADING_LIMIT_S:.0f} s")
        await asyncio.sleep(_POLL_S)


def unguessed(seed: int) -> Iterator[str]:
    """Characters of one long Go expression that nobody guesses, without end: what follows BEGINNING."""
    chance = random.Random(seed)
    while True:
        yield from chance.choice(_NAMES) if chance.random() < 0.5 else str(chance.randrange(11, 999))
        yield from chance.choice(("*", " + ", " - "))


def figures(keys: Sequence[Key]) -> dict[str, float | None]:
    """Milliseconds of the keys at p50 and p95, and their mean tokens read and in the prompt."""
    ms = [key.ms for key in keys]
    return {
        "keys": len(keys),
        "skipped": sum(bool(key.skipped) for key in keys),
        "p50_ms": median(ms),
        "p95_ms": percentile(ms, 95),
        "read_tokens": _mean([key.read_tokens for key in keys]),
        "prompt_tokens": _mean([key.prompt_tokens for key in keys]),
    }


def ratio(value: float | None, base: float | None) -> float | None:
    """How many times `base`; None where either is not known."""
    return value / base if value is not None and base else None


def shown_ratio(value: float | None) -> str:
    """A ratio for a table."""
    return "-" if value is None else f"{value:.2f}"


def _mean(values: Sequence[int]) -> float | None:
    return sum(values) / len(values) if values else None
