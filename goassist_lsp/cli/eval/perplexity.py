"""`eval perplexity`: held-out functions of the standard library, in bits a byte, by model and infill form."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.app import llama_settings
from goassist_lsp.cli.bench_report import print_json, progress, table
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate.prompt import build
from goassist_lsp.settings import Options, Settings, resolve
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.example import Case, Question
from goassist_models.evaluate.perplexity import KINDS, figures, form_names, go_root, measure, perplexity_cases
from goassist_models.evaluate.runs import Run
from goassist_models.infill import DEFAULT_FORM, InfillPrompt
from goassist_models.registry import ModelFile
from goassist_models.registry import resolve as resolve_model

_COLUMNS = ("model", "form", "bits a byte [95 %]", f"more than {DEFAULT_FORM}", *KINDS)


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("perplexity", help="bits a byte of new standard-library functions, by infill form")
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="registry name or GGUF path; may be given several times (default: the registry's default)",
    )
    parser.add_argument(
        "--forms", metavar="LIST", help=f"some of {','.join(form_names())}, with commas between (default: all)"
    )
    parser.add_argument("--limit", type=int, default=60, help="holes in all, a third of each kind (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the choice of holes (default 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run is kept; the same one goes on with it")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there are figures, 1 when no hole could be scored in all forms."""
    forms = _forms(args.forms)
    models = [resolve_model(name) for name in args.model or [None]]
    goroot, version = go_root()
    cases = perplexity_cases(goroot, version, args.limit, args.seed)
    arguments = {"go": version, "limit": args.limit, "seed": args.seed}
    the_run = Run.open(
        args.out or cache_dir() / "eval" / f"perplexity-{args.limit}-{args.seed}", "perplexity", arguments
    )
    for model in models:
        settings, _ = resolve(Options())
        the_run = asyncio.run(measured(the_run, model, cases, forms, goroot / "src", settings))
    found = figures(the_run, DEFAULT_FORM)
    if args.json:
        print_json({"task": "perplexity", "run": str(the_run.directory), **found})
    else:
        table("Bits a byte of new standard-library functions (less is better)", _COLUMNS, _rows(found))
        for line in _remarks(found):
            print(line)
        print(f"each hole: {the_run.directory}")
    return 0 if found["holes"] else 1


def _forms(words: str | None) -> list[str]:
    wanted = [word.strip() for word in words.split(",") if word.strip()] if words else list(form_names())
    if unknown := [word for word in wanted if word not in form_names()]:
        raise ConfigError(f"--forms does not know {unknown[0]!r}", cure=f"Name some of {', '.join(form_names())}")
    if not wanted:
        raise ConfigError("--forms names none", cure=f"Name some of {', '.join(form_names())}")
    # Each healed form before its unhealed one: then the prompt is read once.
    return [name for name in form_names() if name in wanted]


async def measured(
    run: Run, model: ModelFile, cases: Sequence[Case], forms: Sequence[str], source_root: Path, settings: Settings
) -> Run:
    """Score the cases that the run does not hold yet, as served with these settings."""
    from goassist_models.engine.llama import LlamaEngine

    with progress.status(f"loading {model.name}") as status:
        engine = await LlamaEngine.load(model.path, replace(llama_settings(settings), adapter=model.adapter))

        def tell(number: int, case: Case) -> None:
            status.update(f"{model.name}: {number} of {len(cases)}: {case.kind} of {case.function}, {case.file}")

        def prompt(asked: Question, form: str) -> InfillPrompt:
            return served_prompt(asked, form, settings)

        try:
            return await measure(run, model.name, engine.score, prompt, cases, forms, source_root, tell)
        finally:
            await engine.close()


def served_prompt(asked: Question, form: str, settings: Settings) -> InfillPrompt:
    """The prompt that an editor's request at this place would lead to."""
    snapshot = DocumentSnapshot(asked.path.as_uri(), asked.path, 1, asked.text)
    return build(context_at(snapshot, asked.offset), form=form, budget_tokens=settings.context_tokens)


def markdown(run: Run) -> str:
    """The run's table, for the page of results. Raises GoassistError when nothing was scored."""
    found = figures(run, DEFAULT_FORM)
    if not found["systems"]:
        raise GoassistError("nothing was scored in this run", path=str(run.directory), cure="Run the evaluation first")
    lines = [_COLUMNS, tuple("---" if n < 2 else "---:" for n in range(len(_COLUMNS))), *_rows(found)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{text}\n\n" + "\n".join(f"- {line}" for line in _remarks(found))


def _rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            system["model"],
            system["form"],
            _shown(system["kinds"]["all"]["bits_a_byte"]),
            _difference(system),
            *(_shown(system["kinds"][kind]["bits_a_byte"]) for kind in KINDS),
        )
        for system in found["systems"]
    ]


def _shown(estimate: Mapping[str, float] | None, sign: str = "") -> str:
    if estimate is None:
        return "-"
    interval = f" [{estimate['low']:{sign}.3f}, {estimate['high']:{sign}.3f}]" if estimate["n"] > 1 else ""
    return f"{estimate['value']:{sign}.3f}{interval}"


def _difference(system: Mapping[str, Any]) -> str:
    difference = system["kinds"]["all"]["difference"]
    if difference is None:
        return "-"
    noise = difference["n"] < 2 or difference["low"] <= 0 <= difference["high"]
    other = "" if system["against"] == DEFAULT_FORM else f" than {system['against']}"
    return _shown(difference, "+") + other + (", within noise" if noise else "")


def _remarks(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['holes']} holes in {found['functions']} functions, {found['bytes']} bytes; the same for all"
    if found["functions_not_asked_by_all"]:
        yield f"left out: {found['functions_not_asked_by_all']} functions that were not asked in all forms"
    for function, why in found["functions_failed"].items():
        yield f"left out, for one form failed: {function}: {why}"
