"""`bench serve`: many clients at once, beside llama.cpp's own server and the same model, with the compiler and without.

All servers run in turn at each number of clients, the others idle then. Each such phase is kept when it is done, so
that a run goes on where it ended; the clients and what they ask are in bench_serve_load.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.cli.bench_plot import add_plot, draw_bars
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_lsp.cli.bench_serve_load import CLIENT_LIMIT_S, Target, loaded, prompts, served
from goassist_models import registry
from goassist_models.evaluate.peers import llama_server
from goassist_models.evaluate.runs import Run

OURS, CHECKED, PEER = "goassist", "goassist, checked", "llama-server"
BEFORE_PEER = "goassist before llama-server"
_PHASES = "phases"
# Cells for each slot: the longest prompt of the clients and its answer fit.
_CONTEXT_TOKENS = 2048

Figures = dict[int, dict[str, dict[str, Any]]]


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("serve", help="the HTTP server under load, beside llama.cpp's own")
    parser.add_argument("--model", default="", help="registry name or GGUF path (default: the default model)")
    parser.add_argument("--clients", default="1,4,16,64", metavar="LIST", help="how many at once (default 1,4,16,64)")
    parser.add_argument("--seconds", type=float, default=180.0, help="of each phase (default 180)")
    parser.add_argument("--slots", type=int, default=4, help="answers in one batch, of all servers (default 4)")
    parser.add_argument("--max-tokens", type=int, default=48, help="of an answer (default 48)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--no-llama-server", action="store_true", help="only ourselves")
    which.add_argument("--backend", action="store_true", help=f"also {BEFORE_PEER}, as its --backend")
    parser.add_argument("--phases", type=int, metavar="N", help="end after so many phases; go on another time")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run is kept; the same one goes on with it")
    add_plot(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when all phases are there and no request failed. Raises GoassistError when no server starts."""
    try:
        counts = [int(word) for word in args.clients.split(",")]
    except ValueError:
        raise ConfigError(f"{args.clients!r} is no list of numbers", path="--clients") from None
    names = [*(() if args.no_llama_server else (PEER,)), OURS, CHECKED, *((BEFORE_PEER,) if args.backend else ())]
    arguments = {name: getattr(args, name) for name in ("model", "seconds", "slots", "max_tokens", "seed")}
    out = args.out or cache_dir() / "eval" / f"serve-{args.slots}-{args.seconds:g}-{args.seed}"
    the_run = Run.open(out, "serve", arguments)
    done = _done(the_run)
    wanted = [(count, name) for count in counts for name in names if name not in done.get(count, {})]
    if now := wanted[: args.phases]:
        asyncio.run(measured(args, now, the_run))
    figures = {
        count: {name: row[name] for name in names if name in row}
        for count, row in _done(the_run).items()
        if count in counts
    }
    report(args, figures)
    if missing := len(wanted) - len(now):
        progress.print(f"{missing} phases are still to be run: run it again to go on", style="red")
    return int(bool(missing) or any(told["errors"] for row in figures.values() for told in row.values()))


def _done(the_run: Run) -> Figures:
    """The phases that are there, by the number of clients and the server's name. Raises GoassistError for others."""
    found: Figures = {}
    try:
        for record in map(json.loads, the_run.lines(_PHASES)):
            found.setdefault(record["clients"], {})[record["server"]] = record["figures"]
    except (ValueError, KeyError, TypeError) as error:
        raise GoassistError(
            f"a line is no phase ({type(error).__name__})",
            path=str(the_run.path(_PHASES)),
            cure="Delete the file: all phases are then run again",
        ) from error
    return dict(sorted(found.items()))


async def measured(args: argparse.Namespace, phases: Sequence[tuple[int, str]], the_run: Run) -> None:
    """Run phases, (number of clients, server's name) each, and keep what they come to."""
    # No prompt of an earlier part of the run is asked again.
    asked = prompts(f"{args.seed}.{len(the_run.lines(_PHASES))}")
    async with AsyncExitStack() as stack:
        targets = {target.name: target async for target in _targets(args, {name for _, name in phases}, stack)}
        for number, (count, name) in enumerate(phases, 1):
            with progress.status(f"phase {number} of {len(phases)}: {name}, {count} clients, {args.seconds:g} s"):
                tally = await loaded(targets[name], count, args.seconds, asked, args.max_tokens)
            record = {"clients": count, "server": name, "figures": tally.figures()}
            the_run.append_line(_PHASES, json.dumps(record))


async def _targets(args: argparse.Namespace, names: set[str], stack: AsyncExitStack) -> AsyncIterator[Target]:
    path = registry.resolve(args.model or None).path
    context = str(_CONTEXT_TOKENS * args.slots)
    serve = [sys.executable, "-m", "goassist_lsp.cli", "serve", "--port", "0", "--queue", "256"]
    # Who waits behind 60 others is to be answered: llama-server knows no limit either.
    serve += ["--timeout", f"{CLIENT_LIMIT_S:g}"]
    if names & {PEER, BEFORE_PEER}:
        binary = await asyncio.to_thread(llama_server.build, progress.print)
        peer = await llama_server.start(binary, path, arguments=["-np", str(args.slots), "-c", context])
        stack.callback(peer.stop)
        yield Target(PEER, f"{peer.url}/v1", (peer.pid,), {})
        if BEFORE_PEER in names:
            command = [*serve, "--backend", peer.url, "--backend-at-once", str(args.slots)]
            url, pid = await stack.enter_async_context(served(command))
            yield Target(BEFORE_PEER, f"{url}/v1", (pid, peer.pid), {})
    if names & {OURS, CHECKED}:
        command = [*serve, "--model", str(path), "--slots", str(args.slots), "--context", context]
        url, pid = await stack.enter_async_context(served(command))
        yield Target(OURS, f"{url}/v1", (pid,), {})
        yield Target(CHECKED, f"{url}/v1", (pid,), {"compile_check": True})


def report(args: argparse.Namespace, figures: Figures) -> None:
    """Print, and draw where that is asked for."""
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    if args.plot is not None and figures:
        panels = {
            title: {
                f"{clients}": [row.get(name, {}).get(key) or 0.0 for name in names] for clients, row in figures.items()
            }
            for title, key in (
                ("tokens a second", "tokens_per_s"),
                ("first text, p50 ms", "first_p50_ms"),
                ("first text, p95 ms", "first_p95_ms"),
                ("memory of its own, MiB", "memory_after_mib"),
            )
        }
        draw_bars(args.plot, f"Clients at once, {args.slots} slots, {args.seconds:g} s each", names, panels)
    if args.json:
        print_json({"bench": "serve", "slots": args.slots, "seconds": args.seconds, "clients": figures})
        return
    columns = (
        *("clients", "server", "tokens/s", "of llama-server's", "answers", "errors", "verified"),
        *("first p50", "p95 ms", "whole p50", "p95 ms", "CPU s/100 tokens", "MiB warm", "end", "most"),
    )
    rows = [
        (
            clients,
            name,
            row["tokens_per_s"],
            _share(row, by_name.get(PEER)) if name != PEER else None,
            row["answers"],
            row["errors"],
            row["verified_share"] if name == CHECKED else None,
            *(milliseconds(row[key]) for key in ("first_p50_ms", "first_p95_ms", "whole_p50_ms", "whole_p95_ms")),
            row["cpu_s_per_100_tokens"],
            *(row[f"memory_{when}_mib"] for when in ("warm", "after", "most")),
        )
        for clients, by_name in figures.items()
        for name, row in by_name.items()
    ]
    table(f"Under load, {args.slots} slots, {args.seconds:g} s each", columns, rows)
    for clients, by_name in figures.items():
        for name, row in by_name.items():
            if row["first_error"]:
                print(f"{name}, {clients} clients: {row['first_error']}")


def _share(ours: dict[str, Any], peers: dict[str, Any] | None) -> str | None:
    if peers is None or not peers["tokens_per_s"] or ours["tokens_per_s"] is None:
        return None
    return f"{ours['tokens_per_s'] / peers['tokens_per_s']:.0%}"
