"""`train dpo`: the adapter, trained further on what the compiler prefers."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from goassist_index.cachedir import cache_dir
from goassist_lsp.cli.train.pairs import PAIRS
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_lsp.cli.train.sft import RESULT
from goassist_models.data.shards import write_whole
from goassist_models.train.base import weights
from goassist_models.train.dpo import dpo
from goassist_models.train.preference import read_pairs


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("dpo", help="train the adapter on the pairs, with a margin")
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: there is an adapter."""
    the_run = TrainingRun.of(args)
    out = the_run.stage("dpo")
    if (out / RESULT).is_file():
        print(f"there is an adapter already: {out / 'adapter'}")
        return 0
    with the_run.timed("dpo") as tell:
        base = weights(the_run.recipe.base, cache_dir(), tell)
        pairs = read_pairs(the_run.stage("pairs") / PAIRS)
        trained = dpo(base, the_run.stage("sft") / "adapter", pairs, the_run.recipe.dpo, out, tell)
        write_whole(out / RESULT, json.dumps(asdict(trained) | {"adapter": str(trained.adapter)}, indent=1) + "\n")
    print(f"{trained.steps} updates; loss {trained.before:.3f} in the first quarter, {trained.after:.3f} in the last")
    return 0
