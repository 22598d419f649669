"""`bench serve`: many clients at once, beside llama.cpp's own server and the same model, with the compiler and without.

Each client asks for one streamed completion after the other, of prompts that nobody asked for before: the first half of
a made-up file, up to a function's body. All servers run in turn, at each number of clients; the others are idle then.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_plot import add_plot, draw_bars
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_models import registry
from goassist_models.evaluate.made_up import file_with_hole
from goassist_models.evaluate.peers import llama_server

OURS, CHECKED, PEER = "goassist", "goassist, checked", "llama-server"
_ADDRESS = re.compile(r" at (http://\S+)/v1$")
_LINES = (30, 60, 90, 120)
_STARTING_LIMIT_S = 180.0
_STOPPING_LIMIT_S = 30.0
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is measured: a server, and what is asked of it beside the prompt."""

    name: str
    url: str
    pid: int
    more: dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What the clients of one run saw. Times in milliseconds; `tokens` are the answers', `verified` are answers."""

    seconds: float = 0.0
    first_ms: list[float] = field(default_factory=list)
    whole_ms: list[float] = field(default_factory=list)
    tokens: int = 0
    verified: int = 0
    errors: list[str] = field(default_factory=list)
    memory_mib: tuple[float, float] = (0.0, 0.0)

    def figures(self) -> dict[str, Any]:
        """As printed."""
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
            "memory_before_mib": round(self.memory_mib[0]),
            "memory_after_mib": round(self.memory_mib[1]),
        }


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("serve", help="the HTTP server under load, beside llama.cpp's own")
    parser.add_argument("--model", default="", help="registry name or GGUF path (default: the default model)")
    parser.add_argument("--clients", default="1,4,16,64", metavar="LIST", help="how many at once (default 1,4,16,64)")
    parser.add_argument("--seconds", type=float, default=180.0, help="of each run (default 180)")
    parser.add_argument("--slots", type=int, default=4, help="answers in one batch, of all servers (default 4)")
    parser.add_argument("--max-tokens", type=int, default=48, help="of an answer (default 48)")
    parser.add_argument("--no-llama-server", action="store_true", help="only ourselves")
    add_plot(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when no request failed. Raises GoassistError when a server cannot be started."""
    found = asyncio.run(measured(args))
    figures = {clients: {name: tally.figures() for name, tally in row.items()} for clients, row in found.items()}
    report(args, figures)
    return int(any(tally.errors for row in found.values() for tally in row.values()))


async def measured(args: argparse.Namespace) -> dict[int, dict[str, Tally]]:
    """All runs, by the number of clients and the server's name."""
    counts = [int(word) for word in args.clients.split(",")]
    found: dict[int, dict[str, Tally]] = {}
    prompts = _prompts(args.seed)
    async with AsyncExitStack() as stack:
        targets = [target async for target in _targets(args, stack)]
        for count in counts:
            for target in targets:
                with progress.status(f"{target.name}: {count} clients, {args.seconds:g} s"):
                    tally = await loaded(target, count, args.seconds, prompts, args.max_tokens)
                found.setdefault(count, {})[target.name] = tally
    return found


async def _targets(args: argparse.Namespace, stack: AsyncExitStack) -> AsyncIterator[Target]:
    path = registry.resolve(args.model or None).path
    context = str(2048 * args.slots)
    if not args.no_llama_server:
        binary = await asyncio.to_thread(llama_server.build, progress.print)
        peer = await llama_server.start(binary, path, arguments=["-np", str(args.slots), "-c", context])
        stack.callback(peer.stop)
        yield Target(PEER, f"{peer.url}/v1", peer.pid, {})
    command = [sys.executable, "-m", "goassist_lsp.cli", "serve", "--port", "0", "--model", str(path)]
    command += ["--slots", str(args.slots), "--context", context, "--queue", "256"]
    url, pid = await stack.enter_async_context(served(command))
    yield Target(OURS, f"{url}/v1", pid, {})
    yield Target(CHECKED, f"{url}/v1", pid, {"compile_check": True})


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


def _prompts(seed: int) -> Iterator[tuple[str, str]]:
    """Text before and behind a hole, each with a first line of its own: nothing of it has been read before."""
    for number in itertools.count():
        before, after = file_with_hole(_LINES[number % len(_LINES)])
        yield f"// Run {seed}, file {number}.\n\n{before}", after


async def loaded(
    target: Target, clients: int, seconds: float, prompts: Iterator[tuple[str, str]], max_tokens: int
) -> Tally:
    """What so many clients see in that time; what is under way at its end is waited for, and counts."""
    import httpx2

    tally = Tally()
    begun_s = time.perf_counter()
    before = _memory_mib(target.pid)
    limits = httpx2.Limits(max_connections=clients)
    async with httpx2.AsyncClient(timeout=600.0, limits=limits, trust_env=False) as client:

        async def ask_on() -> None:
            while time.perf_counter() - begun_s < seconds:
                try:
                    await _ask(client, target, next(prompts), max_tokens, tally)
                except (httpx2.HTTPError, ValueError, KeyError) as error:
                    tally.errors.append(f"{type(error).__name__}: {error}")

        await asyncio.gather(*(ask_on() for _ in range(clients)))
    tally.seconds = time.perf_counter() - begun_s
    tally.memory_mib = (before, _memory_mib(target.pid))
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


def _memory_mib(pid: int) -> float:
    """Of a process and its children, but for what it shares with files, such as the model's weights."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        return float(sum(process.memory_info().rss - process.memory_info().shared for process in family)) / _MIB
    except psutil.Error:
        return 0.0


def _quantile(values: Sequence[float], share: float) -> float | None:
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(share * len(ranked)))], 1) if ranked else None


def report(args: argparse.Namespace, figures: dict[int, dict[str, dict[str, Any]]]) -> None:
    """Print, and draw where that is asked for."""
    names = list(next(iter(figures.values())))
    if args.plot is not None:
        panels = {
            title: {f"{clients}": [row[name][key] or 0.0 for name in names] for clients, row in figures.items()}
            for title, key in (("tokens a second", "tokens_per_s"), ("first text, p50 ms", "first_p50_ms"))
        }
        draw_bars(args.plot, f"Clients at once, {args.slots} slots", names, panels)
    if args.json:
        print_json({"bench": "serve", "slots": args.slots, "seconds": args.seconds, "clients": figures})
        return
    columns = (
        "clients",
        "server",
        "tokens/s",
        "answers",
        "errors",
        "verified",
        "first p50",
        "p95 ms",
        "whole p50",
        "p95 ms",
    )
    rows = [
        (
            clients,
            name,
            row["tokens_per_s"],
            row["answers"],
            row["errors"],
            row["verified_share"] if name == CHECKED else None,
            *(milliseconds(row[key]) for key in ("first_p50_ms", "first_p95_ms", "whole_p50_ms", "whole_p95_ms")),
        )
        for clients, by_name in figures.items()
        for name, row in by_name.items()
    ]
    table(f"Under load, {args.slots} slots, {args.seconds:g} s each", columns, rows)
    for name in names:
        last = list(figures.values())[-1][name]
        first = next(iter(figures.values()))[name]
        print(f"memory of its own, {name}: {first['memory_before_mib']} MiB before, {last['memory_after_mib']} after")
