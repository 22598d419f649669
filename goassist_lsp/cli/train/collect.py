"""`train collect`: Go files of the recipe's sources, with their functions."""

from __future__ import annotations

import argparse

from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments, print_counts
from goassist_models.data.collect import collect, tasks
from goassist_models.data.shards import run_stage


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("collect", help="read modules, the standard library, directories or The Stack v2")
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: all sources have been read."""
    the_run = TrainingRun.of(args)
    sources = tasks(the_run.recipe.collect.sources)
    with the_run.timed("collect") as tell:
        counts = run_stage(sources, the_run.stage("collect"), collect, the_run.workers, tell)
    print_counts(f"collected from {len(sources)} sources", counts)
    return 0
