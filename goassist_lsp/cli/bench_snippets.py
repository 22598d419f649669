"""`bench snippets`: what it is worth to show the model what the index finds, before anything is generated.

At holes of real functions the author's text is scored by the model behind the prompt with and without snippets, by how
much of the prompt's budget they may take: nats a token, paired, also for slices that need other files, for each kind of
hole, and for gates: only the places where the best snippet fits best. `--out` keeps what came of each place, as it
comes; the same file goes on with it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.cachedir import cache_dir
from goassist_index.errors import IndexUnavailable
from goassist_lsp.cli.bench_report import (
    print_json,
    table,
)
from goassist_lsp.cli.bench_truths import add_arguments, cells, compared, each_scored, keep, kept
from goassist_lsp.context.cursor import context_at
from goassist_lsp.context.retrieve import WorkspaceRetriever
from goassist_lsp.generate import prompt, repository
from goassist_lsp.indexes import Indexes
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import GHOST_KINDS, question
from goassist_models.evaluate.report.statistics import Paired
from goassist_models.registry import resolve as resolve_model

if TYPE_CHECKING:
    from goassist_models.engine.llama import LlamaEngine

_INDEX_LIMIT_S = 60.0
# Parts of the prompt's budget that snippets may take; 0 is the prompt without.
SHARES = (0.0, 0.125, 0.25, 0.5)
_SLICES = ("all", "cross-file", "cross-package")
# Parts of the places that a gate lets through, those with the highest score of their best snippet.
GATES = (1.0, 0.75, 0.5, 0.25, 0.1)


@dataclass(frozen=True, slots=True)
class Scored:
    """One place: nats of the truth by share of the budget, its tokens, the index's scores and what was shown."""

    case: Case
    nats: dict[float, float]
    tokens: int
    scores: tuple[float, ...]
    notes: tuple[str, ...]


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("snippets", help="what showing the model what the index finds is worth")
    add_arguments(parser, limit=120, help_limit="holes, a quarter of each kind")
    parser.add_argument(
        "--share",
        type=float,
        action="append",
        choices=SHARES[1:],
        help=f"part of the budget that is tried (repeatable; default all); {repository.SHARE} always is",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there are figures, 1 when no place could be scored."""
    model = resolve_model(args.model)
    out = args.out or cache_dir() / "bench" / "snippets.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    if args.out is None:
        out.unlink(missing_ok=True)  # of another run, with other code perhaps
    shares = tuple(share for share in SHARES if not args.share or share in (0.0, repository.SHARE, *args.share))
    found = each_scored(args, model, partial(scored, out=out, model=model.name, shares=shares))
    slices = (*_SLICES, *GHOST_KINDS)
    differences = {(name, share): _compared(_of(found, name), share) for name in slices for share in shares[1:]}
    gates = [(gate, *gated(found, gate)) for gate in GATES]
    if args.json:
        values = {f"{name} {share}": one.as_json() if one else None for (name, share), one in differences.items()}
        curve = [
            {"let_through": gate, "least_score": least, "difference": one.as_json() if one else None}
            for gate, least, one in ((gate, least, _compared(some, repository.SHARE)) for gate, least, some in gates)
        ]
        print_json({"bench": "snippets", "model": model.name, "places": len(found), "shares": values, "gates": curve})
    else:
        rows = [(name, f"{share:.1%}", one.n if one else 0, *cells(one)) for (name, share), one in differences.items()]
        columns = ("holes", "share", "places", "difference", "95 % interval", "better", "worse")
        table(f"Nats a token of the author's text, with snippets less without, {model.name}", columns, rows)
        curve_rows = [
            (f"{gate:.0%}", f"{least:.1f}", len(some), *cells(_compared(some, repository.SHARE)))
            for gate, least, some in gates
        ]
        columns = ("let through", "least score", "places", *columns[3:])
        table(f"The same at {repository.SHARE:.1%}, by the score of the best snippet", columns, curve_rows)
    return 0 if found else 1


async def scored(
    engine: LlamaEngine,
    root: Path,
    cases: Sequence[Case],
    *,
    out: Path,
    model: str = "",
    shares: Sequence[float] = SHARES,
) -> list[Scored]:
    """The places of these cases for which the index finds something; each is added to `out`, or taken from there.

    One that was kept without one of the `shares` is scored anew.

    Raises IndexUnavailable.
    """
    there = kept(out, model, Scored)
    failures: list[IndexUnavailable] = []
    indexes = Indexes(failures.append)
    found = []
    try:
        await indexes.set_folders([root])
        await indexes.update(lambda message, percent: None)
        for case in cases:
            one = before = there.get(case.key)
            if one is None or not one.nats.keys() >= set(shares):
                one = await _scored(engine, indexes, root, case, shares)
            if one is None:
                continue
            found.append(one)
            if one is not before:
                keep(out, model, one)
    finally:
        await indexes.close()
    if failures:
        raise failures[0]
    return found


async def _scored(
    engine: LlamaEngine, indexes: Indexes, root: Path, case: Case, shares: Sequence[float]
) -> Scored | None:
    settings, _ = resolve(Options())
    asked = question(case, root)
    snapshot = DocumentSnapshot(asked.path.as_uri(), asked.path, 1, asked.text)
    context = context_at(snapshot, asked.offset)
    alone = prompt.build(context, form=settings.infill_form, budget_tokens=settings.context_tokens)
    # The buffer, which has a hole where the truth stood, counts in place of the file.
    indexes.document_changed(snapshot.path, snapshot.text)
    try:
        retriever = WorkspaceRetriever(indexes, limit_s=_INDEX_LIMIT_S)
        retrieved = await retriever.retrieve(context, alone.prefix + alone.suffix)
    finally:
        indexes.document_closed(snapshot.path)
    if retrieved is None:
        return None
    nats: dict[float, float] = {}
    tokens, notes = 0, tuple[str, ...]()
    for share in shares:
        repo = repository.shown(retrieved, int(settings.context_tokens * prompt.CHARS_A_TOKEN * share))
        made = prompt.build(context, form=settings.infill_form, budget_tokens=settings.context_tokens, repo=repo)
        notes = repository.notes(repo) if repo is not None else notes
        score = await engine.score(made, case.truth)
        nats[share], tokens = score.nats, score.tokens
    return Scored(case, nats, tokens, tuple(snippet.score for snippet in retrieved.snippets), notes)


def _of(found: Sequence[Scored], name: str) -> list[Scored]:
    return [one for one in found if name in ("all", one.case.kind, *one.case.slices)]


def gated(found: Sequence[Scored], part: float) -> tuple[float, list[Scored]]:
    """This part of the places, those with the highest score of their best snippet, and the least of these scores."""
    ordered = sorted(found, key=lambda one: -max(one.scores, default=0.0))[: math.ceil(part * len(found))]
    return max(ordered[-1].scores, default=0.0) if ordered else 0.0, ordered


def _compared(found: Sequence[Scored], share: float) -> Paired | None:
    """With snippets less without."""
    return compared([(one.nats[share], one.nats[0.0]) for one in found], [one.tokens for one in found])
