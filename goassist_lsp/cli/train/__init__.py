"""`train`: from licensed Go source to a model file that the server loads. One module a stage, each can be run again."""

from __future__ import annotations

import argparse
import importlib

# Modules of this package, in the order in which they are run; each has `register(stages)`.
STAGES: tuple[str, ...] = (
    *("collect", "licence", "gate", "dedup", "samples", "report"),
    *("sft", "pairs", "dpo", "export", "awq", "evaluate", "publish", "adapt"),
)


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb and its stages to the command line."""
    verb = verbs.add_parser("train", help="make training data, train an adapter, and export what the server loads")
    stages = verb.add_subparsers(dest="stage", metavar="STAGE", required=True)
    for stage in STAGES:
        importlib.import_module(f"goassist_lsp.cli.train.{stage}").register(stages)
