"""What `bench verified` asks of the server, and what its judges say of each answer."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.gotools import build_overlay
from goassist_lsp.cli.bench_report import chosen_modules, open_module, progress
from goassist_lsp.cli.bench_serve_load import served
from goassist_models import registry
from goassist_models.evaluate import humaneval, visible
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import infill_cases, share_out
from goassist_models.evaluate.humaneval import Problem
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.sandbox import namespaces

CHECKED, TESTED, HOLES = "checked", "tested", "holes"
_SLOTS = 4
# What a busy machine takes for the longest answer is no matter here.
_ANSWER_LIMIT_S = 900
_WORDS = 120
_BODY_TOKENS, _HOLE_TOKENS = 384, 128
_WORKSPACE, _PACKAGE = "humaneval", "solution"

Keep = Callable[[str, "Judged"], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer: what the server called it and how long it took; whether it compiles where it was asked for.

    `complaint` is the compiler's, or why there is no text; `hidden` what the benchmark's own tests say ("" where there
    are none), `attempts` how many candidates the server tried against the example tests.
    """

    name: str
    verdict: str
    text: str = ""
    compiles: bool = False
    complaint: str = ""
    hidden: str = ""
    attempts: int = 0
    tokens: int = 0
    seconds: float = 0.0


def _command(model: str, workspaces: Sequence[str], *more: str) -> list[str]:
    command = [sys.executable, "-m", "goassist_lsp.cli", "serve", "--port", "0"]
    command += ["--model", str(registry.resolve(model or None).path), "--slots", str(_SLOTS)]
    command += ["--timeout", str(_ANSWER_LIMIT_S), *more]
    return command + [word for workspace in workspaces for word in ("--workspace", workspace)]


async def problems_asked(
    wanted: Sequence[tuple[str, Problem]], model: str, attempts: int, until_s: float, keep: Keep
) -> None:
    """Ask about problems, each in the parts that it is wanted in, and keep what is judged; nothing new after `until_s`.

    Raises GoassistError when the server does not start, or a judge breaks down.
    """
    import httpx2

    module = humaneval.prepare(cache_dir(), [problem for _, problem in wanted])
    tests = ("--allow-tests", "sandboxed" if namespaces() != "none" else "unconfined")
    with tempfile.TemporaryDirectory(prefix="goassist-verified-") as scratch:
        root = Path(scratch, _WORKSPACE).resolve()
        lay_out(root, module, [problem for _, problem in wanted])
        async with AsyncExitStack() as stack:
            url, _ = await stack.enter_async_context(served(_command(model, [str(root)], *tests)))
            client = await stack.enter_async_context(httpx2.AsyncClient(timeout=2 * _ANSWER_LIMIT_S, trust_env=False))
            status = stack.enter_context(progress.status(""))
            gate, left = asyncio.Semaphore(_SLOTS), len(wanted)
            judge = _ProblemJudge(root, module)

            async def ask(part: str, problem: Problem) -> None:
                nonlocal left
                async with gate:
                    if time.monotonic() < until_s:
                        body = problem_request(part, problem, attempts)
                        judged, answer = await _asked(client, url, problem.name, body)
                        keep(part, await asyncio.to_thread(judge.judged, problem, judged, answer))
                        left -= 1
                        status.update(f"{left} of {len(wanted)} to ask about")

            await asyncio.gather(*(ask(part, problem) for part, problem in wanted))


def lay_out(root: Path, module: Path, problems: Sequence[Problem]) -> None:
    """A workspace with a package for each problem: its file, and the example tests. No hidden test is in it."""
    root.mkdir()
    for name in ("go.mod", "go.sum"):
        if (module / name).is_file():
            shutil.copyfile(module / name, root / name)
    for problem in problems:
        directory = root / problem.slug
        directory.mkdir(exist_ok=True)
        (directory / "a.go").write_text(visible.source(problem, _PACKAGE)[0], encoding="utf-8")
        if tests := visible.tests(problem, _PACKAGE):
            (directory / "a_test.go").write_text(tests, encoding="utf-8")


def problem_request(part: str, problem: Problem, attempts: int) -> dict[str, Any]:
    """What is asked about a problem. One without example tests cannot be held to any: then both parts ask the same."""
    text, offset = visible.source(problem, _PACKAGE)
    place = {"workspace": _WORKSPACE, "file": f"{problem.slug}/a.go", "prompt": text[:offset], "suffix": text[offset:]}
    held: dict[str, Any] = {"compile_check": True}
    if part == TESTED and visible.names(problem):
        held |= {"test_pattern": visible.pattern(problem), "attempts": attempts}
    return {**place, **held, "max_tokens": _BODY_TOKENS}


async def _asked(client: Any, url: str, name: str, body: dict[str, Any]) -> tuple[Judged, bytes]:
    """What the server says, and the file with its answer and imports in place (nothing without an answer)."""
    begun_s = time.perf_counter()
    response = await client.post(f"{url}/v1/completions", json=body)
    seconds = round(time.perf_counter() - begun_s, 2)
    if response.status_code != 200:
        return Judged(name, f"status {response.status_code}", complaint=response.text[:_WORDS], seconds=seconds), b""
    told = response.json()
    (choice,) = told["choices"]
    found = choice["goassist"]
    judged = Judged(
        name,
        found["verdict"],
        choice["text"],
        attempts=(found["tests"] or {}).get("attempts", 0),
        tokens=told["usage"]["completion_tokens"],
        seconds=seconds,
    )
    if not choice["text"]:
        return replace(judged, complaint=(found["reason"] or "no text")[:_WORDS]), b""
    whole = (body["prompt"] + choice["text"] + body["suffix"]).encode()
    for edit in sorted(found["edits"], key=lambda edit: -int(edit["start"])):
        whole = whole[: edit["start"]] + edit["text"].encode() + whole[edit["end"] :]
    return judged, whole


@dataclass(frozen=True, slots=True)
class _ProblemJudge:
    """Compiles answers in the workspace at `root`, and runs the hidden tests in `module`, once for each text."""

    root: Path
    module: Path
    known: dict[bytes, tuple[str, str]] = field(default_factory=dict)

    def judged(self, problem: Problem, judged: Judged, whole: bytes) -> Judged:
        """With what the judges say. Raises GoassistError when one breaks down."""
        if not judged.text:
            return replace(judged, hidden="silent")
        if whole not in self.known:
            built = build_overlay(self.root, f"./{problem.slug}", {self.root / problem.slug / "a.go": whole})
            complaints = [line for line in built.output.splitlines() if ".go:" in line] or [built.output.strip()]
            # The benchmark's own imports are those that it finds used: answers are judged on what they do.
            judgement = humaneval.verdict(problem, humaneval.body_with(judged.text), self.module)
            self.known[whole] = ("" if built.ok else complaints[0][:_WORDS] or "no word", judgement.verdict)
        complaint, hidden = self.known[whole]
        return replace(judged, compiles=not complaint, complaint=complaint, hidden=hidden)


async def holes_asked(args: argparse.Namespace, done: frozenset[str], until_s: float, keep: Keep) -> int:
    """Ask about holes of real modules that are not `done`; how many are left. Raises as `problems_asked`."""
    import httpx2

    specs = chosen_modules(args.modules, lambda spec: spec.split == "dev")
    shares = share_out(args.holes, [spec.name for spec in specs])
    places: list[tuple[str, CompileJudge, Case]] = []
    for number, spec in enumerate(specs):
        with progress.status(f"{spec.name}: fetching and building"):
            _, judge = await asyncio.to_thread(open_module, spec)
            cases = await asyncio.to_thread(infill_cases, judge, spec.name, shares[spec.name], args.seed, frozenset())
        places += [(f"m{number}", judge, case) for case in cases if case.key not in done]
    if not places or time.monotonic() >= until_s:
        return len(places)
    workspaces = {name: judge.directory for name, judge, _ in places}
    command = _command(args.model, [f"{name}={directory}" for name, directory in workspaces.items()])
    left = len(places)
    async with AsyncExitStack() as stack:
        url, _ = await stack.enter_async_context(served(command))
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=2 * _ANSWER_LIMIT_S, trust_env=False))
        status = stack.enter_context(progress.status(""))
        gate = asyncio.Semaphore(_SLOTS)

        async def ask(workspace: str, judge: CompileJudge, case: Case) -> None:
            nonlocal left
            async with gate:
                if time.monotonic() < until_s:
                    judged, answer = await _asked(client, url, case.key, hole_request(workspace, judge.directory, case))
                    keep(HOLES, await asyncio.to_thread(_judged_hole, judge, case, judged, answer))
                    left -= 1
                    status.update(f"{left} of {len(places)} holes to ask about")

        await asyncio.gather(*(ask(*place) for place in places))
    return left


def hole_request(workspace: str, directory: Path, case: Case) -> dict[str, Any]:
    """What is asked about a hole: the file as it is without what stood there."""
    source = (directory / case.file).read_bytes()
    text = {"prompt": source[: case.start].decode(), "suffix": source[case.end :].decode()}
    return {"workspace": workspace, "file": case.file, **text, "compile_check": True, "max_tokens": _HOLE_TOKENS}


def _judged_hole(judge: CompileJudge, case: Case, judged: Judged, whole: bytes) -> Judged:
    if not judged.text:
        return judged
    path = judge.directory / case.file
    judgement = judge.build(judge.package_of(path), {path: whole})
    said = judgement.errors[0].message if judgement.errors else judgement.output.strip()
    return replace(judged, compiles=judgement.ok, complaint="" if judgement.ok else said[:_WORDS])
