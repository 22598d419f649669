"""`train evaluate`: base, SFT and DPO on the same held-out holes, with intervals.

Two questions: how well each foretells new functions of the standard library, in bits a byte, by infill form; and what
each writes in holes of the development modules by itself, with healing and the end of the hole but without the
compiler's help, which would hide most differences: does it compile, and is its first line the author's.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError
from goassist_lsp.cli.bench_report import table
from goassist_lsp.cli.eval import infill
from goassist_lsp.cli.eval.ours import OwnModels, Variant
from goassist_lsp.cli.eval.perplexity import measured
from goassist_lsp.cli.train.export import TRAINED, adapter_file, model_file
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_lsp.settings import Options, resolve
from goassist_lsp.stages import Stages
from goassist_models.data.shards import write_whole
from goassist_models.evaluate.example import Example
from goassist_models.evaluate.keystrokes import bootstrap_95
from goassist_models.evaluate.modules import pinned_modules
from goassist_models.evaluate.perplexity import figures, go_root, perplexity_cases
from goassist_models.evaluate.report.statistics import paired, share
from goassist_models.evaluate.runs import Run
from goassist_models.registry import resolve as resolve_model
from goassist_models.train.recipe import EvaluateRules

BASE = "base"
_ALONE = Stages(
    beside=False, names=False, fixes=False, repair=False, cut_back=False, second_draw=False, imports=False
)  # fmt: skip


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("evaluate", help="the table: base, SFT and DPO on the same held-out holes")
    add_arguments(parser)
    parser.add_argument("--likelihood", type=int, metavar="N", help="holes to foretell (default: the recipe's)")
    parser.add_argument("--infill", type=int, metavar="N", help="holes to fill, 0 for none (default: the recipe's)")
    parser.add_argument(
        "--adapters", action="store_true", help="the base with each stage's adapter beside it, not the merged files"
    )
    parser.add_argument(
        "--quantised", action="store_true", help="instead F16 beside the quantised files of the last stage"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: the table is printed, and kept as evaluation.md in the run."""
    the_run = TrainingRun.of(args)
    own = the_run.recipe.evaluate
    rules = replace(
        own,
        likelihood=own.likelihood if args.likelihood is None else args.likelihood,
        infill=own.infill if args.infill is None else args.infill,
    )
    with the_run.timed("evaluate") as tell:
        models = (
            _quantised(the_run) if args.quantised else _beside(the_run, tell) if args.adapters else _models(the_run)
        )
        tell("likelihood of held-out functions")
        kept = _likelihood(the_run, models, rules)
        tell("holes of the development modules")
        examples = _infill(the_run, models, rules) if rules.infill else {}
    columns = ("", *models)
    base = next(iter(models))
    found = figures(kept, rules.forms[0])
    rows = [*_likelihood_rows(found, list(models)), *(_infill_rows(examples) if examples else ())]
    notes = [
        f"likelihood: {found['holes']} holes in {found['functions']} functions, {found['bytes']} bytes",
        *_likelihood_compared(kept, list(models), rules.forms),
        *(_compared(examples, base) if examples else ()),
    ]
    lines = [columns, tuple("---" for _ in columns), *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n" + "".join(f"- {note}\n" for note in notes)
    write_whole(the_run.out / ("quantised.md" if args.quantised else "evaluation.md"), text)
    for note in notes:
        print(note)
    table("Held-out holes, with 95 % intervals", columns, rows)
    return 0


def _beside(the_run: TrainingRun, tell: Callable[[str], None]) -> dict[str, str]:
    """The base, and the base with each stage's adapter, in one quantisation: what is between them is training alone."""
    file = the_run.vocabulary_file()
    trained = [stage for stage in reversed(TRAINED) if (the_run.stage(stage) / "adapter").is_dir()]
    if not trained:
        raise ConfigError("there is no adapter in this run", path=str(the_run.out), cure="Run `train sft` first")
    made = {f"{stage.upper()} adapter": f"{file}+{adapter_file(the_run, stage, tell)}" for stage in trained}
    return {BASE: str(file), **made}


def _models(the_run: TrainingRun) -> dict[str, str]:
    """Files by the name in the table. Raises ConfigError when nothing has been exported."""
    first = the_run.recipe.export.types[0]
    made = {stage.upper(): model_file(the_run, stage, first) for stage in ("sft", "dpo")}
    there = {name: str(path) for name, path in made.items() if path.is_file()}
    if not there:
        raise ConfigError("no model has been exported", path=str(the_run.out), cure="Run `train export` first")
    return {BASE: str(the_run.vocabulary_file()), **there}


def _quantised(the_run: TrainingRun) -> dict[str, str]:
    """The last stage's files by file type, F16 first. Raises ConfigError when F16 was not kept."""
    for stage in TRAINED:
        names = ["F16", *(name for name in the_run.recipe.export.types if name != "F16")]
        found = {name: model_file(the_run, stage, name) for name in names}
        if found["F16"].is_file():
            return {name: str(path) for name, path in found.items() if path.is_file()}
    raise ConfigError("there is no F16 file", path=str(the_run.out), cure="Run `train export --keep-f16` first")


def _likelihood(the_run: TrainingRun, models: Mapping[str, str], rules: EvaluateRules) -> Run:
    goroot, version = go_root()
    cases = perplexity_cases(goroot, version, rules.likelihood, rules.seed)
    settings = replace(resolve(Options())[0], context_tokens=the_run.recipe.context_tokens)
    kept = Run.open(
        the_run.stage("evaluate") / f"likelihood-{rules.likelihood}",
        "perplexity",
        {"go": version, "limit": rules.likelihood},
    )
    for name, spec in models.items():
        model = replace(resolve_model(spec), name=name)
        kept = asyncio.run(measured(kept, model, cases, list(rules.forms), goroot / "src", settings))
    return kept


def _infill(the_run: TrainingRun, models: Mapping[str, str], rules: EvaluateRules) -> dict[str, dict[str, Example]]:
    """Examples by model and case."""
    specs = [spec for spec in pinned_modules() if spec.split == rules.split]
    kept = Run.open(
        the_run.stage("evaluate") / f"infill-{rules.infill}",
        "infill",
        {"modules": [spec.name for spec in specs], "limit": rules.infill, "seed": rules.seed},
    )
    work, failed = infill.module_work(specs, rules.infill, rules.seed)
    kept = kept.note(failed_modules=failed)
    with tempfile.TemporaryDirectory(prefix="goassist-train-") as scratch:
        inquiry = infill.Inquiry(kept, Path(scratch).resolve())
        asyncio.run(_asked(inquiry, work, models, the_run.recipe.context_tokens))
    found = Run.read(kept.directory)
    return {name: {e.case.key: e for e in found.examples(name)} for name in models}


async def _asked(
    inquiry: infill.Inquiry, work: Sequence[infill.ModuleWork], models: Mapping[str, str], context_tokens: int
) -> None:
    settings = {"check_types": False, "context_tokens": context_tokens}
    own = OwnModels()
    try:
        variant = Variant("model alone", "healed, ended with the hole, without the compiler", _ALONE, settings)
        systems = [await own.system(variant, spec, name, cold=False) for name, spec in models.items()]
        await infill.measure(inquiry, work, systems)
    finally:
        await own.close()


def _likelihood_rows(found: Mapping[str, Any], models: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for form in dict.fromkeys(system["form"] for system in found["systems"]):
        of_form = {s["model"]: s["kinds"]["all"]["bits_a_byte"] for s in found["systems"] if s["form"] == form}
        base = of_form[models[0]]["value"]
        cells = []
        for model in models:
            value = of_form[model]
            less = "" if model == models[0] else f", {100 * (value['value'] / base - 1):+.1f} %"
            cells.append(f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]{less}")
        yield (f"bits a byte, {form}", *cells)


def _likelihood_compared(kept: Run, models: Sequence[str], forms: Sequence[str]) -> Iterator[str]:
    """Differences from the first model on the same functions, with 95 % intervals over functions."""
    for model in models[1:]:
        for form in forms:
            own, base = ({e.case.key: e for e in kept.examples(f"{name} {form}")} for name in (model, models[0]))
            sums: dict[str, tuple[float, int]] = {}
            for key in sorted(own.keys() & base.keys()):  # the draws of the interval go by place
                one, other = own[key].answer, base[key].answer
                if one is None or other is None or one.error or other.error:
                    continue
                name = f"{own[key].case.file} {own[key].case.function}"
                bits, size = sums.get(name, (0.0, 0))
                more = (one.details["nats"] - other.details["nats"]) / log(2)
                sums[name] = bits + more, size + one.details["bytes"]
            low, high = bootstrap_95(list(sums.values()))
            if low is not None and high is not None:
                value = sum(bits for bits, _ in sums.values()) / sum(size for _, size in sums.values())
                yield f"{model}, {form}: {value:+.3f} bits a byte ({low / 100:+.3f} to {high / 100:+.3f}), paired"


def _outcomes(examples: Mapping[str, Example], keys: Sequence[str], measure: str) -> list[bool]:
    scores = [examples[key].scores for key in keys]
    return [bool(getattr(s, measure)) for s in scores if s is not None]


def _shared(examples: Mapping[str, Mapping[str, Example]]) -> list[str]:
    """Holes that every model was asked and that could be judged."""
    keys = set.intersection(*(set(found) for found in examples.values()))
    judged = [
        k for k in keys if all((s := found[k].scores) is not None and not s.unjudged for found in examples.values())
    ]
    return sorted(judged)


_MEASURES = {"compiles": "compiles", "first_line_exact": "first line exact"}


def _infill_rows(examples: Mapping[str, Mapping[str, Example]]) -> Iterator[tuple[str, ...]]:
    keys = _shared(examples)
    for measure, title in _MEASURES.items():
        cells = []
        for found in examples.values():
            one = share(_outcomes(found, keys, measure))
            cells.append("-" if one is None else f"{100 * one.value:.0f} % [{100 * one.low:.0f}, {100 * one.high:.0f}]")
        yield (f"{title}, {len(keys)} holes", *cells)


def _compared(examples: Mapping[str, Mapping[str, Example]], base: str) -> Iterator[str]:
    keys = _shared(examples)
    for name in [name for name in examples if name != base]:
        for measure, title in _MEASURES.items():
            both = [_outcomes(examples[model], keys, measure) for model in (name, base)]
            one = paired(*both)
            if one is not None:
                yield one.sentence(name, base, title)
