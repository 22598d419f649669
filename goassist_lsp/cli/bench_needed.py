"""`bench needed`: what it would be worth to show the model exactly what the author's text needs of other files.

At holes of real functions that need other files the author's text is scored by the model behind the prompt with and
without those declarations: nats a token, paired. No choice of snippets can be expected to bring more than this; what
it does not bring is the form's, or the model's. Beside it stands a choice that knows no text: by types and by use
(athand.py), and what part of all that is needed this choice shows. `--out` keeps what came of each place; the same
file goes on with it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.cachedir import cache_dir
from goassist_index.scan import KEYWORDS
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.bench_report import print_json, table
from goassist_lsp.cli.bench_truths import add_arguments, cells, compared, each_scored, keep, kept
from goassist_lsp.context.athand import chosen
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate import prompt
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import CursorContext, DocumentSnapshot
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

NONE, FILES, NOTE, CHOSEN = "none", "as files", "as a note", "chosen, as a note"
_FORMS = (FILES, NOTE, CHOSEN)
_CHOSEN_LINES = 10
_LOADING_LIMIT_S = 180.0
_SLICES = ("cross-file", "cross-package")


@dataclass(frozen=True, slots=True)
class Scored:
    """A place: nats of the truth by form of what is shown (`NONE`: nothing), tokens, what is needed, and chosen."""

    case: Case
    nats: dict[str, float]
    tokens: int
    needed: tuple[str, ...]
    chosen: tuple[str, ...]

    @property
    def met(self) -> int:
        """How much of what is needed is among what is chosen."""
        chosen = {re.split(r"[( ]", line)[0].rpartition(".")[2] for line in self.chosen}
        return sum(_declared_by(line) in chosen for line in self.needed)


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
    differences = {(group, form): _compared(found, group, form) for group in groups for form in _FORMS}
    if args.json:
        values = {f"{group}, {form}": one.as_json() if one else None for (group, form), one in differences.items()}
        counts = {"needed": sum(len(one.needed) for one in found), "chosen": sum(one.met for one in found)}
        print_json({"bench": "needed", "model": model.name, "places": len(found), **counts, "differences": values})
    else:
        rows = [(group, form, one.n if one else 0, *cells(one)) for (group, form), one in differences.items()]
        columns = ("holes", "shown", "places", "difference", "95 % interval", "better", "worse")
        table(f"Nats a token of the author's text, with what is shown less without, {model.name}", columns, rows)
        met, needed = sum(one.met for one in found), sum(len(one.needed) for one in found)
        print(
            f"of {needed} declarations that are needed {met} are among the {_CHOSEN_LINES} that are chosen for a place"
        )
    return 0 if found else 1


async def scored(engine: LlamaEngine, root: Path, cases: Sequence[Case], *, out: Path, model: str = "") -> list[Scored]:
    """The places of these cases that need what is not in their prompt; each is added to `out`, or taken from there."""
    there = kept(out, model, Scored)
    checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
    declarations: NeededDeclarations | None = None
    found = []
    try:
        await checker.set_folders([root])
        for case in cases:
            one = there.get(case.key)
            if one is None:
                if declarations is None:
                    packages = CompileJudge.open(root).packages
                    declarations = NeededDeclarations(ModuleDeclarations.of(root, packages))
                one = await _scored(engine, checker, declarations, root, case)
                keep(out, model, one)
            found.append(one)
    finally:
        await checker.close()
    return [one for one in found if one.needed]


async def _scored(
    engine: LlamaEngine, checker: TypeChecker, declarations: NeededDeclarations, root: Path, case: Case
) -> Scored:
    settings, _ = resolve(Options())
    asked = question(case, root)
    snapshot = DocumentSnapshot(asked.path.as_uri(), asked.path, 1, asked.text)
    context = context_at(snapshot, asked.offset)
    alone = prompt.build(context, form=settings.infill_form, budget_tokens=settings.context_tokens)
    known = alone.prefix + alone.suffix
    needed = declarations.of(case, root, known)
    if not needed:
        return Scored(case, {}, 0, (), ())
    shown = await _chosen(checker, context, known)
    nats: dict[str, float] = {}
    tokens = 0
    for form, made in _forms(alone, case, root, needed, shown).items():
        score = await engine.score(made, case.truth)
        nats[form], tokens = score.nats, score.tokens
    return Scored(case, nats, tokens, tuple(one.line for one in needed), shown)


async def _chosen(checker: TypeChecker, context: CursorContext, known: str) -> tuple[str, ...]:
    """What somebody who does not know the text would show, best first."""
    snapshot = context.snapshot
    await checker.check(snapshot, context.offset, context.offset, ("",))  # as in an editor: the package is loaded
    facts = await checker.in_play(snapshot, context.offset)
    await checker.document_closed(snapshot.path)
    return chosen(context, facts, known, _CHOSEN_LINES) if facts is not None else ()


def _forms(
    alone: InfillPrompt, case: Case, root: Path, needed: Sequence[NeededDeclaration], shown: Sequence[str]
) -> Mapping[str, InfillPrompt]:
    """The prompts to compare. What is shown takes nothing of the file's own part; the best stands last."""
    texts: dict[Path, list[str]] = {}
    for one in needed:
        texts.setdefault(one.path, []).append(one.text)
    files = tuple(RepoFile(path.relative_to(root).as_posix(), "\n\n".join(each)) for path, each in texts.items())
    repo = RepoContext(case.module.partition("@")[0].rpartition("/")[2], files, case.file)
    # What shares most with the one before it stands next to it: the engine keeps what it has read.
    return {
        NONE: alone,
        NOTE: replace(alone, note="\n".join(one.line for one in needed)),
        CHOSEN: replace(alone, note="\n".join(reversed(shown))),
        FILES: replace(alone, repo=repo),
    }


def _declared_by(line: str) -> str:
    """The name that a needed declaration's line declares."""
    line = line.partition(") ")[2] if line.startswith("func (") else line
    return next((name for name in re.findall(r"\w+", line) if name not in KEYWORDS), "")


def _compared(found: Sequence[Scored], group: str, form: str) -> Paired | None:
    """With what is needed less without."""
    some = [one for one in found if group in ("all", one.case.kind, *one.case.slices)]
    return compared([(one.nats[form], one.nats[NONE]) for one in some], [one.tokens for one in some])
