"""`bench memory`: the type service's memory over an hour of edits, replayed quickly on a large module.

Each edit is a key typed into a function body: the unsaved buffer is sent and one text is checked, as at a
keystroke. The value after a twelfth of the edits stands for minute 5 of that hour.
"""

from __future__ import annotations

import argparse
import asyncio
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import psutil

from goassist_index.cachedir import cache_dir
from goassist_index.gotools import list_packages
from goassist_index.typeservice import TypeService
from goassist_lsp.cli.bench_report import add_common, print_json, progress, table
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.keystrokes import TypedBody, typed_bodies
from goassist_models.evaluate.metrics import median
from goassist_models.evaluate.modules import named_module, prepare

LARGE_MODULE = "github.com/prometheus/prometheus@v0.316.0"
LARGE_PACKAGE = "./promql/..."
_SAMPLES_A_WINDOW = 12
_SAMPLES = 240


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("memory", help="the type service's memory over an hour of replayed edits")
    parser.add_argument("module", nargs="?", default=LARGE_MODULE, metavar="MODULE@VERSION|DIR", help="where to edit")
    parser.add_argument(
        "--package", default=LARGE_PACKAGE, metavar="PATTERN", help=f"packages to edit (default {LARGE_PACKAGE})"
    )
    parser.add_argument("--edits", type=int, default=3000, help="keys typed, an hour's worth (default 3000)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when measured."""
    with progress.status(f"{args.module}: fetching"):
        directory = prepare(named_module(args.module), cache_dir())
        # Nothing is compiled here: the bodies come from the list of files alone.
        judge = CompileJudge(directory, list_packages(directory, [args.package], export=False), {})
    bodies = list(typed_bodies(judge, args.seed))
    with progress.status("typing") as status:
        samples, seen = asyncio.run(
            _replay(directory, bodies, args.edits, lambda n: status.update(f"edit {n} of {args.edits}"))
        )
    at = max(1, len(samples) // 12)
    window = max(1, min(_SAMPLES_A_WINDOW, at))
    early = samples[max(0, at - window // 2) : at + (window + 1) // 2]
    late = samples[-window:]
    figures: dict[str, Any] = {"bench": "memory", "module": args.module, "edits": args.edits, **seen}
    for name in ("rss_bytes", "heap_bytes"):
        before, after = median([s[name] for s in early]), median([s[name] for s in late])
        growth = 100 * (after - before) / before if before and after is not None else None
        figures[name] = {
            "minute_5": before,
            "end": after,
            "growth_percent": growth,
            "peak": max(s[name] for s in samples),
        }
    if args.json:
        print_json(figures)
    else:
        rows = [
            (label, *(f"{(figures[name][k] or 0) / 2**20:.1f} MiB" for k in ("minute_5", "end", "peak")),
             f"{figures[name]['growth_percent']:+.1f} %")
            for label, name in (("resident", "rss_bytes"), ("Go heap", "heap_bytes"))
        ]  # fmt: skip
        table(
            f"Type service, {args.edits} edits in {args.module}", ("memory", "minute 5", "end", "peak", "growth"), rows
        )
        print(f"packages {seen['packages']}, restarts {seen['restarts']}, verdicts unknown {seen['unknown']}")
    return 0


async def _replay(
    root: Path, bodies: list[TypedBody], edits: int, tell: Any
) -> tuple[list[dict[str, int]], dict[str, int]]:
    service = await TypeService.start(root, cache_dir=cache_dir())
    samples: list[dict[str, int]] = []
    unknown = 0
    every = max(1, edits // _SAMPLES)
    number = 0
    try:
        for body, key_number in islice(_keys(bodies), edits):
            typed = "".join(body.keys[: key_number + 1])
            rest = "".join(body.keys[key_number + 1 :])
            before = body.before + typed
            text = before + body.after
            place = len(before.encode())
            await service.overlay(body.file, text)
            line = rest.partition("\n")[0]
            (verdict,) = await service.check(body.file, text, place, place, (line or rest,))
            unknown += verdict.status == "unknown"
            if key_number + 1 == len(body.keys):
                await service.close_file(body.file)
            number += 1
            if number % every == 0:
                stats = await service.stats()
                rss = psutil.Process(stats.pid).memory_info().rss
                samples.append({"rss_bytes": rss, "heap_bytes": stats.heap_bytes})
                tell(number)
        stats = await service.stats()
    finally:
        await service.aclose()
    return samples, {"unknown": unknown, "packages": stats.packages, "restarts": stats.restarts}


def _keys(bodies: list[TypedBody]) -> Any:
    """Each key of each body in turn, from the first body again when all are typed."""
    for body in chain.from_iterable(repeat(bodies)):
        for number in range(len(body.keys)):
            yield body, number
