"""What `bench memory --keys` measures: resident memory of the real server over many keys, typed at full speed.

Function bodies are typed key by key as an editor sends them: the change, the question, and a cancel where the next key
does not wait for the answer. Each body's file is opened for it and closed behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from statistics import linear_regression

import psutil

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_lsp.cli.lspclient import LspClient, position_at
from goassist_models.evaluate.keystrokes import TypedBody

SAMPLES = 50
_LOADING_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident bytes after so many keys: of the server, which maps the model, and of the processes it started."""

    keys: int
    server_bytes: int
    others_bytes: int
    indexer_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Of all processes together."""
        return self.server_bytes + self.others_bytes + self.indexer_bytes


@dataclass(frozen=True, slots=True)
class Resident:
    """The samples, and how many of the keys were answered before the next one."""

    samples: tuple[Sample, ...]
    answered: int


async def replay(
    root: Path,
    bodies: Sequence[TypedBody],
    count: int,
    most_s: float,
    tell: Callable[[int], None],
    command: Sequence[str] = (),
) -> Resident:
    """Type `count` keys, each when the one before is answered, or after `most_s`.

    The first sample is taken when model and types are loaded. Raises GoassistError when the server does not come to be
    ready, or answers with an error.
    """
    log = cache_dir() / "bench" / "memory-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    client = await LspClient.start(command, log=log)
    try:
        await client.initialize(root)
        await client.until_ready(_LOADING_LIMIT_S)
        every = max(1, count // SAMPLES)
        samples, answered, number = [_sample(client, 0)], 0, 0
        async for in_time in _typed(client, islice(keys_of_bodies(bodies), count), most_s):
            answered += in_time
            number += 1
            if number % every == 0:
                samples.append(_sample(client, number))
                tell(number)
    finally:
        await client.close()
    return Resident(tuple(samples), answered)


def slope(samples: Sequence[Sample]) -> float | None:
    """Bytes that a key adds to all processes together in the second half of the keys, by least squares."""
    late = [sample for sample in samples if 2 * sample.keys >= samples[-1].keys]
    if len(late) < 2:
        return None
    sizes = [sample.bytes for sample in late]
    return linear_regression([sample.keys for sample in late], sizes).slope


def keys_of_bodies(bodies: Sequence[TypedBody]) -> Iterator[tuple[TypedBody, int]]:
    """Each key of each body in turn, from the first body again when all are typed."""
    for body in chain.from_iterable(repeat(bodies)):
        for number in range(len(body.keys)):
            yield body, number


async def _typed(client: LspClient, keys: Iterator[tuple[TypedBody, int]], most_s: float) -> AsyncIterator[bool]:
    """Send the keys, each when the one before is answered or `most_s` have passed; says of each which it was."""
    for body, number in keys:
        before, key = body.before + "".join(body.keys[:number]), body.keys[number]
        if number == 0:
            client.open(body.file, body.before + body.after)
        at, behind = (position_at(text, len(text)) for text in (before, before + key))
        client.change(body.file, number + 2, at, at, key)
        asked, answer = client.post_inline(body.file, behind)
        await asyncio.wait({answer}, timeout=most_s)
        in_time = answer.done()
        if in_time:
            answer.result()
        else:
            client.cancel(asked)
        if number + 1 == len(body.keys):
            client.close_document(body.file)
        yield in_time


def _sample(client: LspClient, keys: int) -> Sample:
    try:
        server = psutil.Process(client.process.pid)
        others = indexer = 0
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                size = child.memory_info().rss
                if "goassist_index.indexer" in child.cmdline():
                    indexer += size
                else:
                    others += size
        return Sample(keys, server.memory_info().rss, others, indexer)
    except psutil.NoSuchProcess as error:
        raise GoassistError(f"the server has ended after {keys} keys") from error
