"""`bench facts`: what it is worth to tell the model what a place asks for, and what the question costs.

At places where a type is wanted, the author's text is scored by the model behind the prompt with and without the
note (generate/prompt.py): nats a token, paired. Nothing is generated, so that a difference shows with few places.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.cachedir import cache_dir
from goassist_index.typefacts import Wanted
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.bench_report import (
    milliseconds,
    print_json,
    table,
    write_lines,
)
from goassist_lsp.cli.bench_truths import add_arguments, cells, compared, each_scored
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate import prompt
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.metrics import percentile
from goassist_models.evaluate.report.statistics import Paired
from goassist_models.registry import resolve as resolve_model

if TYPE_CHECKING:
    from goassist_models.engine.llama import LlamaEngine

_LOADING_LIMIT_S = 180.0
NOTES = ("none", "call", "type", "call and type", "all")


@dataclass(frozen=True, slots=True)
class Scored:
    """One place: its case, what it asks for, nats of the truth by note, its tokens, and the question's milliseconds."""

    case: Case
    wanted: Wanted
    nats: dict[str, float]
    tokens: int
    ms: float


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("facts", help="what telling the model what a place asks for is worth, and what it costs")
    add_arguments(parser, limit=160, help_limit="holes looked at; about half want a type")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there are figures, 1 when no place could be scored."""
    model = resolve_model(args.model)
    # Blocks and bodies begin where nothing is asked for.
    found = each_scored(args, model, _scored, kinds=("line", "expression"))
    out = args.out or cache_dir() / "bench" / "facts.jsonl"
    write_lines(out, (asdict(scored) for scored in found))
    comparisons = {note: _compared(found, note) for note in NOTES[1:]}
    ms = [scored.ms for scored in found]
    costs = {"p50_ms": percentile(ms, 50), "p95_ms": percentile(ms, 95)}
    if args.json:
        notes = {note: one.as_json() if one else None for note, one in comparisons.items()}
        print_json({"bench": "facts", "model": model.name, "places": len(found), **costs, "notes": notes})
    else:
        table(
            f"Nats a token of the author's text, with a note less without, {len(found)} places, {model.name}",
            ("note", "difference", "95 % interval", "places better", "worse"),
            [(note, *cells(one)) for note, one in comparisons.items()],
        )
        print(f"the question: p50 {milliseconds(costs['p50_ms'])} ms, p95 {milliseconds(costs['p95_ms'])} ms")
    return 0 if found else 1


def _compared(found: Sequence[Scored], note: str) -> Paired | None:
    """With `note` less without any."""
    return compared([(s.nats[note], s.nats["none"]) for s in found], [s.tokens for s in found])


async def _scored(engine: LlamaEngine, root: Path, cases: Sequence[Case]) -> list[Scored]:
    checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
    settings, _ = resolve(Options())
    found = []
    try:
        await checker.set_folders([root])
        for case in cases:
            asked = question(case, root)
            snapshot = DocumentSnapshot(asked.path.as_uri(), asked.path, 1, asked.text)
            await checker.check(snapshot, asked.offset, asked.offset, ("",))  # as in an editor: the package is loaded
            begun = time.perf_counter()
            wanted = await checker.wanted(snapshot, asked.offset)
            ms = (time.perf_counter() - begun) * 1e3
            if not (wanted.type or wanted.call):
                continue
            context, nats, tokens = context_at(snapshot, asked.offset), {}, 0
            plain = prompt.build(context, form=settings.infill_form, budget_tokens=settings.context_tokens)
            for name, told in zip(NOTES, _less(wanted), strict=True):
                score = await engine.score(replace(plain, note=prompt.note_of(told)), case.truth)
                nats[name], tokens = score.nats, score.tokens
            found.append(Scored(case, wanted, nats, tokens, ms))
    finally:
        await checker.close()
    return found


def _less(wanted: Wanted) -> tuple[Wanted, ...]:
    """What is told with each of NOTES."""
    no_fits = replace(wanted, fits=())
    return Wanted(), replace(no_fits, type=""), replace(no_fits, call=""), no_fits, wanted
