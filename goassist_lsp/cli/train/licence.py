"""`train licence`: what no permissive licence covers is out."""

from __future__ import annotations

import argparse

from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments, print_counts
from goassist_models.data.licence import licence
from goassist_models.data.shards import run_stage


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("licence", help="keep what MIT, BSD or Apache-2.0 cover, by the nearest licence files")
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: every file has a licence or is out."""
    the_run = TrainingRun.of(args)
    with the_run.timed("licence") as tell:
        counts = run_stage(the_run.shards("collect"), the_run.stage("licence"), licence, the_run.workers, tell)
    print_counts("files by licence, and those that are out", counts)
    return 0
