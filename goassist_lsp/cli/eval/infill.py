"""`eval infill`: holes in recent functions of real modules, asked of ourselves and others, judged by the compiler."""

from __future__ import annotations

import argparse


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("infill", help="holes in recent functions of real modules, judged by the Go compiler")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was measured."""
    raise NotImplementedError
