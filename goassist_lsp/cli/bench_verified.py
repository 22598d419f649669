"""`bench verified`: what the HTTP server's word is worth: answers that it calls "ok" compiled, those it tested judged.

Three parts, each a file of records in `--out`, so that a run that was stopped goes on. "checked": HumanEval-X in Go
with `compile_check`, in a workspace. "tested": the same places with `test_pattern`, the description's example tests in
the loop. "holes": places in real modules with `compile_check`. All judges are independent of the server: `go build`,
and the benchmark's hidden tests, which the server never sees (bench_verified_asking.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cattrs

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.cli.bench_report import add_common, print_json, progress, table
from goassist_lsp.cli.bench_verified_asking import CHECKED, HOLES, TESTED, Judged, holes_asked, problems_asked
from goassist_models.evaluate import humaneval
from goassist_models.evaluate.report.statistics import Estimate, paired, share
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.sandbox import protection

_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("verified", help="answers that the HTTP server has verified, by `go build` and by tests")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help=f"humaneval_go.jsonl.gz (default: {humaneval.DATA_VARIABLE})"
    )
    parser.add_argument("--model", default="", help="registry name or GGUF path (default: the default model)")
    parser.add_argument("--limit", type=int, metavar="N", help="only so many problems, chosen by the seed")
    parser.add_argument(
        "--attempts", type=int, default=4, metavar="N", help="candidates tried against tests (default 4; 0: none)"
    )
    parser.add_argument("--holes", type=int, default=80, metavar="N", help="places in real modules (default 80)")
    parser.add_argument("--modules", nargs="*", default=[], metavar="MODULE", help="of the holes: path@version, or DIR")
    parser.add_argument("--minutes", type=float, metavar="M", help="ask nothing new after that; go on another time")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run is kept; the same one goes on with it")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when all was asked and all that was called "ok" compiles, 1 when not."""
    if args.attempts < 0 or args.holes < 0:
        raise ConfigError("--attempts and --holes must not be negative")
    problems = humaneval.chosen(humaneval.read_problems(humaneval.data_file(args.data)), args.limit, args.seed)
    arguments = {name: getattr(args, name) for name in ("model", "limit", "attempts", "holes", "modules", "seed")}
    out = args.out or cache_dir() / "eval" / f"verified-{args.limit or 'all'}-{args.holes}-{args.seed}"
    the_run = Run.open(out, "verified", arguments).note(sandbox=protection())
    parts = (CHECKED, *((TESTED,) if args.attempts else ()))
    until_s = time.monotonic() + 60 * args.minutes if args.minutes is not None else float("inf")
    done = {part: _done(the_run, part) for part in (CHECKED, TESTED, HOLES)}

    def keep(part: str, judged: Judged) -> None:
        the_run.append_line(part, json.dumps(_CONVERTER.unstructure(judged), ensure_ascii=False))

    missing = asyncio.run(holes_asked(args, frozenset(done[HOLES]), until_s, keep)) if args.holes else 0
    # In an order of chance: what a run has come to before its end is a sample of all.
    random.Random(args.seed).shuffle(problems)
    left = [(part, one) for one in problems for part in parts if one.name not in done[part]]
    if left and time.monotonic() < until_s:
        asyncio.run(problems_asked(left, args.model, args.attempts, until_s, keep))
    found = {part: _done(the_run, part) for part in (CHECKED, TESTED, HOLES)}
    missing += sum(one.name not in found[part] for part, one in left)
    return report(args, found, missing)


def _done(the_run: Run, part: str) -> dict[str, Judged]:
    """What is there of a part, by name."""
    try:
        judged = [_CONVERTER.structure(json.loads(line), Judged) for line in the_run.lines(part)]
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
        raise GoassistError(
            f"a line is no record ({type(error).__name__})",
            path=str(the_run.path(part)),
            cure="Delete the file: its part is then asked again",
        ) from error
    return {one.name: one for one in judged}


def report(args: argparse.Namespace, found: dict[str, dict[str, Judged]], missing: int) -> int:
    """Print; the exit status."""
    failed = [one for part in found.values() for one in part.values() if one.verdict == "ok" and not one.compiles]
    if args.json:
        told = {part: _figures(list(judged.values())) for part, judged in found.items()}
        failures = [{"name": one.name, "complaint": one.complaint} for one in failed]
        print_json({"bench": "verified", "missing": missing, **told, "pairs": _pairs(found), "failures": failures})
        return int(bool(failed or missing))
    rows = [
        (f"{part}: {verdict}", count, sum(one.compiles for one in judged.values() if one.verdict == verdict))
        for part, judged in found.items()
        for verdict, count in Counter(one.verdict for one in judged.values()).most_common()
    ]
    table("What the server says of its answers, and the compiler", ("part: verdict", "answers", "go build takes"), rows)
    for part in (CHECKED, TESTED):
        if found[part]:
            _tell(f"{part}: pass the hidden tests, of all", _passing(found[part].values()))
            _tell("  of those answered with text", _passing([one for one in found[part].values() if one.text]))
    if pairs := _pairs(found):
        ran = sum(one.attempts for one in found[TESTED].values())
        print(
            f"example tests in the loop, up to {args.attempts} candidates each, {ran} tried in all: "
            f"{pairs['difference']:+.1%} ({pairs['low']:+.1%} to {pairs['high']:+.1%}), "
            f"gained {pairs['gained']}, lost {pairs['lost']}, p {pairs['p']:.2g}, {pairs['n']} problems"
        )
    for one in failed:
        print(f"{one.name}: {one.complaint}")
    if missing:
        progress.print(f"{missing} have not been asked: run it again to go on", style="red")
    return int(bool(failed or missing))


def _passing(judged: Sequence[Judged] | Any) -> Estimate | None:
    return share([one.hidden == "passed" for one in judged])


def _tell(what: str, found: Estimate | None) -> None:
    if found is not None:
        print(f"{what}: {found.value:.1%} ({found.low:.1%} to {found.high:.1%}), {found.n}")


def _pairs(found: dict[str, dict[str, Judged]]) -> dict[str, Any] | None:
    both = [name for name in found[TESTED] if name in found[CHECKED]]
    passing = [[float(found[part][name].hidden == "passed") for name in both] for part in (TESTED, CHECKED)]
    compared = paired(*passing)
    return compared.as_json() if compared is not None else None


def _figures(judged: Sequence[Judged]) -> dict[str, Any]:
    passing = _passing(judged) if any(one.hidden for one in judged) else None
    return {
        "asked": len(judged),
        "verdicts": Counter(one.verdict for one in judged),
        "ok_and_compiles": sum(one.verdict == "ok" and one.compiles for one in judged),
        "passes_hidden_tests": passing.as_json() if passing is not None else None,
        "tried": sum(one.attempts for one in judged),
        "tokens": sum(one.tokens for one in judged),
        "seconds": round(sum(one.seconds for one in judged), 1),
    }
