"""`train samples`: token sequences as they are served, from what is left of the source."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

from goassist_lsp.cli.eval.perplexity import served_prompt
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments, print_counts
from goassist_lsp.settings import Options, Settings, resolve
from goassist_models.data.held_out import held_out_shard
from goassist_models.data.samples import Builder, make_samples
from goassist_models.data.shards import Workers, run_stage, write_whole
from goassist_models.engine.vocabulary import load_vocabulary
from goassist_models.evaluate.example import Question
from goassist_models.gguf_header import read_header
from goassist_models.infill import InfillPrompt
from goassist_models.train.base import VOCABULARY, vocabulary_digest


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("samples", help="make infill and instruction samples, in the forms that are served")
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: there are samples."""
    the_run = TrainingRun.of(args)
    work = partial(
        make_samples,
        vocabulary=partial(load_vocabulary, the_run.vocabulary_file()),
        build=prompt_builder(the_run.recipe.context_tokens),
        rules=the_run.recipe.samples,
    )
    held_out = the_run.stage("held-out")
    with the_run.timed("samples") as tell:
        counts = run_stage(the_run.shards("dedup"), the_run.stage("samples"), work, the_run.workers, tell)
        run_stage({"std.jsonl": ""}, held_out / "functions", held_out_shard, Workers())
        run_stage({"std.jsonl": str(held_out / "functions" / "std.jsonl")}, held_out / "samples", work, Workers())
    digest = vocabulary_digest(read_header(the_run.vocabulary_file()).tokens)
    write_whole(the_run.stage("samples") / VOCABULARY, digest)
    print_counts("samples", counts)
    return 0 if counts["samples"] else 1


def prompt_builder(context_tokens: int) -> Builder:
    """How the server lays out a prompt of this budget, to be sent to worker processes."""
    settings, _ = resolve(Options())
    return partial(_prompt, settings=replace(settings, context_tokens=context_tokens))


def _prompt(asked: Question, form: str, *, settings: Settings) -> InfillPrompt:
    return served_prompt(asked, form, settings)
