"""`bench growth`: what one key costs as file, open files, context and workspace grow.

A made-up module (evaluate/made_up.py) is written for each size and typed into through the real server. One thing grows
at a time. What must not grow with any of them is the number of tokens read a key; milliseconds show the rest. With
`--times` the sizes take turns, each with a server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_keys import BEGINNING, Key, Scene, figures, ratio, shown_ratio, typist, unguessed
from goassist_lsp.cli.bench_plot import add_plot, draw_growth
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_models.evaluate.made_up import file_with_hole, write_module

FILE_LINES = 2000  # of the file that is typed into where that does not grow: fills the largest context
WORKSPACE_LINES = 10_000
SMALL_PACKAGE_LINES = 200


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that grows: what it is called, its sizes, and the scene of a size in an empty directory."""

    name: str
    unit: str
    sizes: tuple[int, ...]
    scene: Callable[[Path, int], Scene]


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured at one size: the first key, which reads all, and those that count; `why` not, where not."""

    size: int
    first: Key | None = None
    keys: tuple[Key, ...] = ()
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """The point's figures as one JSON object."""
        first = {"ms": self.first.ms, "read_tokens": self.first.read_tokens} if self.first is not None else None
        return {"size": self.size, "first_key": first, **figures(self.keys), "failed": self.why}


def _scene(
    root: Path,
    *,
    file_lines: int = FILE_LINES,
    workspace_lines: int = 0,
    package_lines: int = 1000,
    opened: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Scene:
    files, first = write_module(root, workspace_lines, package_lines)
    before, after = file_with_hole(file_lines, first)
    path = root / "main.go"
    path.write_text(before + after, encoding="utf-8")
    return Scene(root, path, before, after, files[:opened], options)


AXES = (
    Axis("file", "lines of the file", (100, 1000, 10_000), lambda root, size: _scene(root, file_lines=size)),
    Axis(
        "open-files",
        "open files",
        (1, 10, 50),
        lambda root, size: _scene(
            root, workspace_lines=WORKSPACE_LINES, package_lines=SMALL_PACKAGE_LINES, opened=size - 1
        ),
    ),
    Axis(
        "context",
        "tokens of context",
        (512, 2048, 8192),
        lambda root, size: _scene(root, options={"contextTokens": size}),
    ),
    Axis(
        "workspace",
        "lines of the workspace",
        (1000, 100_000, 400_000),
        lambda root, size: _scene(root, workspace_lines=size),
    ),
)


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("growth", help="what one key costs as file, open files, context and workspace grow")
    named = [axis.name for axis in AXES]
    parser.add_argument("--axis", action="append", choices=named, help="only what grows so; may be repeated")
    parser.add_argument("--quick", action="store_true", help="only the smallest and the largest size of each")
    parser.add_argument("--keys", type=int, default=20, help="keys at each size (default 20)")
    parser.add_argument("--times", type=int, default=1, help="how often the sizes take turns (default 1)")
    add_plot(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when every size was measured, 1 when one could not be."""
    axes = [axis for axis in AXES if not args.axis or axis.name in args.axis]
    found: dict[str, list[Point]] = {}
    for axis in axes:
        sizes = (axis.sizes[0], axis.sizes[-1]) if args.quick else axis.sizes
        measured: dict[int, list[Point]] = {size: [] for size in sizes}
        for _, size in itertools.product(range(args.times), sizes):
            with progress.status(f"{axis.name}: {size:,}"):
                one = asyncio.run(point(axis, size, args.keys, args.seed))
            if one.why:
                progress.print(f"{axis.name} {size:,} left out: {one.why}", style="red", markup=False)
            measured[size].append(one)
        found[axis.name] = [joined(points) for points in measured.values()]
    report(args, axes, found)
    return 0 if found and not any(point.why for points in found.values() for point in points) else 1


async def point(
    axis: Axis, size: int, count: int, seed: int, command: Sequence[str] = (), gap_s: float | None = None
) -> Point:
    """Measure one size in a module of its own, with the server that `command` starts (default: ours)."""
    with tempfile.TemporaryDirectory(prefix="goassist-growth-") as folder:
        scene = axis.scene(Path(folder).resolve(), size)
        characters = "".join(itertools.islice(unguessed(seed), count))
        pause = {} if gap_s is None else {"gap_s": gap_s}
        try:
            async with typist(scene, command, **pause) as at:
                (first, *_), keys = await at.keys(BEGINNING), await at.keys(characters)
        except GoassistError as error:
            return Point(size, why=str(error))
    if all(key.skipped for key in keys):
        return Point(size, why=f"nothing is asked of the model there: {keys[0].skipped}")
    return Point(size, first, tuple(keys))


def joined(points: Sequence[Point]) -> Point:
    """One size's measurements as one: all keys, the first server's first key, the first failure."""
    why = next((point.why for point in points if point.why), "")
    return Point(points[0].size, points[0].first, tuple(key for point in points for key in point.keys), why)


def report(args: argparse.Namespace, axes: Sequence[Axis], found: Mapping[str, Sequence[Point]]) -> None:
    """Print, and draw where that is asked for."""
    if args.plot is not None:
        labels = {"ms a key, median": "p50_ms", "tokens read a key": "read_tokens"}
        drawn = {
            label: {axis.unit: [(p.size, value) for p in found[axis.name] if (value := _of(p, key))] for axis in axes}
            for label, key in labels.items()
        }
        draw_growth(args.plot, "What one key costs as things grow", drawn)
    grown = {name: ratio(_of(points[-1], "p50_ms"), _of(points[0], "p50_ms")) for name, points in found.items()}
    if args.json:
        sizes = {name: [point.as_json() for point in points] for name, points in found.items()}
        print_json({"bench": "growth", "seed": args.seed, "points": sizes, "largest_to_smallest": grown})
        return
    rows = []
    for axis in axes:
        points = found[axis.name]
        for number, one in enumerate(points):
            told = f"{one.size:,} {axis.unit}"
            cells = [milliseconds(_of(one, key)) for key in ("p50_ms", "p95_ms", "read_tokens", "prompt_tokens")]
            first = milliseconds(one.first.ms if one.first is not None else None)
            rows.append((told, *cells, first, shown_ratio(grown[axis.name]) if number == len(points) - 1 else ""))
    columns = ("with", "p50 ms", "p95 ms", "tokens read a key", "in the prompt", "first key ms", "largest/smallest")
    table(f"One appended key, medians over {args.keys * args.times}", columns, rows)


def _of(point: Point, key: str) -> float | None:
    return figures(point.keys)[key]
