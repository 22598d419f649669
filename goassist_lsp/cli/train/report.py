"""`train report`: what became of the source, by gate and cause; samples to be read."""

from __future__ import annotations

import argparse
from functools import partial

from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_models.data.report import data_report, markdown, some_samples
from goassist_models.data.samples import Sample
from goassist_models.engine.vocabulary import Vocabulary, load_vocabulary


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("report", help="count what was read, refused and kept, and why")
    add_arguments(parser)
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N random samples, to be read")
    parser.add_argument("--seed", type=int, default=1, help="seed of their choice (default 1)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: the report is printed, and kept as data.md in the run."""
    the_run = TrainingRun.of(args)
    if args.show:
        shown = partial(_shown, load_vocabulary(the_run.vocabulary_file()))
        for number, sample in enumerate(some_samples(the_run.stage("samples"), args.show, args.seed), 1):
            print(f"=== {number}: {sample.form}, {sample.kind} of {sample.function}, {sample.file} [{sample.spdx[0]}]")
            print(shown(sample))
        return 0
    text = markdown(data_report(the_run.out), the_run.minutes())
    (the_run.out / "data.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


def _shown(vocabulary: Vocabulary, sample: Sample) -> str:
    """A sample's text, what is learnt between marks; special tokens, which have no text, as •."""
    pieces = [vocabulary.pieces[token] or "•".encode() for token in sample.ids]
    given, learnt = (
        b"".join(part).decode("utf-8", "replace") for part in (pieces[: sample.prompt], pieces[sample.prompt :])
    )
    return f"{given}⟦{learnt}⟧"
