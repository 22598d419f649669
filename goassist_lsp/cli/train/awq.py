"""`train awq`: merged weights in four bits for vLLM on a GPU, in an environment that has llm-compressor."""

from __future__ import annotations

import argparse
import random

from goassist_index.errors import ConfigError
from goassist_lsp.cli.train.export import MERGED, TRAINED
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_models.data.samples import read_samples
from goassist_models.data.shards import shards_of
from goassist_models.train.awq import to_awq


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("awq", help="merged weights in four bits, for vLLM; wants the extra awq and a GPU")
    add_arguments(parser)
    parser.add_argument("--of", choices=TRAINED, help="which stage's weights (default: the last that was merged)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: the directory is there, and printed."""
    the_run = TrainingRun.of(args)
    folder = the_run.stage("export")
    stage = args.of or next((name for name in TRAINED if (folder / name / MERGED).is_dir()), "")
    if not stage:
        raise ConfigError("there are no merged weights", path=str(folder), cure="Run `train export --keep-merged`")
    target = folder / stage / f"{the_run.recipe.name}-{stage}-awq"
    if not target.is_dir():
        rules = the_run.recipe.awq
        samples = list(read_samples(shards_of(the_run.stage("samples"))))
        random.Random(rules.seed).shuffle(samples)
        with the_run.timed("awq") as tell:
            to_awq(folder / stage / MERGED, samples, rules, target, tell)
    print(f"vllm serve {target}")
    return 0
