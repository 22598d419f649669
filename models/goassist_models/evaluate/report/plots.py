"""The page's plots, as plotly figures; colours of text and ground are the page's, which knows light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from goassist_models.evaluate.report.measures import Comparison
from goassist_models.evaluate.report.statistics import share
from goassist_models.evaluate.report.tables import GROUP_MEASURES

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

BINS = 10
# Told apart by people who do not see red and green (Okabe & Ito 2008), first the strongest.
_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"),
    *("#56b4e9", "#999999", "#7f6bb3", "#a0522d", "#2ca4a4"),
)
_GRID = "rgba(128,128,128,0.25)"


def figures(comparison: Comparison, summary: Mapping[str, Any]) -> dict[str, go.Figure]:
    """All plots by title, those without data left out; `summary` is that of tables.py for the same run."""
    found: dict[str, go.Figure] = {}
    if not comparison.systems:
        return found
    found["Latency: share of all holes where something is shown within that time"] = _latency(comparison)
    for by, told in (("kind", "By kind of hole"), ("slice", "By slice")):
        groups = summary["groups"][by]
        if groups:
            for measure, title in GROUP_MEASURES.items():
                found[f"{told}: {title}"] = _by_group(groups, comparison.systems, measure)
    if comparison.rows["mean_logprob"].notna().any():
        found["Calibration: how often the first line is right, by the model's own mean probability a token"] = (
            _calibration(comparison)
        )
    return found


def calibration(rows: pd.DataFrame, bins: int = BINS) -> list[tuple[float, float, float, float, int]]:
    """Bins of exp(mean log-probability) of what was shown: mean of it, share of first lines right, interval, count.

    Bins are of equal width from 0 to 1; empty ones are left out.
    """
    known = rows[rows["shown"] & rows["mean_logprob"].notna()]
    sorted_in: dict[int, list[tuple[float, bool]]] = {}
    for logprob, right in zip(known["mean_logprob"].tolist(), known["first_line"].tolist(), strict=True):
        probability = min(math.exp(logprob), 1.0)
        sorted_in.setdefault(min(int(probability * bins), bins - 1), []).append((probability, right))
    found = []
    for _, members in sorted(sorted_in.items()):
        right_share = share([right for _, right in members])
        if right_share is not None:
            centre = sum(probability for probability, _ in members) / len(members)
            found.append((centre, right_share.value, right_share.low, right_share.high, len(members)))
    return found


def _latency(comparison: Comparison) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for system, colour in _coloured(comparison.systems):
        rows = comparison.of(system)
        # A logarithmic axis has no zero.
        ms = sorted(max(value, 0.1) for value in rows.loc[rows["shown"], "ms"].tolist())
        shares = [100 * number / len(rows) for number in range(1, len(ms) + 1)]
        figure.add_scatter(
            x=ms, y=shares, name=html.escape(system), mode="lines", line={"shape": "hv", "color": colour}
        )
    figure.update_xaxes(type="log", title="ms from asking to showing")
    figure.update_yaxes(title="% of holes", range=[0, 100])
    return _plain(figure)


def _by_group(groups: Mapping[str, Any], systems: Sequence[str], measure: str) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for system, colour in _coloured(systems):
        known = [(name, by[system][measure]) for name, by in groups.items() if by[system][measure] is not None]
        figure.add_scatter(
            x=[html.escape(name) for name, _ in known],
            y=[100 * share["value"] for _, share in known],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [100 * (share["high"] - share["value"]) for _, share in known],
                "arrayminus": [100 * (share["value"] - share["low"]) for _, share in known],
                "thickness": 1.5,
                "width": 3,
            },
            name=html.escape(system),
            mode="markers",
            marker={"color": colour, "size": 9},
            customdata=[share["n"] for _, share in known],
            hovertemplate="%{x}: %{y:.0f} % of %{customdata}",
        )
    figure.update_yaxes(title="%", range=[0, 102])
    figure.update_layout(scattermode="group")
    return _plain(figure)


def _calibration(comparison: Comparison) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    line = {"color": _GRID, "dash": "dash"}
    figure.add_scatter(x=[0, 1], y=[0, 100], mode="lines", line=line, name="as sure as right", hoverinfo="skip")
    for system, colour in _coloured(comparison.systems):
        bins = calibration(comparison.of(system))
        if not bins:
            continue
        figure.add_scatter(
            x=[centre for centre, *_ in bins],
            y=[100 * value for _, value, *_ in bins],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [100 * (high - value) for _, value, _, high, _ in bins],
                "arrayminus": [100 * (value - low) for _, value, low, _, _ in bins],
                "thickness": 1,
                "width": 2,
            },
            name=html.escape(system),
            mode="lines+markers+text",
            text=[str(count) for *_, count in bins],
            textposition="top center",
            marker={"color": colour, "size": 8},
            line={"color": colour, "width": 1},
            hovertemplate="%{x:.2f}: %{y:.0f} % right of %{text}",
        )
    figure.update_xaxes(title="exp(mean log-probability a token); the numbers count suggestions", range=[0, 1.02])
    figure.update_yaxes(title="% first line right", range=[0, 102])
    return _plain(figure)


def _coloured(systems: Sequence[str]) -> list[tuple[str, str]]:
    return [(system, _COLOURS[number % len(_COLOURS)]) for number, system in enumerate(systems)]


def _plain(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        template="none",
        height=380,
        margin={"l": 60, "r": 20, "t": 16, "b": 60},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(gridcolor=_GRID, zerolinecolor=_GRID, automargin=True)
    figure.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID)
    return figure
