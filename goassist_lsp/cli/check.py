"""`check`: would this text type-check there? One position, or a stream of JSON lines."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError, SourceError
from goassist_index.header import spelled
from goassist_index.verdict import Verdict
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.position import offset_of_byte, read_position, read_snapshot

# Nobody is typing: a large package on a busy machine is worth waiting for.
LOADING_LIMIT_S = 120.0
IMPORT_BUDGET_S = 10.0
EXIT_STATUS = {"ok": 0, "error": 1, "unknown": 2}


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("check", help="type-check a text in its place, without writing it")
    verb.add_argument("position", nargs="?", metavar="FILE:LINE:COL", help="where the text would be inserted")
    verb.add_argument("--insert", metavar="TEXT", help="the text to insert there")
    verb.add_argument("--json", action="store_true", help="print one JSON value")
    verb.add_argument(
        "--jsonl",
        action="store_true",
        help="read requests from standard input, one JSON object a line, and answer each with one",
    )
    verb.add_argument(
        "--resolve-imports",
        action="store_true",
        help='look for the imports that the text lacks: "ok" where it passes with them, and they are listed',
    )
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 ok, 1 error, 2 cannot tell; a stream ends with 0."""
    if args.jsonl:
        return asyncio.run(_stream(args.resolve_imports))
    if args.position is None or args.insert is None:
        raise SourceError("nothing to check", cure="Give FILE:LINE:COL and --insert TEXT, or --jsonl")
    verdict = asyncio.run(_one(args.position, args.insert, args.resolve_imports))
    if args.json:
        print(json.dumps(as_json(verdict)))
    else:
        _print(verdict, args.position)
    return EXIT_STATUS[verdict.status]


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as the contract has it: status, errors, imports, ms; a reason where there is one.

    `imports` of an error are the names used as packages that the file does not import. Where imports were looked for
    and found, the status is "ok" and `imports` are what has to be added: a path, or a name and a path.
    """
    found = [f"{spec.name} {spec.path}".lstrip() for spec in verdict.imports]
    value: dict[str, Any] = {
        "status": verdict.status,
        "errors": [{"line": e.line, "col": e.col, "message": e.message} for e in verdict.errors],
        "imports": found or list(verdict.missing_imports),
        "ms": round(verdict.ms, 3),
    }
    if verdict.reason:
        value["reason"] = verdict.reason
    return value


async def _one(position: str, insert: str, resolve_imports: bool) -> Verdict:
    snapshot, offset = read_position(position)
    checker = TypeChecker(loading_limit_s=LOADING_LIMIT_S, import_budget_s=IMPORT_BUDGET_S)
    try:
        (verdict,) = await checker.check(snapshot, offset, offset, (insert,), resolve_imports=resolve_imports)
    finally:
        await checker.close()
    return verdict


def _print(verdict: Verdict, position: str) -> None:
    file = position.rsplit(":", 2)[0]
    print(verdict.status + (f" ({verdict.reason})" if verdict.reason else ""))
    for error in verdict.errors:
        print(f"{file}:{error.line}:{error.col}: {error.message}")
    for spec in verdict.imports:
        print(f"{file}: add import {spelled(spec)}")
    for item in verdict.unfinished:
        print(f"{file}:{item.line}:{item.col}: not finished: {item.message}")


async def _stream(resolve_imports: bool) -> int:
    """Answer each line of standard input in order, as soon as its verdict is there."""
    loop = asyncio.get_running_loop()
    checker = TypeChecker(loading_limit_s=LOADING_LIMIT_S, import_budget_s=IMPORT_BUDGET_S)
    try:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if not line.strip():
                continue
            try:
                verdict = await _answer(checker, line, resolve_imports)
            except GoassistError as error:
                verdict = Verdict("unknown", reason=str(error))
            print(json.dumps(as_json(verdict)), flush=True)
    finally:
        await checker.close()
    return 0


async def _answer(checker: TypeChecker, line: str, resolve_imports: bool) -> Verdict:
    request = _request(line)
    snapshot = read_snapshot(Path(request["file"]))
    start = offset_of_byte(snapshot, request["offset"])
    end = offset_of_byte(snapshot, request.get("end", request["offset"]))
    if end < start:
        raise SourceError("end lies before offset", path=request["file"], cure="Give end >= offset")
    (verdict,) = await checker.check(snapshot, start, end, (request["insert"],), resolve_imports=resolve_imports)
    return verdict


def _request(line: str) -> dict[str, Any]:
    cure = 'Write one object a line: {"file": "a.go", "offset": 12, "insert": "x"}'
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise SourceError(f"not JSON ({error.msg})", path=line.strip()[:60], cure=cure) from error
    wanted = {"file": str, "offset": int, "insert": str}
    if not isinstance(value, dict) or any(type(value.get(key)) is not kind for key, kind in wanted.items()):
        raise SourceError("not a request", path=line.strip()[:60], cure=cure)
    if type(value.get("end", 0)) is not int:
        raise SourceError("end is not a whole number", path=line.strip()[:60], cure=cure)
    return value
