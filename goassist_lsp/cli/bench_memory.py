"""`bench memory`: memory while function bodies of a large module are typed.

With `--keys N` it is the real server's (bench_resident.py), beside the size of its model file. Without, it is the type
service's over an hour of edits, replayed quickly. Each edit is a key: the unsaved buffer is sent and one text is
checked, as at a keystroke. The value after a twelfth of the edits stands for minute 5 of that hour.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from goassist_index.cachedir import cache_dir
from goassist_index.gotools import list_packages
from goassist_index.typeservice import TypeService
from goassist_lsp.cli.bench_plot import add_plot, draw_course
from goassist_lsp.cli.bench_report import add_common, print_json, progress, table
from goassist_lsp.cli.bench_resident import Resident, keys_of_bodies, replay, slope
from goassist_lsp.settings import Options, resolve
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.keystrokes import TypedBody, typed_bodies
from goassist_models.evaluate.metrics import median
from goassist_models.evaluate.modules import named_module, prepare
from goassist_models.registry import resolve as resolve_model

LARGE_MODULE = "github.com/prometheus/prometheus@v0.316.0"
LARGE_PACKAGE = "./promql/..."
MIB = 2**20
_SAMPLES_A_WINDOW = 12
_SAMPLES = 240


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("memory", help="memory of the server over many keys, or of the type service over edits")
    parser.add_argument("module", nargs="?", default=LARGE_MODULE, metavar="MODULE@VERSION|DIR", help="where to edit")
    parser.add_argument(
        "--package", default=LARGE_PACKAGE, metavar="PATTERN", help=f"packages to edit (default {LARGE_PACKAGE})"
    )
    parser.add_argument("--keys", type=int, metavar="N", help="measure the whole server over so many keys instead")
    parser.add_argument(
        "--most-ms", type=float, default=100.0, help="the next key waits so long for an answer (default 100)"
    )
    add_plot(parser)
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
    if args.keys is not None:
        return _server(args, directory, bodies)
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
            (label, *(f"{(figures[name][k] or 0) / MIB:.1f} MiB" for k in ("minute_5", "end", "peak")),
             f"{figures[name]['growth_percent']:+.1f} %")
            for label, name in (("resident", "rss_bytes"), ("Go heap", "heap_bytes"))
        ]  # fmt: skip
        table(
            f"Type service, {args.edits} edits in {args.module}", ("memory", "minute 5", "end", "peak", "growth"), rows
        )
        print(f"packages {seen['packages']}, restarts {seen['restarts']}, verdicts unknown {seen['unknown']}")
    return 0


def _server(args: argparse.Namespace, directory: Path, bodies: list[TypedBody]) -> int:
    model = resolve_model(resolve(Options())[0].model or None)
    with progress.status("typing") as status:
        found = asyncio.run(
            replay(
                *(directory, bodies, args.keys, args.most_ms / 1e3),
                tell=lambda n: status.update(f"key {n:,} of {args.keys:,}"),
            )
        )
    report_resident(args, model.name, model.path.stat().st_size, found)
    return 0


def report_resident(args: argparse.Namespace, model: str, model_bytes: int, found: Resident) -> None:
    """Print, and draw where that is asked for."""
    growth = slope(found.samples)
    peak_bytes = max(one.bytes for one in found.samples)
    if args.plot is not None:
        lines = {
            "server": [(one.keys, one.server_bytes / MIB) for one in found.samples],
            "type service": [(one.keys, one.others_bytes / MIB) for one in found.samples],
            "indexer": [(one.keys, one.indexer_bytes / MIB) for one in found.samples],
            "all": [(one.keys, one.bytes / MIB) for one in found.samples],
            "model file": [(0, model_bytes / MIB), (found.samples[-1].keys, model_bytes / MIB)],
        }
        draw_course(args.plot, f"Resident memory, {args.module}, {model}", "keys", "MiB", lines)
    if args.json:
        print_json(
            {
                "bench": "memory",
                "module": args.module,
                "model": model,
                "model_bytes": model_bytes,
                "peak_bytes": peak_bytes,
                "above_model_bytes": peak_bytes - model_bytes,
                "slope_bytes_per_key": growth,
                "answered": found.answered,
                "samples": [asdict(one) for one in found.samples],
            }
        )
        return
    step = max(1, len(found.samples) // 10)
    rows = [
        (f"{one.keys:,}", *(f"{size / MIB:.1f}" for size in (one.server_bytes, one.others_bytes, one.indexer_bytes)),
         f"{(one.bytes - model_bytes) / MIB:.1f}")
        for one in found.samples[::step]
    ]  # fmt: skip
    columns = ("keys", "server MiB", "type service MiB", "indexer MiB", "all, above the model file")
    table(f"Resident memory, {args.module}, {model} ({model_bytes / MIB:.1f} MiB)", columns, rows)
    told = "-" if growth is None else f"{1000 * growth / MIB:+.2f} MiB a 1,000 keys in the second half"
    print(f"peak {peak_bytes / MIB:.1f} MiB, {(peak_bytes - model_bytes) / MIB:.1f} above the model file; {told}")
    print(f"{found.answered:,} of {args.keys:,} keys were answered before the next one")


async def _replay(
    root: Path, bodies: list[TypedBody], edits: int, tell: Any
) -> tuple[list[dict[str, int]], dict[str, int]]:
    service = await TypeService.start(root, cache_dir=cache_dir())
    samples: list[dict[str, int]] = []
    unknown = 0
    every = max(1, edits // _SAMPLES)
    number = 0
    try:
        for body, key_number in islice(keys_of_bodies(bodies), edits):
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
