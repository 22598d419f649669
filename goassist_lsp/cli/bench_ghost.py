"""`bench ghost`: what the real server shows at holes in recent functions, and whether it compiles.

Each hole gets a server of its own, spoken to as an editor does, on a copy of the module that lacks the function.
The compiler judges the whole buffer after the item was taken, as Tab takes it.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_index.gotools import download_module
from goassist_lsp.cli.bench_report import (
    add_common,
    chosen_modules,
    milliseconds,
    open_module,
    print_json,
    progress,
    table,
    write_lines,
)
from goassist_lsp.cli.lspclient import LspClient, apply_edits, offset_at, position_at
from goassist_models.evaluate.example import Case
from goassist_models.evaluate.ghost import GHOST_KINDS, infill_cases, question, share_out, signatures, taken_out
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.metrics import Share, percentile

_ANSWER_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one hole. `compiles` is after accepting (imports added), `compiles_bare` without that."""

    hole: Case
    shown: str | None
    compiles: bool
    compiles_bare: bool
    judge: str
    first_line_exact: bool
    exact: bool
    ms: float
    silent_because: str
    complaints: tuple[str, ...]
    last: dict[str, Any] | None


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("ghost", help="ghost text in recent functions through the real server, compiled")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list's set")
    parser.add_argument("--limit", type=int, default=80, help="holes in all, a quarter of each kind (default 80)")
    parser.add_argument(
        "--set",
        dest="subset",
        choices=("dev", "test"),
        default="test",
        help="which pinned modules: dev to tune on, test to report on (default test)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what came of each hole to this JSONL file")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was measured, 1 when there was no hole to ask about."""
    failed: list[dict[str, str]] = []
    work: list[tuple[CompileJudge, list[Case]]] = []
    specs = chosen_modules(args.modules, lambda s: s.split == args.subset)
    shares = share_out(args.limit, [spec.name for spec in specs])
    for spec in specs:
        try:
            with progress.status(f"{spec.name}: fetching and building"):
                _, judge = open_module(spec)
                older = signatures(download_module(spec.path, spec.older)) if spec.older else frozenset()
                work.append((judge, infill_cases(judge, spec.name, shares[spec.name], args.seed, older)))
        except GoassistError as error:
            progress.print(f"left out: {error}", style="red", markup=False)
            failed.append({"module": spec.name, "why": str(error)})
    outcomes: list[Outcome] = []
    total = sum(len(holes) for _, holes in work)
    for judge, holes in work:
        with tempfile.TemporaryDirectory(prefix="goassist-ghost-") as scratch:
            copy = Path(scratch).resolve() / "module"
            shutil.copytree(judge.directory, copy, ignore=shutil.ignore_patterns(".git"))
            for hole in holes:
                where = f"hole {len(outcomes) + 1} of {total}: {hole.module} {hole.function}"
                # The author's text must not help: neither on disk nor in an index made from it.
                with progress.status(where), taken_out(hole, copy):
                    outcomes.append(asyncio.run(_ask(judge, copy, hole)))
    out = args.out or cache_dir() / "bench" / "ghost.jsonl"
    write_lines(out, (asdict(outcome) for outcome in outcomes))
    rows: list[tuple[str, list[Outcome]]] = [(k, [o for o in outcomes if o.hole.kind == k]) for k in GHOST_KINDS]
    rows += [("line + expression", [o for o in outcomes if o.hole.kind in ("line", "expression")]), ("all", outcomes)]
    if args.json:
        kinds = {kind: _figures(of_kind) for kind, of_kind in rows}
        print_json({"bench": "ghost", "seed": args.seed, "kinds": kinds, "failed_modules": failed, "holes": str(out)})
    else:
        _print(rows, failed)
        print(f"each hole, what was shown and what the compiler said: {out}")
    return 0 if outcomes else 1


async def _ask(judge: CompileJudge, copy: Path, hole: Case) -> Outcome:
    original = judge.directory / hole.file
    asked = question(hole, copy)
    path, buffer, offset, truth = asked.path, asked.text, asked.offset, hole.truth
    log = cache_dir() / "bench" / "ghost-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    client = await LspClient.start(log=log)
    item: dict[str, Any] | None = None
    status: dict[str, Any] = {}
    bare = taken = buffer
    ms = 0.0
    failure = ""
    try:
        await client.initialize(copy)
        client.open(path, buffer)
        await client.until_ready()
        started = time.perf_counter()
        _, future = client.post_inline(path, position_at(buffer, offset))
        answer = await asyncio.wait_for(future, _ANSWER_TIMEOUT_S)
        ms = (time.perf_counter() - started) * 1000
        item = _first_item(answer)
        if item is not None:
            bare, taken = await _take(client, path, buffer, offset, item)
        status = await client.status()
    except TimeoutError:
        failure = f"no answer within {_ANSWER_TIMEOUT_S} s"
    except GoassistError as error:
        # One hole that fails is a result; the others are still to be asked.
        failure = str(error)
    finally:
        await client.close()
    complaints = (*client.complaints, *([failure] if failure else ()))
    shown = _inserted(bare, buffer, offset) if item is not None else None
    package = judge.package_of(original)
    judged_bare = judge.build(package, {original: bare.encode()}) if item is not None else None
    judged = judge.build(package, {original: taken.encode()}) if item is not None else None
    return Outcome(
        hole=hole,
        shown=shown,
        compiles=judged is not None and judged.ok,
        compiles_bare=judged_bare is not None and judged_bare.ok,
        judge=judged.output.strip()[:1000] if judged is not None and not judged.ok else "",
        first_line_exact=shown is not None and _first_line(shown) == _first_line(truth),
        exact=shown is not None and shown.strip() == truth.strip(),
        ms=ms,
        silent_because="" if item is not None else _silence(status, complaints),
        complaints=complaints,
        last=status.get("last"),
    )


def _first_item(answer: Any) -> dict[str, Any] | None:
    items = answer.get("items", []) if isinstance(answer, dict) else answer or []
    return items[0] if items else None


async def _take(client: LspClient, path: Path, buffer: str, offset: int, item: dict[str, Any]) -> tuple[str, str]:
    """Do what Tab does: put the text in, tell the server, run the item's command, make the edits it asks for."""
    cursor = position_at(buffer, offset)
    span = item.get("range") or {"start": cursor, "end": cursor}
    text = item["insertText"] if isinstance(item["insertText"], str) else item["insertText"]["value"]
    first, last = offset_at(buffer, span["start"]), offset_at(buffer, span["end"])
    bare = buffer[:first] + text + buffer[last:]
    client.change(path, 2, span["start"], span["end"], text)
    command = item.get("command")
    if command is not None:
        await client.command(command["command"], *command.get("arguments", ()))
    taken = bare
    for edit in client.edits:
        taken = apply_edits(taken, edit.get("changes", {}).get(path.as_uri(), ()))
    return bare, taken


def _inserted(after: str, buffer: str, offset: int) -> str:
    """What stands in the hole now; the cursor's prefix and suffix may have lost text to the item's range."""
    suffix = buffer[offset:]
    while not after.endswith(suffix):
        suffix = suffix[1:]
    end = len(after) - len(suffix)
    return after[min(offset, end) : end]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _silence(status: dict[str, Any], complaints: tuple[str, ...]) -> str:
    if complaints:
        return f"error: {complaints[-1].splitlines()[0][:120]}"
    last = status.get("last") or {}
    reason = last.get("skip_reason") or status.get("skip_reason")
    if reason:
        return f"skipped: {reason}"
    rejected = last.get("rejected") or []
    if rejected:
        return f"{rejected[-1]['stage']}: {rejected[-1]['reason'].splitlines()[0][:80]}"
    return "nothing generated" if last else "no completion was made"


def _figures(outcomes: list[Outcome]) -> dict[str, Any]:
    shown, compiles, bare, first, exact, new = (Share() for _ in range(6))
    for outcome in outcomes:
        shown.add(outcome.shown is not None)
        first.add(outcome.first_line_exact)
        exact.add(outcome.exact)
        new.add(outcome.hole.new)
        if outcome.shown is not None:
            compiles.add(outcome.compiles)
            bare.add(outcome.compiles_bare)
    ms = [outcome.ms for outcome in outcomes]
    return {
        "holes": len(outcomes),
        "in_new_functions": new.as_json(),
        "shown": shown.as_json(),
        "compiles_of_shown": compiles.as_json(),
        "compiles_without_its_imports": bare.as_json(),
        "first_line_exact": first.as_json(),
        "exact": exact.as_json(),
        "ms_p50": percentile(ms, 50),
        "ms_p95": percentile(ms, 95),
        "silent_because": dict(Counter(o.silent_because for o in outcomes if o.silent_because).most_common()),
        "complaints": sum(len(o.complaints) for o in outcomes),
    }


def _print(rows: Iterable[tuple[str, list[Outcome]]], failed: list[dict[str, str]]) -> None:
    columns = ("kind", "new", "shown", "compiles of shown", "bare", "first line", "exact", "p50 ms", "p95 ms")
    lines = []
    everything: dict[str, Any] = {}
    for kind, outcomes in rows:
        everything = _figures(outcomes)
        names = ("in_new_functions", "shown", "compiles_of_shown", "compiles_without_its_imports")
        shares = [_share(everything[name]) for name in (*names, "first_line_exact", "exact")]
        lines.append((kind, *shares, milliseconds(everything["ms_p50"]), milliseconds(everything["ms_p95"])))
    table("Ghost text (compiled by the Go compiler; bare: without the imports that accepting adds)", columns, lines)
    for why, count in everything["silent_because"].items():
        print(f"silent {count} times: {why}")
    if everything["complaints"]:
        print(f"errors in the server's log: {everything['complaints']}")
    for failure in failed:
        print(f"not measured: {failure['module']}: {failure['why']}")


def _share(figure: dict[str, Any]) -> str:
    percent = "" if figure["percent"] is None else f" {figure['percent']:.0f} %"
    return f"{figure['right']}/{figure['of']}{percent}"
