"""`bench load`: what one key costs while other processes want the processor, beside an idle machine.

Busy and idle stretches of keys take turns in one server, so that both meet the same caches. The busy processes spin;
they are killed at the end of each stretch, and end by themselves when this process does not live any more.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import BrokenBarrierError

from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_keys import BEGINNING, Key, Scene, figures, ratio, shown_ratio, typist, unguessed
from goassist_lsp.cli.bench_plot import add_plot, draw_bars
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_models.evaluate.made_up import file_with_hole, write_module

IDLE, BUSY = "idle", "busy"
_FILE_LINES = 1000
_ROUNDS_A_LOOK = 1_000_000
_STARTING_LIMIT_S = 30.0


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("load", help="what one key costs while other processes want the processor")
    parser.add_argument("--processes", type=int, default=2, help="how many spin (default 2)")
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
                for kind, count in ((IDLE, 0), (BUSY, args.processes)):
                    with spinning(count):
                        found[kind] += await hand.keys("".join(itertools.islice(characters, args.keys)))
    return found


def report(args: argparse.Namespace, found: Mapping[str, Sequence[Key]]) -> None:
    """Print, and draw where that is asked for."""
    told = {kind: figures(keys) for kind, keys in found.items()}
    ratios = {key: ratio(told[BUSY][key], told[IDLE][key]) for key in ("p50_ms", "p95_ms")}
    busy = f"{args.processes} processes spin"
    if args.plot is not None:
        bars = {
            name: [told[kind][key] or 0.0 for kind in (IDLE, BUSY)]
            for name, key in (("p50", "p50_ms"), ("p95", "p95_ms"))
        }
        draw_bars(args.plot, "One appended key", (IDLE, busy), {"milliseconds": bars})
    if args.json:
        print_json({"bench": "load", "processes": args.processes, **told, "busy_to_idle": ratios})
        return
    rows = [
        (name, *(milliseconds(told[kind][key]) for key in ("p50_ms", "p95_ms", "read_tokens")), told[kind]["keys"])
        for kind, name in ((IDLE, IDLE), (BUSY, busy))
    ]
    rows.append(("busy/idle", shown_ratio(ratios["p50_ms"]), shown_ratio(ratios["p95_ms"]), "", ""))
    table("One appended key", ("", "p50 ms", "p95 ms", "tokens read a key", "keys"), rows)


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
