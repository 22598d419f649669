"""`bench verified`: of answers that the HTTP server calls "ok", how many `go build` takes; on HumanEval-X in Go.

The judge is independent of the checker: each answer is written with its imports into a package of its own and compiled.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.gotools import run_go
from goassist_lsp.cli.bench_report import add_common, print_json, progress, table
from goassist_lsp.cli.bench_serve import served
from goassist_models import registry
from goassist_models.evaluate import humaneval
from goassist_models.evaluate.humaneval import Problem

_OFFLINE = {"GOWORK": "off", "GOFLAGS": "", "GOPROXY": "off", "CGO_ENABLED": "0"}
_SLOTS = 4
# What a busy machine takes for the longest answer is no matter here.
_ANSWER_LIMIT_S = 900
_WORDS = 120


@dataclass(frozen=True, slots=True)
class Verified:
    """One answer: what the server called it, and the compiler's complaint ("" for none), where it was compiled."""

    name: str
    verdict: str
    complaint: str = ""


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("verified", help="answers that the HTTP server has verified, by `go build`")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help=f"humaneval_go.jsonl.gz (default: {humaneval.DATA_VARIABLE})"
    )
    parser.add_argument("--model", default="", help="registry name or GGUF path (default: the default model)")
    parser.add_argument("--limit", type=int, metavar="N", help="only so many problems, chosen by the seed")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when all that was called "ok" compiles, 1 when not."""
    problems = list(humaneval.read_problems(humaneval.data_file(args.data)))
    if args.limit is not None:
        problems = random.Random(args.seed).sample(problems, min(args.limit, len(problems)))
    found = asyncio.run(_measured(problems, args.model))
    verdicts = Counter(one.verdict for one in found)
    failed = [one for one in found if one.verdict == "ok" and one.complaint]
    if args.json:
        failures = [{"problem": one.name, "complaint": one.complaint} for one in failed]
        print_json({"bench": "verified", "verdicts": verdicts, "failures": failures})
        return int(bool(failed))
    rows = [
        (verdict, count, sum(not one.complaint for one in found if one.verdict == verdict))
        for verdict, count in verdicts.most_common()
    ]
    table("What the server says of its answers, and the compiler", ("verdict", "answers", "go build takes"), rows)
    for one in failed:
        print(f"{one.name}: {one.complaint}")
    return int(bool(failed))


async def _measured(problems: list[Problem], model: str) -> list[Verified]:
    import httpx2

    path = registry.resolve(model or None).path
    command = [sys.executable, "-m", "goassist_lsp.cli", "serve", "--port", "0", "--model", str(path)]
    command += ["--slots", str(_SLOTS), "--timeout", str(_ANSWER_LIMIT_S)]
    gate = asyncio.Semaphore(2 * _SLOTS)
    with tempfile.TemporaryDirectory(prefix="goassist-verified-") as scratch:
        root = Path(scratch)
        (root / "go.mod").write_text("module verified\n\ngo 1.23\n")
        async with served(command) as (url, _), httpx2.AsyncClient(timeout=2 * _ANSWER_LIMIT_S) as client:

            async def ask(problem: Problem) -> Verified:
                async with gate:
                    return await _verified(client, url, root, problem)

            with progress.status(f"{len(problems)} problems"):
                return list(await asyncio.gather(*map(ask, problems)))


async def _verified(client: Any, url: str, root: Path, problem: Problem) -> Verified:
    text, offset = humaneval.opened(problem)
    before, after = text[:offset], text[offset:]
    body = {"prompt": before, "suffix": after, "max_tokens": 384, "compile_check": True}
    response = await client.post(f"{url}/v1/completions", json=body)
    if response.status_code != 200:
        return Verified(problem.name, f"status {response.status_code}", response.text[:_WORDS])
    (choice,) = response.json()["choices"]
    told = choice["goassist"]
    if not choice["text"]:
        return Verified(problem.name, told["verdict"], told["reason"] or "no text")
    whole = (before + choice["text"] + after).encode()
    for edit in told["edits"]:
        whole = whole[: edit["start"]] + edit["text"].encode() + whole[edit["end"] :]
    directory = root / problem.slug
    directory.mkdir()
    # A main package would have to have a main function.
    (directory / "a.go").write_bytes(whole.replace(b"package main", b"package p", 1))
    built = await asyncio.to_thread(run_go, ["build", f"./{problem.slug}"], root, environment=_OFFLINE)
    complaints = [line for line in built.output.splitlines() if ".go:" in line] or [built.output.strip()]
    return Verified(problem.name, told["verdict"], "" if built.ok else complaints[0][:_WORDS])
