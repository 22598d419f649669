"""`eval`: measure what users see, of ourselves and of others. One module a task."""

from __future__ import annotations

import argparse
import importlib

# Modules of this package: each has `register(tasks)` and imports what is heavy only when it runs.
TASKS: tuple[str, ...] = (
    "history",
    "humaneval",
    "infill",
    "lint",
    "perplexity",
    "report",
    "results",
    "search",
    "typing",
)


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb and its tasks to the command line."""
    verb = verbs.add_parser("eval", help="measure what users see, ourselves and others, on real code")
    tasks = verb.add_subparsers(dest="task", metavar="TASK", required=True)
    for task in TASKS:
        importlib.import_module(f"goassist_lsp.cli.eval.{task}").register(tasks)
