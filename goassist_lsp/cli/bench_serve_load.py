"""Clients of a server under load, and what they see, for `bench serve`; servers of ours as processes, for others too.

Each client asks for one streamed completion after the other, of prompts that nobody asked for before: the first half of
a made-up file, up to a function's body.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from goassist_index.errors import GoassistError
from goassist_models.evaluate.made_up import file_with_hole

_ADDRESS = re.compile(r" at (http://\S+)/v1$")
_LINES = (30, 60, 90, 120)
_STARTING_LIMIT_S = 180.0
_STOPPING_LIMIT_S = 30.0
# The longest that a client waits for anything.
CLIENT_LIMIT_S = 900.0
# How often in a run the server's memory is looked at.
_LOOKS = 20
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is measured: a server, its processes but for children, what is asked of it beside the prompt."""

    name: str
    url: str
    pids: tuple[int, ...]
    more: dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What the clients of one run saw. Times in milliseconds; `tokens` are the answers', `verified` are answers.

    `cpu_s` is the server's own, its children's included; `memory_mib` what it held, as often as it was looked at.
    """

    seconds: float = 0.0
    first_ms: list[float] = field(default_factory=list)
    whole_ms: list[float] = field(default_factory=list)
    tokens: int = 0
    verified: int = 0
    errors: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    memory_mib: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """As printed. Memory: at the beginning, after a quarter of the run (all is warm then), at its end, the most."""
        memory = self.memory_mib or [0.0]
        return {
            "answers": len(self.whole_ms),
            "errors": len(self.errors),
            "first_error": self.errors[0] if self.errors else None,
            "tokens_per_s": round(self.tokens / self.seconds, 2) if self.seconds else None,
            "answers_per_s": round(len(self.whole_ms) / self.seconds, 3) if self.seconds else None,
            "first_p50_ms": _quantile(self.first_ms, 0.5),
            "first_p95_ms": _quantile(self.first_ms, 0.95),
            "whole_p50_ms": _quantile(self.whole_ms, 0.5),
            "whole_p95_ms": _quantile(self.whole_ms, 0.95),
            "verified_share": round(self.verified / len(self.whole_ms), 3) if self.whole_ms else None,
            "cpu_s_per_100_tokens": round(100 * self.cpu_s / self.tokens, 2) if self.tokens else None,
            "memory_before_mib": round(memory[0]),
            "memory_warm_mib": round(memory[len(memory) // 4]),
            "memory_after_mib": round(memory[-1]),
            "memory_most_mib": round(max(memory)),
        }


@asynccontextmanager
async def served(command: Sequence[str]) -> AsyncIterator[tuple[str, int]]:
    """A server of ours while it runs: its address and process id. Raises GoassistError when it does not start."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    reading: asyncio.Task[None] | None = None
    try:
        url = await asyncio.wait_for(_address(process.stderr), _STARTING_LIMIT_S)
        reading = asyncio.create_task(_drain(process.stderr))
        yield url, process.pid
    except TimeoutError as error:
        raise GoassistError("the server does not start in time", path=command[0]) from error
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOPPING_LIMIT_S)
            except TimeoutError:
                process.kill()
        await process.wait()
        if reading is not None:
            await reading


async def _address(lines: asyncio.StreamReader) -> str:
    said = ""
    while line := (await lines.readline()).decode("utf-8", "replace").rstrip():
        if match := _ADDRESS.search(line):
            return match[1]
        said = line
    raise GoassistError(f"the server does not start ({said})")


async def _drain(lines: asyncio.StreamReader) -> None:
    while await lines.read(65536):
        pass


def prompts(seed: str) -> Iterator[tuple[str, str]]:
    """Text before and behind a hole, each with a first line of its own: nothing of it has been read before."""
    for number in itertools.count():
        before, after = file_with_hole(_LINES[number % len(_LINES)])
        yield f"// Run {seed}, file {number}.\n\n{before}", after


async def loaded(
    target: Target, clients: int, seconds: float, asked: Iterator[tuple[str, str]], max_tokens: int
) -> Tally:
    """What so many clients see in that time; what is under way at its end is waited for, and counts."""
    import httpx2

    tally = Tally()
    begun_s = time.perf_counter()
    cpu_s, memory = used(target.pids)
    tally.memory_mib.append(memory)
    # A connection for each request: llama-server closes some that are kept, just when the next request is sent.
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=CLIENT_LIMIT_S, limits=limits, trust_env=False) as client:

        async def ask_on() -> None:
            while time.perf_counter() - begun_s < seconds:
                try:
                    await _ask(client, target, next(asked), max_tokens, tally)
                except (httpx2.HTTPError, ValueError, KeyError) as error:
                    tally.errors.append(f"{type(error).__name__}: {error}")

        async def look_on() -> None:
            while True:
                await asyncio.sleep(seconds / _LOOKS)
                tally.memory_mib.append(used(target.pids)[1])

        looking = asyncio.create_task(look_on())
        try:
            await asyncio.gather(*(ask_on() for _ in range(clients)))
        finally:
            looking.cancel()
    tally.seconds = time.perf_counter() - begun_s
    after_s, memory = used(target.pids)
    tally.memory_mib.append(memory)
    tally.cpu_s = after_s - cpu_s
    return tally


async def _ask(client: Any, target: Target, prompt: tuple[str, str], max_tokens: int, tally: Tally) -> None:
    """One streamed request. Raises ValueError for an answer that is none."""
    before, after = prompt
    suffix = {"suffix": after} if target.more else {}
    sent = {"prompt": before, **suffix, "max_tokens": max_tokens, "temperature": 0, "stream": True, **target.more}
    begun_s = time.perf_counter()
    first_s, tokens, verdict = 0.0, 0, ""
    body = {**sent, "model": "any", "stream_options": {"include_usage": True}}
    async with client.stream("POST", f"{target.url}/completions", json=body) as response:
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code}: {(await response.aread()).decode()[:200]}")
        async for line in response.aiter_lines():
            data = line.removeprefix("data:").strip()
            if not data or data == "[DONE]":
                continue
            event = json.loads(data)
            if "error" in event:
                raise ValueError(str(event["error"]))
            for choice in event.get("choices", ()):
                first_s = first_s or (time.perf_counter() if choice["text"] or choice["finish_reason"] else 0.0)
                verdict = choice.get("goassist", {}).get("verdict", verdict)
            tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
    now_s = time.perf_counter()
    tally.first_ms.append(((first_s or now_s) - begun_s) * 1e3)
    tally.whole_ms.append((now_s - begun_s) * 1e3)
    tally.tokens += tokens
    tally.verified += verdict == "ok"


def used(pids: Sequence[int]) -> tuple[float, float]:
    """Processor seconds of processes and their children, and the MiB that they do not share with files (weights)."""
    cpu_s = memory = 0.0
    try:
        for pid in pids:
            for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
                times, held = process.cpu_times(), process.memory_info()
                # Children that have ended are counted by who waited for them.
                cpu_s += times.user + times.system + times.children_user + times.children_system
                memory += (held.rss - held.shared) / _MIB
    except psutil.Error:  # ended meanwhile: what was seen of it counts
        pass
    return cpu_s, memory


def _quantile(values: Sequence[float], share: float) -> float | None:
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 1) if ranked else None
