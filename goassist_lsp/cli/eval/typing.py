"""`eval typing`: function bodies typed in real time into our own server and others, a key each so many milliseconds.

Bodies cannot take turns between systems, as time passes for all: one system after the other types the same bodies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError
from goassist_index.gotools import download_module, list_packages
from goassist_lsp.cli.bench_report import chosen_modules, milliseconds, print_json, progress, table
from goassist_models.evaluate.example import System
from goassist_models.evaluate.ghost import signatures
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.keystrokes import BodyRecord, Replay, TypedBody, bodies_of, typed_bodies
from goassist_models.evaluate.modules import ModuleSpec, prepare
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.typing import type_body, within

INTERVALS_MS = (180.0, 540.0)
_GIVE_UP_AFTER = 3
_CLOSING_LIMIT_S = 60.0
_TELL_EVERY_KEYS = 10
_DISTURBING_CORES = 0.2
_COLUMNS = (
    *("system", "ms a key", "bodies", "keys", "% completed", "% answered in time", "% shown", "% wrong of shown"),
    *("% wrong of suggestions", "flicker/100 keys", "CPU s/100 keys", "p50 ms", "p90 ms", "time saved", "errors"),
    "abandoned",
)


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("typing", help="function bodies typed in real time: what is completed, wrong, flickers")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list's set")
    parser.add_argument(
        "--set", dest="subset", choices=("dev", "test"), default="test", help="which half of the pinned list"
    )
    parser.add_argument("--bodies", type=int, default=16, help="function bodies in all (default 16)")
    parser.add_argument("--limit", type=int, metavar="KEYS", help="keys of each body at most (default: all of it)")
    parser.add_argument(
        "--interval-ms",
        type=float,
        action="append",
        metavar="MS",
        help="milliseconds from key to key; may be given several times (default 180 and 540)",
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="registry name or GGUF path; may be given several times (default: the registry's default)",
    )
    parser.add_argument(
        "--systems", choices=("goassist", "none"), default="goassist", help="none: only peers (default goassist)"
    )
    parser.add_argument("--llama-vim", action="store_true", help="llama.cpp's server as llama.vim drives it, too")
    parser.add_argument("--server", action="append", metavar="CMD", help="a language server over stdio, as a command")
    parser.add_argument("--seed", type=int, default=1, help="seed of the choice of bodies (default 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run is kept; the same one goes on with it")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there are figures, 1 when nothing could be typed."""
    specs = chosen_modules(args.modules, lambda spec: spec.split == args.subset)
    arguments = {"modules": [s.name for s in specs], "bodies": args.bodies, "seed": args.seed, "limit": args.limit}
    more = f"-{args.limit}" if args.limit else ""
    out = args.out or cache_dir() / "eval" / f"typing-{args.subset}-{args.bodies}-{args.seed}{more}"
    starts = _starts(args)
    the_run = Run.open(out, "typing", arguments)
    bodies, failed = _bodies(specs, args.bodies, args.seed)
    the_run = the_run.note(failed_modules=failed)
    with tempfile.TemporaryDirectory(prefix="goassist-typing-") as scratch:
        session = _Session(the_run, bodies, Path(scratch).resolve(), args.limit)
        for interval_ms in args.interval_ms or INTERVALS_MS:
            if interval_ms <= 0:
                raise ConfigError(f"no key can be pressed each {interval_ms:g} ms", cure="Give --interval-ms above 0")
        asyncio.run(_type_all(session, starts, args.interval_ms or INTERVALS_MS))
    the_run = Run.read(out)
    found = figures(the_run)
    if args.json:
        failures = {name: the_run.header.get(name, []) for name in ("failed_modules", "failed_systems")}
        print_json({"task": "typing", "run": str(out), "systems": _nested(found), **failures})
    else:
        table("Typing, in real time", _COLUMNS, _rows(found))
        for line in _remarks(found):
            print(line)
        print(f"each body and key: {out}")
    return 0 if any(of["keys"] for of in found.values()) else 1


@dataclass(frozen=True, slots=True)
class _Start:
    """How to get a system: its name is known before, so that one that has typed all is not started."""

    name: str
    make: Callable[[], Awaitable[System]]


def _starts(args: argparse.Namespace) -> list[_Start]:
    from goassist_models.registry import resolve

    starts: list[_Start] = []
    for model in args.model or [None]:
        known = resolve(model)
        if args.systems == "goassist":
            starts.append(_own(f"goassist {known.name}", known.path))
        if args.llama_vim:
            starts.append(_llama_vim(f"llama.vim {known.name}", known.path))
    starts.extend(_server(command) for command in args.server or ())
    if not starts:
        raise ConfigError("nobody is asked", cure="Name --systems, --llama-vim or --server")
    return starts


def _own(name: str, model: Path) -> _Start:
    async def make() -> System:
        from goassist_lsp.cli.eval.peer_lsp import lsp_system

        command = [sys.executable, "-m", "goassist_lsp.cli", "--stdio"]
        # No command is run but at an accept: imports stay out, which the typed files have anyway.
        system = await lsp_system(command, name, environment={"GOASSIST_MODEL": str(model)}, imports=False)
        return replace(system, about={"model": model.name, **system.about})

    return _Start(name, make)


def _server(command: str) -> _Start:
    async def make() -> System:
        from goassist_lsp.cli.eval.peer_lsp import lsp_system

        return await lsp_system(shlex.split(command), command, imports=False)

    return _Start(command, make)


def _llama_vim(name: str, model: Path) -> _Start:
    async def make() -> System:
        from goassist_models.evaluate.peers.llama_vim import llama_vim_system

        return await llama_vim_system(model, name)

    return _Start(name, make)


def _bodies(specs: Sequence[ModuleSpec], count: int, seed: int) -> tuple[list[TypedBody], list[dict[str, str]]]:
    """Bodies spread over the modules, those of a module together; and the modules that cannot be had."""
    sources: list[Iterator[TypedBody]] = []
    failed: list[dict[str, str]] = []
    for spec in specs:
        try:
            with progress.status(f"{spec.name}: fetching"):
                directory = prepare(spec, cache_dir())
                older = signatures(download_module(spec.path, spec.older)) if spec.older else frozenset()
                # Nothing is compiled here: the list of files is enough.
                judge = CompileJudge(directory, list_packages(directory, ["./..."], export=False), {})
                sources.append(typed_bodies(judge, seed, older, spec.name, copies=False))
        except GoassistError as error:
            progress.print(f"left out: {error}", style="red", markup=False)
            failed.append({"module": spec.name, "why": str(error)})
    chosen = list(islice(bodies_of(*sources), count))
    order = {spec.name: number for number, spec in enumerate(specs)}
    return sorted(chosen, key=lambda body: order[body.module]), failed


@dataclass(slots=True)
class _Session:
    """One run under way: its bodies, and copies of their modules that may be written to."""

    run: Run
    bodies: Sequence[TypedBody]
    scratch: Path
    limit: int | None
    copies: dict[str, Path] = field(default_factory=dict)

    def root(self, body: TypedBody) -> Path:
        """Copy of the body's module."""
        if body.module not in self.copies:
            copy = self.scratch / str(len(self.copies)) / "module"
            shutil.copytree(body.directory, copy, ignore=shutil.ignore_patterns(".git"))
            self.copies[body.module] = copy
        return self.copies[body.module]


async def _type_all(session: _Session, starts: Sequence[_Start], intervals_ms: Sequence[float]) -> None:
    failed: list[dict[str, str]] = []
    for start in starts:
        done = {(record.interval_ms, record.body) for record in records(session.run, start.name)}
        left = [(ms, b) for ms in dict.fromkeys(intervals_ms) for b in session.bodies if (ms, b.key) not in done]
        try:
            await _type_into(session, start, left)
        except GoassistError as error:
            progress.print(f"{start.name}: not measured: {error}", style="red", markup=False)
            failed.append({"system": start.name, "why": str(error)})
    session.run = session.run.note(failed_systems=failed)


async def _type_into(session: _Session, start: _Start, left: Sequence[tuple[float, TypedBody]]) -> None:
    """Type what is left into one system. Raises GoassistError when it cannot be started, or fails again and again."""
    system: System | None = None
    failures = 0
    try:
        for number, (interval_ms, body) in enumerate(left, 1):
            where = f"{start.name}, {interval_ms:g} ms: body {number} of {len(left)}, {body.module} {body.function}"
            with progress.status(where) as status:
                if system is None:
                    system = await start.make()
                    session.run = session.run.describe(start.name, system.about)

                def tell(keys: int, *, status: Any = status, where: str = where, of: int = len(body.keys)) -> None:
                    if keys % _TELL_EVERY_KEYS == 0:
                        status.update(f"{where}: key {keys} of at most {of}")

                root = session.root(body)
                record = await type_body(system, root, body, interval_ms / 1e3, limit=session.limit, tell=tell)
            session.run.append_line(start.name, _line(record))
            if not record.abandoned:
                failures = 0
                continue
            progress.print(f"{where}: abandoned: {record.abandoned}", style="red", markup=False)
            failures += 1
            if failures == _GIVE_UP_AFTER:
                raise GoassistError(
                    f"{failures} bodies in a row were abandoned, the rest was left ({record.abandoned})"
                )
            await _close(system)  # whatever state it is in: the next body gets a fresh one
            system = None
    finally:
        if system is not None:
            await _close(system)


async def _close(system: System) -> None:
    try:
        await within(system.close(), _CLOSING_LIMIT_S, "it does not close")
    except GoassistError as error:
        progress.print(f"{system.name}: {error}", style="red", markup=False)


def _line(record: BodyRecord) -> str:
    import cattrs

    return json.dumps(cattrs.unstructure(record), ensure_ascii=False)


def records(run: Run, system: str) -> list[BodyRecord]:
    """What was typed into a system, in order. Raises GoassistError for a line that is no such record."""
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True)
    found: list[BodyRecord] = []
    for number, line in enumerate(run.lines(system), 1):
        try:
            found.append(converter.structure(json.loads(line), BodyRecord))
        except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
            raise GoassistError(
                f"line {number} is no record of a typed body ({type(error).__name__})",
                path=str(run.path(system)),
                cure="Delete the file: its bodies are then typed again",
            ) from error
    return found


def figures(run: Run) -> dict[tuple[str, float], dict[str, Any]]:
    """What a run measured, by system and interval (ms)."""
    found: dict[tuple[str, float], dict[str, Any]] = {}
    for system in run.systems:
        bodies = records(run, system)
        for interval_ms in sorted({body.interval_ms for body in bodies}):
            found[system, interval_ms] = Replay([b for b in bodies if b.interval_ms == interval_ms]).figures()
    return found


def markdown(run: Run) -> str:
    """The table of a run, with what it leaves out, in Markdown."""
    found = figures(run)
    lines = [_COLUMNS, tuple("---" if n == 0 else "---:" for n in range(len(_COLUMNS))), *_rows(found)]
    text = "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    remarks = "\n".join(f"- {line}" for line in _remarks(found))
    return f"{text}\n\n{remarks}".strip()


def _nested(found: Mapping[tuple[str, float], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for (system, interval_ms), of in found.items():
        nested.setdefault(system, {})[f"{interval_ms:g}"] = of
    return nested


def _rows(found: Mapping[tuple[str, float], dict[str, Any]]) -> list[tuple[str, ...]]:
    return [_row(system, interval_ms, of) for (system, interval_ms), of in found.items()]


def _row(system: str, interval_ms: float, of: Mapping[str, Any]) -> tuple[str, ...]:
    ratios = (
        "characters_completed",
        "answered",
        "shown",
        "wrong_of_shown",
        "wrong_of_suggestions",
        "flicker_per_100_keys",
    )
    cpu_s, saved = of["cpu_s_per_100_keys"], of["time_saved_percent"]
    times = (of["answer_ms_p50"], of["answer_ms_p90"])
    return (
        *(system, f"{interval_ms:g}", str(of["bodies"]), str(of["keys"])),
        *(_ratio(of[name]) for name in ratios),
        "-" if cpu_s is None else f"{cpu_s:.1f}",
        *(f"> {interval_ms:g}" if of["keys"] and ms is None else milliseconds(ms) for ms in times),
        "-" if saved is None else f"{saved:+.1f} %",
        *(str(sum(of["errors"].values())), str(len(of["abandoned"]))),
    )


def _ratio(ratio: Mapping[str, Any]) -> str:
    if ratio["percent"] is None:
        return "-"
    interval = "" if ratio["low"] is None else f" [{ratio['low']:.0f}, {ratio['high']:.0f}]"
    return f"{ratio['percent']:.1f}{interval}"


def _remarks(found: Mapping[tuple[str, float], dict[str, Any]]) -> Iterator[str]:
    """What failed, by name: it counts in no figure. And what the machine did besides: that counts in all of them."""
    for (system, interval_ms), of in found.items():
        if of["others_cores"] is not None and of["others_cores"] > _DISTURBING_CORES:
            yield f"{system}, {interval_ms:g} ms: other processes used {of['others_cores']:.1f} cores meanwhile"
        for message, count in of["errors"].items():
            yield f"{system}, {interval_ms:g} ms: {count} keys answered by an error: {message.splitlines()[0][:200]}"
        for why, count in Counter(left["why"].splitlines()[0][:200] for left in of["abandoned"]).items():
            names = ", ".join(f"{b['module']} {b['function']}" for b in of["abandoned"] if b["why"].startswith(why))
            yield f"{system}, {interval_ms:g} ms: {count} bodies abandoned ({names}): {why}"
