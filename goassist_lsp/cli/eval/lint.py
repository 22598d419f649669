"""`eval lint`: what go vet, staticcheck, errcheck and idiom measures say of a finished run's accepted text."""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_report import print_json, progress, table
from goassist_models.evaluate.analyzers import available
from goassist_models.evaluate.lint import lint
from goassist_models.evaluate.modules import named_module, prepare
from goassist_models.evaluate.runs import Run

_FINDINGS = "lint.json"
_COLUMNS = ("system", "analyzer", "lines", "findings", "per 100 lines [95 %]", "author's findings", "author's per 100")
_CHECK_COLUMNS = ("system", "analyzer", "check", "findings", "author's", "per 100 lines", "author's per 100")


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("lint", help="analyzers' findings on the accepted lines of a finished infill run")
    parser.add_argument("directory", type=Path, metavar="RUN_DIR", help="the --out of an `eval infill`")
    parser.add_argument(
        "--system", action="append", metavar="NAME", help="look at this one; may be given several times (default: all)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the findings go (default: lint in RUN_DIR)")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of tables")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when lines were looked at, 1 when there was no accepted line that could be."""
    source = Run.read(args.directory)
    if source.header["task"] != "infill":
        raise GoassistError(
            f"it holds a run of {source.header['task']!r}", path=str(args.directory), cure="Name an infill run's --out"
        )
    if source.header["arguments"].get("needs_import"):
        raise GoassistError("holes without their imports cannot be put together", path=str(args.directory))
    systems = args.system or list(source.systems)
    if unknown := [system for system in systems if system not in source.systems]:
        raise GoassistError(
            f"the run has no system {unknown[0]!r}",
            path=str(args.directory),
            cure=f"Name one of {', '.join(source.systems)}",
        )
    more = "".join(f"-{re.sub(r'[^A-Za-z0-9._-]+', '_', system)}" for system in args.system or ())
    out = args.out or args.directory / f"lint{more}"
    arguments = {"run": source.header["arguments"], "systems": systems}
    the_run = Run.open(out, "lint", arguments)
    found = _found(source, systems)
    _write(the_run, found)
    if args.json:
        print_json({"task": "lint", "run": str(out), **{k: v for k, v in found.items() if k != "findings"}})
    else:
        table("Findings on accepted lines, and on the author's at the same holes", _COLUMNS, _rows(found))
        table("By check", _CHECK_COLUMNS, _check_rows(found))
        for line in _remarks(found):
            print(line)
        print(f"each finding: {out / _FINDINGS}")
    return 0 if any(row[2] != "0" for row in _rows(found)) else 1


def _found(source: Run, systems: list[str]) -> dict[str, Any]:
    cache = cache_dir()
    with progress.status("") as status, tempfile.TemporaryDirectory(prefix="goassist-lint-") as scratch:
        analyzers, missing = available(cache, status.update)
        report = lint(
            {system: source.examples(system) for system in systems},
            lambda module: prepare(named_module(module), cache),
            analyzers,
            Path(scratch).resolve(),
            status.update,
        )
    return {"missing_analyzers": missing, **report.as_json(systems, analyzers)}


def _write(run: Run, found: Mapping[str, Any]) -> None:
    path = run.directory / _FINDINGS
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def markdown(run: Run) -> str:
    """The tables of a run, for the page of results. Raises GoassistError when nothing was analyzed in it."""
    path = run.directory / _FINDINGS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GoassistError("nothing was analyzed in this run", path=str(path), cure="Run `eval lint` first") from error
    remarks = "\n".join(f"- {line}" for line in _remarks(found))
    return f"{_markdown(_COLUMNS, _rows(found), 2)}\n\n{_markdown(_CHECK_COLUMNS, _check_rows(found), 3)}\n\n{remarks}"


def _markdown(columns: tuple[str, ...], rows: list[tuple[str, ...]], names: int) -> str:
    lines = [columns, tuple("---" if n < names else "---:" for n in range(len(columns))), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _sides(found: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    for system, of in found["systems"].items():
        for analyzer, sides in of["analyzers"].items():
            yield system, analyzer, sides["accepted"], sides["author"]


def _rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            *(system, analyzer, str(accepted["lines"]), str(accepted["findings"])),
            *(_rate(accepted), str(author["findings"]), _rate(author)),
        )
        for system, analyzer, accepted, author in _sides(found)
    ]


def _rate(side: Mapping[str, Any]) -> str:
    if side["per_100_lines"] is None:
        return "-"
    interval = "" if side["low"] is None else f" [{side['low']:.1f}, {side['high']:.1f}]"
    return f"{side['per_100_lines']:.1f}{interval}"


def _check_rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            *(system, analyzer, check),
            *(str(side["checks"].get(check, 0)) for side in (accepted, author)),
            *(f"{100 * side['checks'].get(check, 0) / side['lines']:.2f}" for side in (accepted, author)),
        )
        for system, analyzer, accepted, author in _sides(found)
        for check in sorted(accepted["checks"].keys() | author["checks"].keys())
    ]


def _remarks(found: Mapping[str, Any]) -> Iterator[str]:
    """What is left out, by name: it counts in no figure."""
    for system, of in found["systems"].items():
        yield f"{system}: {of['accepted']} accepted texts that compile, {of['together']} of them put together"
        for why, count in of["dropped"].items():
            yield f"{system}: {count} left out: {why}"
    for analyzer, why in found["missing_analyzers"].items():
        yield f"not measured: {analyzer}: {why}"
    for failure in found["failures"]:
        place = " ".join(failure[name] for name in ("module", "package") if failure[name])
        text = f"with the text of {failure['system']}" if failure["system"] else "as its author left it"
        yield f"failed, and counted nowhere: {failure['analyzer'] or 'module'} on {place}, {text}: {failure['why']}"
