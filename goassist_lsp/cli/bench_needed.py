"""`bench needed`: what it would be worth to show the model exactly what the author's text needs of other files.

At holes of real functions that need other files the author's text is scored by the model behind the prompt with and
without those declarations: nats a token, paired. No choice of snippets can be expected to bring more than this; what
it does not bring is the form's, or the model's. `--out` keeps what came of each place; the same file goes on with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.cachedir import cache_dir
from goassist_lsp.cli.bench_report import print_json, table
from goassist_lsp.cli.bench_truths import add_arguments, cells, compared, each_scored, keep, kept
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate import prompt
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.declarations import ModuleDeclarations
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import GHOST_KINDS, question
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.needed_declarations import NeededDeclaration, NeededDeclarations
from goassist_models.evaluate.report.statistics import Paired
from goassist_models.infill import InfillPrompt, RepoContext, RepoFile
from goassist_models.registry import resolve as resolve_model

if TYPE_CHECKING:
    from goassist_models.engine.llama import LlamaEngine

NONE, FILES, NOTE = "none", "as files", "as a note"
_SLICES = ("cross-file", "cross-package")


@dataclass(frozen=True, slots=True)
class Scored:
    """One place: nats of the truth by form of what it needs (`NONE`: without), its tokens, and what was shown."""

    case: Case
    nats: dict[str, float]
    tokens: int
    shown: tuple[str, ...]


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("needed", help="what showing exactly what is needed of other files would be worth")
    add_arguments(parser, limit=60, help_limit="holes, a quarter of each kind")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there are figures, 1 when no place could be scored."""
    args.slice = args.slice or list(_SLICES)
    model = resolve_model(args.model)
    out = args.out or cache_dir() / "bench" / "needed.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    if args.out is None:
        out.unlink(missing_ok=True)  # of another run, with other code perhaps
    found = each_scored(args, model, partial(scored, out=out, model=model.name))
    groups = ("all", *_SLICES, *GHOST_KINDS)
    differences = {(group, form): _compared(found, group, form) for group in groups for form in (FILES, NOTE)}
    if args.json:
        values = {f"{group}, {form}": one.as_json() if one else None for (group, form), one in differences.items()}
        print_json({"bench": "needed", "model": model.name, "places": len(found), "differences": values})
    else:
        rows = [(group, form, one.n if one else 0, *cells(one)) for (group, form), one in differences.items()]
        columns = ("holes", "shown", "places", "difference", "95 % interval", "better", "worse")
        table(f"Nats a token of the author's text, with what it needs less without, {model.name}", columns, rows)
    return 0 if found else 1


async def scored(engine: LlamaEngine, root: Path, cases: Sequence[Case], *, out: Path, model: str = "") -> list[Scored]:
    """The places of these cases that need what is not in their prompt; each is added to `out`, or taken from there."""
    there = kept(out, model, Scored)
    declarations: NeededDeclarations | None = None
    found = []
    for case in cases:
        one = there.get(case.key)
        if one is None:
            if declarations is None:
                packages = CompileJudge.open(root).packages
                declarations = NeededDeclarations(ModuleDeclarations.of(root, packages))
            one = await _scored(engine, declarations, root, case)
            keep(out, model, one)
        found.append(one)
    return [one for one in found if one.shown]


async def _scored(engine: LlamaEngine, declarations: NeededDeclarations, root: Path, case: Case) -> Scored:
    settings, _ = resolve(Options())
    asked = question(case, root)
    context = context_at(DocumentSnapshot(asked.path.as_uri(), asked.path, 1, asked.text), asked.offset)
    alone = prompt.build(context, form=settings.infill_form, budget_tokens=settings.context_tokens)
    needed = declarations.of(case, root, alone.prefix + alone.suffix)
    nats: dict[str, float] = {}
    tokens = 0
    for form, made in _forms(alone, case, root, needed).items():
        score = await engine.score(made, case.truth)
        nats[form], tokens = score.nats, score.tokens
    return Scored(case, nats, tokens, tuple(one.line for one in needed))


def _forms(
    alone: InfillPrompt, case: Case, root: Path, needed: Sequence[NeededDeclaration]
) -> Mapping[str, InfillPrompt]:
    """The prompts to compare; none where nothing is needed. What is shown takes nothing of the file's own part."""
    if not needed:
        return {}
    texts: dict[Path, list[str]] = {}
    for one in needed:
        texts.setdefault(one.path, []).append(one.text)
    files = tuple(RepoFile(path.relative_to(root).as_posix(), "\n\n".join(each)) for path, each in texts.items())
    repo = RepoContext(case.module.partition("@")[0].rpartition("/")[2], files, case.file)
    note = " // ".join(one.line for one in needed)
    # What shares most with the one before it stands next to it: the engine keeps what it has read.
    return {NONE: alone, NOTE: replace(alone, note=note), FILES: replace(alone, repo=repo)}


def _compared(found: Sequence[Scored], group: str, form: str) -> Paired | None:
    """With what is needed less without."""
    some = [one for one in found if group in ("all", one.case.kind, *one.case.slices)]
    return compared([(one.nats[form], one.nats[NONE]) for one in some], [one.tokens for one in some])
