"""Plots of the benches' figures, for `--plot FILE`: bars of named values, lines of what grows."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
# Told apart by people who do not see red and green (Okabe & Ito 2008), as in the reports.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
_PANEL_INCHES = (3.4, 3.0)

Bars = Mapping[str, Sequence[float]]
Points = Sequence[tuple[float, float]]


def add_plot(parser: argparse.ArgumentParser) -> None:
    """Add `--plot` to a bench."""
    parser.add_argument("--plot", type=_picture, metavar="FILE", help="draw the figures into this .png or .svg file")


def _picture(argument: str) -> Path:
    # Refused before anything is measured, not after it; so is a missing library.
    path = Path(argument)
    if path.suffix not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"{argument} is no picture that can be drawn: name a .png or .svg file")
    import matplotlib  # noqa: F401

    return path


def draw_bars(path: Path, title: str, names: Sequence[str], panels: Mapping[str, Bars]) -> None:
    """A panel for each measure; in it groups of bars, one bar for each of `names`, in their order."""
    figure, axes = _panels(title, [(measure,) for measure in panels])
    width = 0.8 / len(names)
    for place, groups in zip(axes, panels.values(), strict=True):
        for number, name in enumerate(names):
            left = [group + width * (number - (len(names) - 1) / 2) for group in range(len(groups))]
            heights = [values[number] for values in groups.values()]
            bars = place.bar(left, heights, width * 0.95, label=name, color=_COLOURS[number % len(_COLOURS)])
            place.bar_label(bars, fmt="%.3g", fontsize=8)
        place.set_xticks(range(len(groups)), list(groups))
        place.tick_params(axis="x", length=0)
        place.margins(y=0.15)
    axes[0].legend(frameon=False, fontsize=8)
    _save(figure, path)


def draw_growth(path: Path, title: str, rows: Mapping[str, Mapping[str, Points]]) -> None:
    """A row of panels for each measure, of one scale; a column for each thing that grows: (size, value) pairs."""
    columns = list(next(iter(rows.values())))
    figure, axes = _panels(title, [tuple(measure for _ in columns) for measure in rows])
    places = iter(axes)
    for number, lines in enumerate(rows.values()):
        top = max((y for points in lines.values() for _, y in points), default=0.0)
        for name in columns:
            place = next(places)
            points = lines[name]
            place.plot([x for x, _ in points], [y for _, y in points], "o-", color=_COLOURS[number % len(_COLOURS)])
            place.set_xscale("log")
            place.set_xticks([x for x, _ in points], [f"{x:,.0f}" for x, _ in points])
            place.minorticks_off()
            place.set_ylim(0, 1.15 * top or 1.0)
            place.set_xlabel(name)
    _save(figure, path)


def draw_course(path: Path, title: str, along: str, measure: str, lines: Mapping[str, Points]) -> None:
    """One panel with named lines of (how far along, value) pairs."""
    figure, (place,) = _panels(title, [(measure,)])
    for number, (name, points) in enumerate(lines.items()):
        place.plot([x for x, _ in points], [y for _, y in points], label=name, color=_COLOURS[number % len(_COLOURS)])
    place.set_xlabel(along)
    place.set_ylim(bottom=0)
    place.legend(frameon=False, fontsize=8)
    _save(figure, path)


def _panels(title: str, rows: Sequence[Sequence[str]]) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each label, in rows or, where each row has one, side by side; none without a name."""
    from matplotlib.figure import Figure

    side_by_side = all(len(row) == 1 for row in rows)
    down, across = (1, len(rows)) if side_by_side else (len(rows), len(rows[0]))
    figure = Figure(figsize=(_PANEL_INCHES[0] * across, _PANEL_INCHES[1] * down + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=10)
    places: Iterable[Axes] = figure.subplots(down, across, squeeze=False).flat
    axes = list(places)
    for place, label in zip(axes, [label for row in rows for label in row], strict=True):
        place.set_ylabel(label)
        place.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
