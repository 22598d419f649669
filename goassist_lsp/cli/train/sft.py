"""`train sft`: an adapter that learns the samples."""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict
from math import exp

from goassist_index.cachedir import cache_dir
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_models.data.samples import Sample, read_samples
from goassist_models.data.shards import shards_of, write_whole
from goassist_models.evaluate.perplexity import go_root, perplexity_cases
from goassist_models.train.base import VOCABULARY, check_vocabulary, weights
from goassist_models.train.estimate import estimate
from goassist_models.train.sft import sft

RESULT = "result.json"


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("sft", help="train a LoRA adapter on the samples; goes on from its last checkpoint")
    add_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what it takes: parameters, memory, updates")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: there is an adapter."""
    the_run = TrainingRun.of(args)
    if args.dry_run:
        return _dry_run(the_run)
    out = the_run.stage("sft")
    if (out / RESULT).is_file():
        print(f"there is an adapter already: {out / 'adapter'}")
        return 0
    with the_run.timed("sft") as tell:
        base = weights(the_run.recipe.base, cache_dir(), tell)
        check_vocabulary(base, (the_run.stage("samples") / VOCABULARY).read_text())
        learnt = list(read_samples(shards_of(the_run.stage("samples"))))
        random.Random(the_run.recipe.sft.seed).shuffle(learnt)
        trained = sft(base, learnt, held_out_samples(the_run), the_run.recipe.sft, out, tell)
        result = asdict(trained) | {"adapter": str(trained.adapter)}
        write_whole(out / RESULT, json.dumps(result, indent=1) + "\n")
    before, after = trained.before, trained.after
    print(f"{trained.steps} updates; held-out perplexity {exp(before):.2f} before, {exp(after):.2f} after")
    return 0


def _dry_run(the_run: TrainingRun) -> int:
    rules = the_run.recipe.sft
    found = estimate(the_run.recipe.base, rules)
    effective = rules.batch * rules.accumulate
    print(f"{found.parameters:,} parameters, of which {found.quantised:,} in NF4; {found.trainable:,} are trained")
    for part in ("weight", "adapter", "activation", "logit"):
        print(f"{getattr(found, f'{part}_bytes') / 2**30:6.2f} GiB  {part}s")
    print(f"{found.total_bytes / 2**30:6.2f} GiB  together, an estimate")
    print(f"{rules.max_steps:,} updates of {effective} sequences of at most {rules.max_tokens:,} tokens")
    return 0


def held_out_samples(the_run: TrainingRun) -> list[Sample]:
    """Samples of held-out functions, as many as the recipe measures with; not of those that its evaluation asks.

    Or else what stops training, and chooses the adapter that is kept, would have seen the questions.
    """
    rules = the_run.recipe.sft
    goroot, version = go_root()
    cases = perplexity_cases(goroot, version, the_run.recipe.evaluate.likelihood, the_run.recipe.evaluate.seed)
    asked = {(case.file, case.function) for case in cases}
    found = list(read_samples(shards_of(the_run.stage("held-out") / "samples")))
    fitting = [
        sample
        for sample in found
        if len(sample.ids) <= rules.max_tokens and (sample.file.partition("/")[2], sample.function) not in asked
    ]
    return random.Random(rules.seed).sample(fitting, min(rules.held_out, len(fitting)))
