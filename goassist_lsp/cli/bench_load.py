"""`bench load`: what one key costs while other processes want the processor, beside an idle machine.

Busy and idle stretches of keys take turns in one server, so that both meet the same caches. The busy processes spin;
they are killed at the end of each stretch, and end by themselves when this process does not live any more. With
`--indexing` the busy one is an indexer, as the server starts it, that makes an index anew over and over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import multiprocessing
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import BrokenBarrierError

from goassist_index.errors import GoassistError
from goassist_index.gotools import download_module
from goassist_index.workspaceindex import WorkspaceIndex
from goassist_lsp.cli.bench_keys import BEGINNING, Key, Scene, figures, ratio, shown_ratio, typist, unguessed
from goassist_lsp.cli.bench_plot import add_plot, draw_bars
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_models.evaluate.made_up import file_with_hole, write_module
from goassist_models.evaluate.modules import named_module

IDLE, BUSY = "idle", "busy"
# Answered before the next key of somebody who types steadily, as `eval typing` has it.
IN_TIME_MS = 180.0
_FILE_LINES = 1000
_ROUNDS_A_LOOK = 1_000_000
_STARTING_LIMIT_S = 30.0


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("load", help="what one key costs while other processes want the processor")
    parser.add_argument("--processes", type=int, default=2, help="how many spin (default 2)")
    parser.add_argument(
        "--indexing", metavar="MODULE@VERSION|DIR", help="instead have an indexer read this, over and over"
    )
    parser.add_argument("--keys", type=int, default=20, help="keys of each stretch (default 20)")
    parser.add_argument("--times", type=int, default=3, help="stretches of each kind (default 3)")
    add_plot(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when measured. Raises GoassistError when the server does not answer."""
    with tempfile.TemporaryDirectory(prefix="goassist-load-") as folder:
        found = asyncio.run(measured(scene(Path(folder).resolve()), args))
    report(args, found)
    return 0


def scene(root: Path) -> Scene:
    """A file of middle size in a module of its own."""
    write_module(root, 0)
    before, after = file_with_hole(_FILE_LINES)
    path = root / "main.go"
    path.write_text(before + after, encoding="utf-8")
    return Scene(root, path, before, after)


async def measured(
    at: Scene, args: argparse.Namespace, command: Sequence[str] = (), gap_s: float | None = None
) -> dict[str, list[Key]]:
    """Keys of the idle and of the busy stretches."""
    characters = unguessed(args.seed)
    found: dict[str, list[Key]] = {IDLE: [], BUSY: []}
    pause = {} if gap_s is None else {"gap_s": gap_s}
    async with typist(at, command, **pause) as hand:
        await hand.keys(BEGINNING)
        for number in range(args.times):
            with progress.status(f"stretch {number + 1} of {args.times}"):
                for kind in (IDLE, BUSY):
                    async with contextlib.AsyncExitStack() as stack:
                        if kind == BUSY and args.indexing is not None:
                            await stack.enter_async_context(indexing(_directory(args.indexing)))
                        else:
                            stack.enter_context(spinning(args.processes if kind == BUSY else 0))
                        found[kind] += await hand.keys("".join(itertools.islice(characters, args.keys)))
    return found


def _directory(module: str) -> Path:
    spec = named_module(module)
    return download_module(spec.path, spec.version) if spec.version else Path(spec.path)


def report(args: argparse.Namespace, found: Mapping[str, Sequence[Key]]) -> None:
    """Print, and draw where that is asked for."""
    told = {kind: figures(keys) for kind, keys in found.items()}
    ratios = {key: ratio(told[BUSY][key], told[IDLE][key]) for key in ("p50_ms", "p95_ms")}
    busy = f"{args.processes} processes spin" if args.indexing is None else f"{args.indexing} is indexed"
    in_time = {kind: _in_time(keys) for kind, keys in found.items()}
    ratios["answered_in_time"] = ratio(in_time[BUSY], in_time[IDLE])
    if args.plot is not None:
        bars = {
            name: [told[kind][key] or 0.0 for kind in (IDLE, BUSY)]
            for name, key in (("p50", "p50_ms"), ("p95", "p95_ms"))
        }
        draw_bars(args.plot, "One appended key", (IDLE, busy), {"milliseconds": bars})
    if args.json:
        load = {"processes": args.processes, "indexing": args.indexing}
        print_json({"bench": "load", **load, **told, "answered_in_time": in_time, "busy_to_idle": ratios})
        return
    rows = [
        (
            name,
            *(milliseconds(told[kind][key]) for key in ("p50_ms", "p95_ms")),
            f"{in_time[kind]:.1%}",
            milliseconds(told[kind]["read_tokens"]),
            told[kind]["keys"],
        )
        for kind, name in ((IDLE, IDLE), (BUSY, busy))
    ]
    rows.append(("busy/idle", shown_ratio(ratios["p50_ms"]), shown_ratio(ratios["p95_ms"]), _of_idle(ratios), "", ""))
    columns = ("", "p50 ms", "p95 ms", f"within {IN_TIME_MS:.0f} ms", "tokens read a key", "keys")
    table("One appended key", columns, rows)


def _in_time(keys: Sequence[Key]) -> float:
    return sum(key.ms <= IN_TIME_MS for key in keys) / len(keys) if keys else 0.0


def _of_idle(ratios: Mapping[str, float | None]) -> str:
    part = ratios["answered_in_time"]
    return f"{part:.1%} of idle" if part is not None else "-"


@asynccontextmanager
async def indexing(root: Path) -> AsyncIterator[WorkspaceIndex]:
    """Have an indexer make the index of the workspace at `root` anew, over and over; it has begun, until the end.

    Raises IndexUnavailable when it cannot.
    """
    index = WorkspaceIndex(root.resolve())
    begun = asyncio.Event()

    async def over_and_over() -> None:
        while True:
            await index.update(lambda *_: begun.set(), anew=True)

    task = asyncio.create_task(over_and_over())
    waiting = asyncio.create_task(begun.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield index
    finally:
        for one in (task, waiting):
            one.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
        await index.aclose()


@contextmanager
def spinning(count: int) -> Iterator[list[int]]:
    """Have `count` processes spin, by their ids; they are killed and waited for at the end, also on an error.

    Raises GoassistError when they do not come to spin.
    """
    # Not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    started = context.Barrier(count + 1)
    processes = [context.Process(target=_spin, args=(started,), daemon=True) for _ in range(count)]
    try:
        for process in processes:
            process.start()
        try:
            started.wait(_STARTING_LIMIT_S)
        except BrokenBarrierError as error:
            raise GoassistError(f"{count} processes do not start within {_STARTING_LIMIT_S:.0f} s") from error
        yield [process.pid for process in processes if process.pid is not None]
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()


def _spin(started: object) -> None:
    parent = multiprocessing.parent_process()
    started.wait()  # type: ignore[attr-defined]
    while parent is None or parent.is_alive():
        for _ in range(_ROUNDS_A_LOOK):
            pass
