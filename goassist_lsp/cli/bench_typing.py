"""`bench typing`: type function bodies into the real server, a key each so many milliseconds, and watch it.

At each key: the edit, a cancel of what is still open, and a new request, as editors do.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import psutil

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_report import (
    add_common,
    chosen_modules,
    milliseconds,
    open_module,
    print_json,
    progress,
    table,
)
from goassist_lsp.cli.lspclient import LspClient, ResponseError, apply_edits, position_at
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.keystrokes import KeyRecord, Replay, TypedBody, typed_bodies

# Answers of a server that was told to stop: RequestCancelled, ContentModified, ServerCancelled.
_CANCELLED_CODES = frozenset({-32800, -32801, -32802})
_SAMPLE_EVERY_KEYS = 20
_CROSSING_MS = 50.0
_SETTLE_S = 5.0


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("typing", help="function bodies typed into the real server: staleness, memory, CPU")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: one of the pinned list")
    parser.add_argument("--keys", type=int, default=2000, help="keys in all, shared by the modules (default 2000)")
    parser.add_argument("--interval-ms", type=float, default=180, help="milliseconds from key to key (default 180)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when nothing stale and no error came, 1 otherwise."""
    specs = chosen_modules(args.modules, lambda s: s.ghost == "report")
    if not args.modules:
        specs = specs[:1]
    results: dict[str, dict[str, Any]] = {}
    for spec in specs:
        with progress.status(f"{spec.name}: fetching and building") as status:
            _, judge = open_module(spec)
            with tempfile.TemporaryDirectory(prefix="goassist-typing-") as scratch:
                copy = Path(scratch).resolve() / "module"
                shutil.copytree(judge.directory, copy, ignore=shutil.ignore_patterns(".git"))
                keys = max(1, args.keys // len(specs))
                typist = _Typist(args.interval_ms / 1000, lambda n, of=keys: status.update(f"key {n} of {of}"))
                asyncio.run(typist.replay(judge, copy, keys, args.seed))
        results[spec.name] = typist.done.figures(_CROSSING_MS)
    if args.json:
        print_json({"bench": "typing", "interval_ms": args.interval_ms, "modules": results})
    else:
        _print(results, args.interval_ms)
    clean = all(not r["stale"] and not r["error_responses"] and not r["log_errors"] for r in results.values())
    return 0 if clean else 1


@dataclass(slots=True)
class _Open:
    """A request that is not answered yet. `outdated_at` is when the next key was sent."""

    record: KeyRecord
    number: int
    asked_at: float
    rest: str
    text: str
    offset: int
    outdated_at: float | None = None


class _Typist:
    """Types bodies into one server and keeps a record a key."""

    def __init__(self, interval_s: float, tell: Any) -> None:
        self.done = Replay()
        self._interval_s = interval_s
        self._tell = tell

    async def replay(self, judge: CompileJudge, copy: Path, keys: int, seed: int) -> None:
        """Type until `keys` keys are pressed; starts over with the first body when there are too few."""
        log = cache_dir() / "bench" / "typing-server.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        bodies = list(typed_bodies(judge, seed))
        if not bodies:
            raise GoassistError("no function body in it can be typed", path=str(judge.directory))
        client = await LspClient.start(log=log)
        try:
            await client.initialize(copy)
            await client.until_ready()
            server = psutil.Process(client.process.pid)
            cpu_before = _cpu_s(server)
            for body in chain.from_iterable(repeat(bodies)):
                path = copy / body.file.relative_to(judge.directory)
                original = path.read_text(encoding="utf-8")
                path.write_text(body.before + body.after, encoding="utf-8")
                try:
                    await self._type(client, server, path, body, keys)
                finally:
                    path.write_text(original, encoding="utf-8")
                if len(self.done.keys) >= keys:
                    break
            self.done.cpu_s = _cpu_s(server) - cpu_before
            self.done.complaints = list(client.complaints)
        finally:
            await client.close()

    async def _type(self, client: LspClient, server: psutil.Process, path: Path, body: TypedBody, keys: int) -> None:
        text, offset = body.before + body.after, len(body.before)
        client.open(path, text)
        await asyncio.sleep(1)  # a user looks before typing
        typed = 0
        current: _Open | None = None
        due = time.perf_counter()
        for version, key in enumerate(body.keys, 2):
            if len(self.done.keys) >= keys:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            due = max(due + self._interval_s, time.perf_counter())
            place = position_at(text, offset)
            client.change(path, version, place, place, key)
            if current is not None:
                current.outdated_at = time.perf_counter()
                if current.record.answer_ms is None:
                    client.cancel(current.number)
            text, offset, typed = text[:offset] + key + text[offset:], offset + len(key), typed + len(key)
            record = KeyRecord()
            asked_at = time.perf_counter()
            number, future = client.post_inline(path, position_at(text, offset))
            rest = "".join(body.keys)[typed:]
            current = _Open(record, number, asked_at, rest, text, offset)
            future.add_done_callback(partial(self._answered, current))
            self.done.keys.append(record)
            if len(self.done.keys) % _SAMPLE_EVERY_KEYS == 0:
                self.done.rss_bytes.append(_rss_bytes(server))
                self._tell(len(self.done.keys))
        if current is not None:
            await self._settle(client, current)
        client.close_document(path)

    async def _settle(self, client: LspClient, last: _Open) -> None:
        deadline = time.perf_counter() + _SETTLE_S
        while last.record.answer_ms is None and not last.record.error and time.perf_counter() < deadline:
            await asyncio.sleep(0.02)
        if last.record.answer_ms is None:
            last.outdated_at = time.perf_counter()
            client.cancel(last.number)

    def _answered(self, asked: _Open, done: asyncio.Future[Any]) -> None:
        now = time.perf_counter()
        record = asked.record
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            if not (isinstance(error, ResponseError) and error.code in _CANCELLED_CODES):
                record.error = str(error)
            return
        answer = done.result()
        items = answer.get("items", []) if isinstance(answer, dict) else answer or []
        record.answer_ms = (now - asked.asked_at) * 1000
        record.shown = bool(items)
        # Within the interval, or before the next key for the last of a body.
        record.in_time = asked.outdated_at is None and record.answer_ms <= self._interval_s * 1000
        if items and asked.outdated_at is not None:
            record.late_ms = (now - asked.outdated_at) * 1000
        if items:
            record.right = _is_next(items[0], asked)


def _is_next(item: dict[str, Any], asked: _Open) -> bool:
    """Whether the first line shown is what the author wrote next."""
    cursor = position_at(asked.text, asked.offset)
    edit = {"range": item.get("range") or {"start": cursor, "end": cursor}, "newText": item["insertText"]}
    after = apply_edits(asked.text, [edit])
    line = after[asked.offset :].partition("\n")[0]
    wanted = (asked.rest + asked.text[asked.offset :]).partition("\n")[0]
    return line.rstrip() == wanted.rstrip()


def _processes(server: psutil.Process) -> list[psutil.Process]:
    try:
        return [server, *server.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _rss_bytes(server: psutil.Process) -> int:
    total = 0
    for process in _processes(server):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _cpu_s(server: psutil.Process) -> float:
    total = 0.0
    for process in _processes(server):
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def _print(results: dict[str, dict[str, Any]], interval_ms: float) -> None:
    columns = (
        *("module", "keys", "in time", "text in time", "right", "stale", "crossed", "errors", "p50 ms", "p95 ms"),
        *("CPU s/100 keys", "RSS first quarter", "last", "growth"),
    )
    rows = []
    for name, r in results.items():
        shares = [
            "-" if share["percent"] is None else f"{share['percent']:.1f} %"
            for share in (r["answered_in_time"], r["text_in_time"], r["right_of_text_in_time"])
        ]
        errors = len(r["error_responses"]) + len(r["log_errors"])
        memory = [f"{(r[k] or 0) / 2**20:.0f} MiB" for k in ("rss_first_quarter_bytes", "rss_last_quarter_bytes")]
        growth = "-" if r["rss_growth_percent"] is None else f"{r['rss_growth_percent']:+.1f} %"
        times = [milliseconds(r["answer_ms_p50"]), milliseconds(r["answer_ms_p95"])]
        cpu = f"{r['cpu_s_per_100_keys']:.1f}"
        rows.append(
            (name, r["keys"], *shares, r["stale"], r["crossed_on_the_wire"], errors, *times, cpu, *memory, growth)
        )
    table(f"Typing, a key each {interval_ms:.0f} ms", columns, rows)
    for name, r in results.items():
        for message in (*r["error_responses"], *r["log_errors"]):
            print(f"{name}: {message.splitlines()[0][:200]}")
