"""What the benches share that score the author's text in holes of modules: nothing is generated, nats are compared."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import cattrs

from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_report import add_common, chosen_modules, kept_lines, open_module, progress
from goassist_lsp.settings import Options, resolve
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import GHOST_KINDS, GhostKind, infill_cases, share_out
from goassist_models.evaluate.report.statistics import Paired, paired
from goassist_models.evaluate.slices import SLICES
from goassist_models.registry import ModelFile

if TYPE_CHECKING:
    from goassist_models.engine.llama import LlamaEngine

_T = TypeVar("_T")


class OfCase(Protocol):
    """What came of one place, as a dataclass."""

    @property
    def case(self) -> Case:
        """The place."""
        ...


_P = TypeVar("_P", bound=OfCase)


def add_arguments(parser: argparse.ArgumentParser, *, limit: int, help_limit: str) -> None:
    """Add what each of these benches takes."""
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned dev modules")
    parser.add_argument("--limit", type=int, default=limit, help=f"{help_limit} (default {limit})")
    parser.add_argument("--slice", action="append", choices=SLICES, help="only holes in this slice (repeatable)")
    parser.add_argument("--model", metavar="NAME", help="registry name or GGUF path (default: the registry's default)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what came of each place to this JSONL file")
    add_common(parser)


def each_scored(
    args: argparse.Namespace,
    model: ModelFile,
    work: Callable[[LlamaEngine, Path, Sequence[Case]], Awaitable[Sequence[_T]]],
    *,
    kinds: Collection[GhostKind] = GHOST_KINDS,
) -> list[_T]:
    """What `work` finds at `args.limit` holes of these kinds in the modules, as many of each, with one engine for all.

    Modules that cannot be had are named, and the others go on without them.
    """
    from goassist_models.engine.llama import LlamaEngine, LlamaSettings

    specs = chosen_modules(args.modules, lambda spec: spec.split == "dev")
    # What share_out gives to kinds that are not asked about is not looked at.
    shares = share_out(args.limit * len(GHOST_KINDS) // len(kinds), [spec.name for spec in specs])
    found: list[_T] = []

    async def every() -> None:
        engine = await LlamaEngine.load(model.path, LlamaSettings(threads=resolve(Options())[0].threads or None))
        try:
            for spec in specs:
                try:
                    with progress.status(f"{spec.name}: fetching, building, scoring"):
                        _, judge = open_module(spec)
                        counts = {kind: n if kind in kinds else 0 for kind, n in shares[spec.name].items()}
                        slices = args.slice or ()
                        cases = infill_cases(judge, spec.name, counts, args.seed, frozenset(), slices=slices)
                        found.extend(await work(engine, judge.directory, cases))
                except GoassistError as error:
                    progress.print(f"left out: {error}", style="red", markup=False)
        finally:
            await engine.close()

    asyncio.run(every())
    return found


def kept(out: Path, model: str, kind: type[_P]) -> dict[str, _P]:
    """What is there of a model's places, by their case's key; a last line that was not finished is cut off."""
    found = {}
    for line in kept_lines(out):
        values = json.loads(line)
        if values.pop("model") == model:
            one = cattrs.structure(values, kind)
            found[one.case.key] = one
    return found


def keep(out: Path, model: str, one: Any) -> None:
    """Add what came of a place (a dataclass) to `out`."""
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"model": model, **asdict(one)}) + "\n")


def compared(nats: Sequence[tuple[float, float]], tokens: Sequence[int]) -> Paired | None:
    """Of pairs with less without: nats a token, the mean over all tokens, each place weighed by how many it has."""
    mean = sum(tokens) / max(1, len(tokens))
    return paired([one / mean for one, _ in nats], [other / mean for _, other in nats])


def cells(one: Paired | None) -> tuple[str, ...]:
    """A comparison as cells of a table: difference, 95 % interval, how many places are better and worse."""
    if one is None:
        return ("-",) * 4
    return f"{one.difference:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}", str(one.lost), str(one.gained)
