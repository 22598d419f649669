"""`bench appended`: how much of its prompt a key that appends has read, counted in tokens and decodes, not timed.

Function bodies of real modules are typed key by key into the assistant in this process, as the server drives it: a
question at each key, cancelled at the next. Below the engine that keeps generations running stands one that counts
what each request has the model read of its prompt. What is said afterwards, and what is read in idle time, is not a
prompt's cost; a second draw with a note in its prompt is, and is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from goassist_lsp.app import Assistant, llama_settings
from goassist_lsp.cli.bench_report import add_common, chosen_bodies, print_json, progress, table
from goassist_lsp.server.rhythm import Rhythm
from goassist_lsp.settings import Options, Settings, resolve
from goassist_lsp.types import Checker, DocumentSnapshot
from goassist_models.engine import CancelToken, Engine, EngineOver, GenerateRequest, Generation
from goassist_models.engine.kept import KeptEngine
from goassist_models.evaluate.keystrokes import TypedBody
from goassist_models.evaluate.metrics import Share, percentile
from goassist_models.infill import InfillPrompt
from goassist_models.registry import resolve as resolve_model

MOST_TOKENS = 4

Why = Literal["", "several decodes", "the window moved", "the suffix changed", "a note in the prompt", "other"]


@dataclass(frozen=True, slots=True)
class Read:
    """What one request had read of its prompt."""

    prompt: InfillPrompt
    tokens: int
    decodes: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class AppendedKey:
    """One key: prompt tokens and decodes that its request needed before its first token; `why` it was more than few."""

    tokens: int
    decodes: int
    why: Why
    place: str


class Counting(EngineOver):
    """Counts what requests that somebody waits for have read. Implements the Engine protocol over another."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.reads: list[Read] = []

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Answer as the engine below does."""
        said = await self._engine.generate(request, cancel)
        if not request.idle and said:
            timings = said[0].timings
            self.reads.append(
                Read(request.prompt, timings.read_tokens, timings.read_decodes, request.resume is not None)
            )
        return said


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("appended", help="how many tokens of its prompt a key that appends has read")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list's dev half")
    parser.add_argument("--bodies", type=int, default=12, help="function bodies in all (default 12)")
    parser.add_argument("--limit", type=int, default=60, metavar="KEYS", help="keys of each at most (default 60)")
    parser.add_argument("--interval-ms", type=float, default=180.0, help="from key to key (default 180)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when measured."""
    bodies = chosen_bodies(args)
    with progress.status("typing") as status:
        keys = asyncio.run(_with_model(bodies, args, lambda n: status.update(f"key {n}")))
    report(args, keys)
    return 0


async def _with_model(
    bodies: Sequence[TypedBody], args: argparse.Namespace, tell: Callable[[int], None]
) -> list[AppendedKey]:
    from goassist_models.engine.llama import LlamaEngine

    settings = resolve(Options())[0]
    engine = await LlamaEngine.load(resolve_model(settings.model or None).path, llama_settings(settings))
    try:
        return await typed(engine, settings, bodies, args.limit, args.interval_ms / 1e3, tell)
    finally:
        await engine.close()


async def typed(
    engine: Engine,
    settings: Settings,
    bodies: Sequence[TypedBody],
    limit: int,
    interval_s: float,
    tell: Callable[[int], None] = lambda keys: None,
    checker: Checker | None = None,
) -> list[AppendedKey]:
    """The keys of each body but its first, which reads all."""
    counting = Counting(engine)
    assistant = Assistant(settings, engine=KeptEngine(counting), checker=checker)
    await assistant.start([])
    found: list[AppendedKey] = []
    try:
        for body in bodies:
            await assistant.set_folders([body.directory])
            before: InfillPrompt | None = None
            rhythm = Rhythm()
            for number in range(min(limit, len(body.keys))):
                written = body.before + "".join(body.keys[: number + 1])
                snapshot = DocumentSnapshot(body.file.as_uri(), body.file, number + 1, written + body.after)
                counting.reads.clear()
                # The first one is waited for: it stands for the file's opening.
                await _key(assistant, snapshot, len(written), interval_s if number else None, rhythm)
                reads = list(counting.reads)
                if number:
                    place = f"{body.place}:{written.count(chr(10)) + 1}"
                    found.append(appended(reads, before, place))
                    tell(len(found))
                before = reads[-1].prompt if reads else before
            await assistant.document_closed(body.file)
    finally:
        await assistant.close()
    return found


async def _key(
    assistant: Assistant, snapshot: DocumentSnapshot, offset: int, interval_s: float | None, rhythm: Rhythm
) -> None:
    await assistant.document_changed(snapshot)
    loop, token = asyncio.get_running_loop(), CancelToken()
    due = None if interval_s is None else loop.time() + interval_s
    asked = asyncio.create_task(assistant.complete(snapshot, offset, token, pace=rhythm.pace(loop.time())))
    await asyncio.wait({asked}, timeout=interval_s)
    if not asked.done():
        token.cancel()
    completion = await asked
    if completion.candidates and not completion.cancelled:
        ahead = asyncio.create_task(assistant.ahead(completion))
        await asyncio.wait({ahead}, timeout=None if due is None else max(0.0, due - loop.time()))
        ahead.add_done_callback(lambda done: done.cancelled() or done.exception())
    if due is not None:
        await asyncio.sleep(max(0.0, due - loop.time()))


def appended(reads: Sequence[Read], before: InfillPrompt | None, place: str) -> AppendedKey:
    """One key's figures from what it had read; `before` is the last prompt before it."""
    # A generation that is resumed in its middle reads what was said, not the prompt.
    prompts = [read for read in reads if not read.resumed]
    tokens, decodes = sum(read.tokens for read in prompts), sum(read.decodes for read in prompts)
    return AppendedKey(tokens, decodes, _why(prompts, before, tokens, decodes), place)


def _why(reads: Sequence[Read], before: InfillPrompt | None, tokens: int, decodes: int) -> Why:
    if tokens <= MOST_TOKENS and decodes <= 1:
        return ""
    if tokens <= MOST_TOKENS:
        return "several decodes"
    if any(read.prompt.note for read in reads):
        return "a note in the prompt"
    last = max(reads, key=lambda read: read.tokens).prompt
    if before is not None and not last.prefix.startswith(before.prefix):
        return "the window moved"
    if before is not None and (last.suffix, last.repo) != (before.suffix, before.repo):
        return "the suffix changed"
    return "other"


def report(args: argparse.Namespace, keys: Sequence[AppendedKey]) -> None:
    """Print the shares, and why the rest needed more."""
    few, one = Share(), Share()
    for key in keys:
        few.add(key.tokens <= MOST_TOKENS)
        one.add(not key.why)
    why = Counter(key.why for key in keys if key.why)
    tokens = [key.tokens for key in keys]
    at = {f"p{percent}": percentile(tokens, percent) for percent in (50, 90, 95, 99)}
    if args.json:
        told: dict[str, Any] = {"bench": "appended", "keys": [asdict(key) for key in keys], "why": dict(why)}
        print_json({**told, "few_tokens": few.as_json(), "one_decode": one.as_json(), "tokens": at})
        return
    rows = [
        (f"at most {MOST_TOKENS} tokens in at most one decode", str(one)),
        (f"at most {MOST_TOKENS} tokens", str(few)),
        *((f"more: {reason}", count) for reason, count in why.most_common()),
        *((f"tokens at {name}", value) for name, value in at.items()),
    ]
    table("Prompt tokens read for a key that appends", ("", "keys"), rows)
