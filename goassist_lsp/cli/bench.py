"""`bench`: measure parts of goassist on real modules, through what users run; what users see is `eval`."""

from __future__ import annotations

import argparse

from goassist_lsp.cli import (
    bench_appended,
    bench_check,
    bench_dense,
    bench_engine,
    bench_facts,
    bench_growth,
    bench_index,
    bench_load,
    bench_memory,
    bench_moved,
    bench_names,
    bench_needed,
    bench_serve,
    bench_snippets,
    bench_startup,
    bench_tune,
    bench_verdicts,
    bench_verified,
    bench_worth,
)

BENCHES = (
    *(bench_appended, bench_verdicts, bench_names, bench_facts, bench_snippets, bench_needed, bench_check),
    *(bench_engine, bench_growth, bench_index, bench_dense, bench_load, bench_memory, bench_moved),
    *(bench_serve, bench_startup, bench_tune, bench_verified, bench_worth),
)


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb and its benches to the command line."""
    verb = verbs.add_parser("bench", help="measure goassist on real modules")
    names = verb.add_subparsers(dest="bench", metavar="NAME", required=True)
    for bench in BENCHES:
        bench.register(names)
