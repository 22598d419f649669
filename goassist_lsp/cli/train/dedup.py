"""`train dedup`: copies out, near ones too, and whatever an evaluation asks for."""

from __future__ import annotations

import argparse

from goassist_lsp.cli.bench_report import table
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments, print_counts
from goassist_models.data.dedup import THRESHOLD, dedup, labelled_pairs, precision_recall, read_signed
from goassist_models.data.held_out import asked_tasks, sign_asked
from goassist_models.data.shards import run_stage

_THRESHOLDS = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("dedup", help="leave out exact and near copies, forks, and what evaluations ask for")
    add_arguments(parser)
    parser.add_argument("--pairs", action="store_true", help="only show what each threshold makes of labelled pairs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: what is left has no copy in it."""
    if args.pairs:
        return _pairs()
    the_run = TrainingRun.of(args)
    asked = asked_tasks()
    with the_run.timed("dedup") as tell:
        run_stage(asked, the_run.stage("asked"), sign_asked, the_run.workers, tell)
        counts = dedup(
            the_run.stage("gate"),
            the_run.stage("signatures"),
            the_run.stage("dedup"),
            (one for name in sorted(asked) for one in read_signed(the_run.stage("asked") / name)),
            the_run.workers,
            tell,
        )
    print_counts("functions that were through, and copies among them", counts)
    return 0


def _pairs() -> int:
    pairs = labelled_pairs()
    rows = []
    for threshold in _THRESHOLDS:
        precision, recall = precision_recall(threshold, pairs)
        used = "used" if threshold == THRESHOLD else ""
        rows.append((f"{threshold:.2f}", f"{precision:.2f}", f"{recall:.2f}", used))
    same = sum(pair.same for pair in pairs)
    table(f"{len(pairs)} labelled pairs, {same} of them copies", ("threshold", "precision", "recall", ""), rows)
    return 0
