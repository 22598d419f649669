"""`bench verdicts`: the type service asked about real code put back, and about the same with one fault.

Cases come from goassist_models.evaluate.cases, confirmed by the compiler; all are made before the first is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_index.typeservice import TypeService
from goassist_index.verdict import Verdict
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
from goassist_lsp.cli.check import LOADING_LIMIT_S
from goassist_models.evaluate.cases import Case, make_cases, read_cases, write_cases
from goassist_models.evaluate.faults import FAULTS
from goassist_models.evaluate.metrics import Share, percentile
from goassist_models.evaluate.modules import ModuleSpec


@dataclass(slots=True)
class _Tally:
    """What was measured of one module (or of all)."""

    name: str
    good: Share = field(default_factory=Share)
    broken: Share = field(default_factory=Share)
    faults: dict[str, Share] = field(default_factory=lambda: {kind: Share() for kind in FAULTS})
    pieces: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))
    unknown: int = 0
    client_ms: list[float] = field(default_factory=list)
    service_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)

    def add(self, case: Case, verdict: Verdict, client_ms: float) -> bool:
        """Count one case; returns whether the verdict was right."""
        right = verdict.status == ("ok" if case.good else "error")
        if case.good:
            self.good.add(right)
            self.pieces[case.piece].add(right)
        else:
            self.broken.add(right)
            self.faults[case.fault].add(right)
        self.unknown += verdict.status == "unknown"
        self.client_ms.append(client_ms)
        self.service_ms.append(verdict.ms)
        return right

    def as_json(self) -> dict[str, Any]:
        """All counts and percentiles as one JSON object."""
        return {
            "module": self.name,
            "good": self.good.as_json(),
            "good_by_piece": {piece: share.as_json() for piece, share in self.pieces.items()},
            "broken": self.broken.as_json(),
            "broken_by_fault": {kind: share.as_json() for kind, share in self.faults.items()},
            "unknown": self.unknown,
            "check_ms": {
                "client_p50": percentile(self.client_ms, 50),
                "client_p95": percentile(self.client_ms, 95),
                "service_p50": percentile(self.service_ms, 50),
                "service_p95": percentile(self.service_ms, 95),
            },
            "first_check_of_a_package_ms": {
                "n": len(self.first_ms),
                "p50": percentile(self.first_ms, 50),
                "max": max(self.first_ms, default=None),
            },
        }


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("verdicts", help="right and wrong verdicts of the type service on real modules")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list")
    parser.add_argument("--limit", type=int, default=50, help="good and broken cases, each, a module (default 50)")
    parser.add_argument("--cases", type=Path, metavar="FILE", help="write every case to this JSONL file")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="take the cases of --cases instead of making any"
    )
    parser.add_argument("--wrong", type=Path, metavar="FILE", help="write wrong verdicts to this JSONL file")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was measured, 1 when no module could be."""
    failed: list[dict[str, str]] = []
    discarded: Counter[str] = Counter()
    refused: list[str] = []
    if args.source is not None:
        cases = [(_root_of(case), case) for case in read_cases(args.source)]
    else:
        cases = []
        for spec in chosen_modules(args.modules, lambda s: s.verdicts):
            try:
                cases.extend(_made(spec, args, discarded, refused))
            except GoassistError as error:
                progress.print(f"left out: {error}", style="red", markup=False)
                failed.append({"module": spec.name, "why": str(error)})
    if args.cases is not None:
        write_cases(args.cases, (case for _, case in cases))
    tallies, wrong = asyncio.run(_measure(cases, failed))
    wrong_path = args.wrong or cache_dir() / "bench" / "verdicts-wrong.jsonl"
    write_lines(wrong_path, wrong)
    total = _sum(tallies)
    if args.json:
        print_json(
            {
                "bench": "verdicts",
                "seed": args.seed,
                "limit": args.limit,
                "total": total.as_json(),
                "modules": [tally.as_json() for tally in tallies],
                "failed_modules": failed,
                "packages_that_do_not_compile": refused,
                "discarded_proposals": dict(sorted(discarded.items())),
                "wrong": str(wrong_path),
            }
        )
    else:
        _print(tallies, total, failed, discarded, refused)
        print(f"{len(wrong)} wrong verdicts, each with its place and texts: {wrong_path}")
    return 0 if total.good.total + total.broken.total else 1


def _made(
    spec: ModuleSpec, args: argparse.Namespace, discarded: Counter[str], refused: list[str]
) -> list[tuple[Path, Case]]:
    with progress.status(f"{spec.name}: fetching and building") as status:
        started = time.monotonic()
        directory, judge = open_module(spec)
        ready_s = time.monotonic() - started
        made = make_cases(
            judge,
            spec.name,
            args.limit,
            args.seed,
            lambda n: status.update(f"{spec.name}: {n} cases confirmed by the compiler"),
        )
    discarded.update(made.discarded)
    refused.extend(made.refused_packages)
    made_s = time.monotonic() - started - ready_s
    progress.print(f"{spec.name}: ready in {ready_s:.0f} s, {len(made.cases)} cases in {made_s:.0f} s")
    return [(directory, case) for case in made.cases]


def _root_of(case: Case) -> Path:
    for parent in Path(case.file).parents:
        if (parent / "go.mod").is_file():
            return parent
    raise GoassistError("no go.mod above it", path=case.file, cure="Make the cases anew, without --from")


async def _measure(
    cases: list[tuple[Path, Case]], failed: list[dict[str, str]]
) -> tuple[list[_Tally], list[dict[str, Any]]]:
    by_root: dict[Path, list[Case]] = defaultdict(list)
    for root, case in cases:
        by_root[root].append(case)
    tallies: list[_Tally] = []
    wrong: list[dict[str, Any]] = []
    for root, of_module in by_root.items():
        tally = _Tally(of_module[0].module)
        try:
            with progress.status(f"{tally.name}: checking"):
                await _measure_module(root, of_module, tally, wrong)
        except GoassistError as error:
            progress.print(f"broken off: {error}", style="red", markup=False)
            failed.append({"module": tally.name, "why": str(error)})
            # What was not answered is not right either.
            for case in of_module[tally.good.total + tally.broken.total :]:
                tally.add(case, Verdict("unknown", reason=str(error)), 0.0)
        tallies.append(tally)
    return tallies, wrong


async def _measure_module(root: Path, cases: list[Case], tally: _Tally, wrong: list[dict[str, Any]]) -> None:
    service = await TypeService.start(root, cache_dir=cache_dir())
    try:
        loaded: set[Path] = set()
        for case in cases:
            path = Path(case.file)
            if path.parent not in loaded:
                # As in an editor: the package is loaded when its first file is opened, before anything is asked.
                loaded.add(path.parent)
                _, first_ms = await _ask(service, path, case)
                tally.first_ms.append(first_ms)
            verdict, client_ms = await _ask(service, path, case)
            if not tally.add(case, verdict, client_ms):
                wrong.append(_reproduction(case, verdict))
    finally:
        await service.aclose()


async def _ask(service: TypeService, path: Path, case: Case) -> tuple[Verdict, float]:
    """Ask about one case as an editor would: the open buffer lacks the piece, the insert stands in the hole."""
    source = path.read_bytes()
    buffer = (source[: case.offset] + source[case.end :]).decode("utf-8")
    started = time.perf_counter()
    # No imports are looked for: what one would cure is a fault of the text as the file stands.
    (verdict,) = await service.check(
        path, buffer, case.offset, case.offset, (case.insert,), loading_limit_s=LOADING_LIMIT_S
    )
    return verdict, (time.perf_counter() - started) * 1000


def _reproduction(case: Case, verdict: Verdict) -> dict[str, Any]:
    return {
        **asdict(case),
        "should_be": "ok" if case.good else "error",
        "status": verdict.status,
        "reason": verdict.reason,
        "errors": [asdict(error) for error in verdict.errors],
        "unfinished": [asdict(item) for item in verdict.unfinished],
        "missing_imports": list(verdict.missing_imports),
    }


def _sum(tallies: list[_Tally]) -> _Tally:
    total = _Tally("all")
    for tally in tallies:
        pairs = [(total.good, tally.good), (total.broken, tally.broken)]
        pairs += [(total.faults[kind], tally.faults[kind]) for kind in FAULTS]
        pairs += [(total.pieces[piece], share) for piece, share in tally.pieces.items()]
        for into, share in pairs:
            into.hits += share.hits
            into.total += share.total
        total.unknown += tally.unknown
        total.client_ms += tally.client_ms
        total.service_ms += tally.service_ms
        total.first_ms += tally.first_ms
    return total


def _print(
    tallies: list[_Tally],
    total: _Tally,
    failed: list[dict[str, str]],
    discarded: Counter[str],
    refused: list[str],
) -> None:
    columns = ("module", "good right", "broken right", "unknown", "p50 ms", "p95 ms", "service p50", "p95", "first max")
    rows = []
    for tally in (*tallies, total):
        client = [milliseconds(percentile(tally.client_ms, p)) for p in (50, 95)]
        service = [milliseconds(percentile(tally.service_ms, p)) for p in (50, 95)]
        first = milliseconds(max(tally.first_ms, default=None))
        rows.append((tally.name, tally.good, tally.broken, tally.unknown, *client, *service, first))
    table("Verdicts of the type service (unknown counts as wrong)", columns, rows)
    kinds = [(f"good: {piece}", share) for piece, share in sorted(total.pieces.items())]
    table("By kind", ("kind", "right"), [*kinds, *((f"fault: {k}", s) for k, s in total.faults.items())])
    for why, count in sorted(discarded.items()):
        print(f"proposals not used: {why}: {count}")
    for package in refused:
        print(f"not used, for it does not compile as it is: {package}")
    for failure in failed:
        print(f"not measured: {failure['module']}: {failure['why']}")
