"""`train gate`: what gofmt, go vet, the type check or staticcheck complain of is out, with the cause."""

from __future__ import annotations

import argparse

from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments, print_counts
from goassist_models.data.gates import gate
from goassist_models.data.shards import run_stage


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser(
        "gate", help="gofmt, go vet, type check and staticcheck, each in the source's own module"
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: every function is through or has the cause why not."""
    the_run = TrainingRun.of(args)
    with the_run.timed("gate") as tell:
        counts = run_stage(the_run.shards("licence"), the_run.stage("gate"), gate, the_run.workers, tell)
    print_counts("functions, and those that are out", counts)
    return 0
