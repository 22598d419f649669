"""`bench startup`: how soon the server answers `initialize`, shows a first suggestion, and has a large module's types.

The server is the real one over stdio. The first suggestion is asked for by somebody who begins to type a call at
the end of the opened file's last function at once, by a plugin that asks again until there is an answer; the model is
in the page cache then. Readiness of the types is measured twice: by the server's own status, and at the type service
alone by a verdict that is known (a text that compiles, and one that does not).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_index.syntax import functions, parse, statements
from goassist_index.typeservice import TypeService
from goassist_lsp.cli.bench_memory import LARGE_MODULE
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_lsp.cli.lspclient import LspClient, position_at
from goassist_models.evaluate.metrics import median
from goassist_models.evaluate.modules import named_module, prepare

_LARGE_FILE = "promql/engine.go"
_GIVE_UP_S = 120.0
_TYPED = "println("
_KEY_S = 0.18
_ANSWER_S = 10.0
# No editor asks for the status while it starts: more often than this the asking would be part of what is measured.
_LOOK_S = 0.1


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("startup", help="time to the answer of initialize, and until types are ready")
    parser.add_argument("module", nargs="?", default=LARGE_MODULE, metavar="MODULE@VERSION|DIR", help="what to open")
    parser.add_argument("--file", default=_LARGE_FILE, help=f"the file that is opened (default {_LARGE_FILE})")
    parser.add_argument("--times", type=int, default=3, help="how often, the median counts (default 3)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when measured."""
    with progress.status(f"{args.module}: fetching"):
        directory = prepare(named_module(args.module), cache_dir()).resolve()
    path = directory / args.file
    if not path.is_file():
        raise GoassistError("no such file in the module", path=str(path), cure="Name one with --file")
    runs: list[dict[str, float | None]] = []
    with progress.status("starting") as status:
        for number in range(args.times):
            status.update(f"start {number + 1} of {args.times}")
            runs.append({**asyncio.run(_server(directory, path)), **asyncio.run(_service(directory, path))})
    names = list(runs[0])
    middle = {name: median([value for r in runs if (value := r[name]) is not None]) for name in names}
    if args.json:
        print_json({"bench": "startup", "module": args.module, "file": args.file, "median_ms": middle, "runs_ms": runs})
    else:
        rows = [(name, milliseconds(middle[name]), *(milliseconds(r[name]) for r in runs)) for name in names]
        columns = ("milliseconds", "median", *(f"run {n + 1}" for n in range(args.times)))
        table(f"Start-up with {args.file} of {args.module}", columns, rows)
    return 0


async def _server(root: Path, path: Path) -> dict[str, float | None]:
    """From the process's start to the answer, then from `initialize` to each state of readiness."""
    source = path.read_bytes()
    text, before = source.decode(), source[: _last_statement(source, path)].decode()
    spawned = time.perf_counter()
    log = cache_dir() / "bench" / "startup-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    client = await LspClient.start(log=log)
    try:
        asked = time.perf_counter()
        await client.initialize(root)
        answered = time.perf_counter()
        client.open(path, text)
        (model_ms, types_ms), shown_ms = await asyncio.gather(
            _readiness(client, asked, path.parent), _first_suggestion(client, path, before, asked)
        )
    finally:
        await client.close()
    return {
        "initialize answered, from process start": (answered - spawned) * 1000,
        "model ready, from initialize": model_ms,
        "opened package's types loaded, from initialize": types_ms,
        "first suggestion, from initialize": shown_ms,
    }


async def _readiness(client: LspClient, asked: float, directory: Path) -> tuple[float | None, float | None]:
    """Milliseconds until the model is ready, and until the server says that the directory's types are loaded."""
    model_ms: float | None = None
    types_ms: float | None = None
    while time.perf_counter() - asked < _GIVE_UP_S and (model_ms is None or types_ms is None):
        status = await client.status()
        now = time.perf_counter()
        if status.get("engine_ready") and model_ms is None:
            model_ms = (now - asked) * 1000
        if str(directory) in status.get("types_loaded_ms", {}) and types_ms is None:
            types_ms = (now - asked) * 1000
        await asyncio.sleep(_LOOK_S)
    return model_ms, types_ms


async def _first_suggestion(client: LspClient, path: Path, before: str, asked: float) -> float | None:
    """Milliseconds from `asked` until a question is answered with a text, on a new line behind `before`."""
    typed, version = "", 2
    start = position_at(before, len(before))
    client.change(path, version, start, start, "\n\t")
    while time.perf_counter() - asked < _GIVE_UP_S:
        key = _TYPED[len(typed) : len(typed) + 1]
        at = position_at(before + typed, len(before + typed))
        if key:
            version += 1
            client.change(path, version, at, at, key)
            typed += key
        behind = position_at(before + typed, len(before + typed))
        number, answer = client.post_inline(path, behind)
        await asyncio.wait({answer}, timeout=_KEY_S if key else _ANSWER_S)
        if not answer.done():
            client.cancel(number)
        elif (said := answer.result()) and (said["items"] if isinstance(said, dict) else said):
            return (time.perf_counter() - asked) * 1000
        else:
            await asyncio.sleep(_KEY_S)  # not ready yet, or nothing to say
    return None


async def _service(root: Path, path: Path) -> dict[str, float | None]:
    """From the service's start to a right answer about a text that compiles and one that does not."""
    source = path.read_bytes()
    place = _last_statement(source, path)
    started = time.perf_counter()
    service = await TypeService.start(root, cache_dir=cache_dir())
    try:
        text = source.decode("utf-8")
        bad = "goassistNoSuchName()\n\t"
        while time.perf_counter() - started < _GIVE_UP_S:
            good, broken = await service.check(path, text, place, place, ("_ = 1\n\t", bad))
            if good.status == "ok" and broken.status == "error":
                return {"type service alone: first right verdicts": (time.perf_counter() - started) * 1000}
        raise GoassistError(f"no right verdict within {_GIVE_UP_S:.0f} s", path=str(path))
    finally:
        await service.aclose()


def _last_statement(source: bytes, path: Path) -> int:
    for node in reversed(functions(parse(source))):
        body = node.child_by_field_name("body")
        if body is not None and (inner := statements(body)):
            return inner[-1].start_byte
    raise GoassistError("no function with statements in it", path=str(path), cure="Name another with --file")
