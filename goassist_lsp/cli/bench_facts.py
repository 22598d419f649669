"""`bench facts`: what it is worth to tell the model what a place asks for, and what the question costs.

At places where a type is wanted, the author's text is scored by the model behind the prompt with and without the
note (generate/prompt.py): nats a token, paired. Nothing is generated, so that a difference shows with few places.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_index.typefacts import Wanted
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.bench_report import (
    add_common,
    chosen_modules,
    milliseconds,
    open_module,
    print_json,
    progress,
    table,
    write_lines,
)
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate import prompt
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import infill_cases, question, share_out
from goassist_models.evaluate.metrics import percentile
from goassist_models.evaluate.report.statistics import Paired, paired
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
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned dev modules")
    parser.add_argument("--limit", type=int, default=160, help="holes looked at; about half want a type (default 160)")
    parser.add_argument("--model", metavar="NAME", help="registry name or GGUF path (default: the registry's default)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what came of each place to this JSONL file")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there are figures, 1 when no place could be scored."""
    from goassist_models.engine.llama import LlamaEngine, LlamaSettings

    specs = chosen_modules(args.modules, lambda spec: spec.split == "dev")
    # Blocks and bodies begin where nothing is asked for: share_out gives a quarter to each kind.
    shares = share_out(2 * args.limit, [spec.name for spec in specs])
    found: list[Scored] = []
    model = resolve_model(args.model)

    async def every() -> None:
        engine = await LlamaEngine.load(model.path, LlamaSettings(threads=resolve(Options())[0].threads or None))
        try:
            for spec in specs:
                counts = {kind: n if kind in ("line", "expression") else 0 for kind, n in shares[spec.name].items()}
                try:
                    with progress.status(f"{spec.name}: fetching, building, scoring"):
                        _, judge = open_module(spec)
                        cases = infill_cases(judge, spec.name, counts, args.seed, frozenset())
                        found.extend(await _scored(engine, judge.directory, cases))
                except GoassistError as error:
                    progress.print(f"left out: {error}", style="red", markup=False)
        finally:
            await engine.close()

    asyncio.run(every())
    out = args.out or cache_dir() / "bench" / "facts.jsonl"
    write_lines(out, (asdict(scored) for scored in found))
    comparisons = {note: _compared(found, note) for note in NOTES[1:]}
    ms = [scored.ms for scored in found]
    costs = {"p50_ms": percentile(ms, 50), "p95_ms": percentile(ms, 95)}
    if args.json:
        compared = {note: one.as_json() if one else None for note, one in comparisons.items()}
        print_json({"bench": "facts", "model": model.name, "places": len(found), **costs, "notes": compared})
    else:
        table(
            f"Nats a token of the author's text, with a note less without, {len(found)} places, {model.name}",
            ("note", "difference", "95 % interval", "places better", "worse"),
            [(note, *_cells(one)) for note, one in comparisons.items()],
        )
        print(f"the question: p50 {milliseconds(costs['p50_ms'])} ms, p95 {milliseconds(costs['p95_ms'])} ms")
    return 0 if found else 1


def _cells(one: Paired | None) -> tuple[str, ...]:
    if one is None:
        return ("-",) * 4
    return f"{one.difference:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}", str(one.lost), str(one.gained)


def _compared(found: Sequence[Scored], note: str) -> Paired | None:
    """With `note` less without any: the mean over all tokens, each place weighed by how many it has."""
    mean = sum(scored.tokens for scored in found) / max(1, len(found))
    return paired([s.nats[note] / mean for s in found], [s.nats["none"] / mean for s in found])


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
