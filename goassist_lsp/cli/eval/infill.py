"""`eval infill`: holes in recent functions of real modules, asked of ourselves and others, judged by the compiler."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_index.gotools import download_module
from goassist_lsp.cli.bench_report import chosen_modules, open_module, progress
from goassist_lsp.cli.eval import report, systems
from goassist_models.evaluate.example import Answer, Case, Example, System
from goassist_models.evaluate.ghost import (
    GHOST_KINDS,
    ImportNeed,
    infill_cases,
    question,
    share_out,
    signatures,
    taken_out,
)
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.modules import ModuleSpec
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.scores import score
from goassist_models.evaluate.slices import SLICES

_ANSWER_LIMIT_S = 300.0
_GIVE_UP_AFTER = 5
_NOT_MEASURED = "{name}: gave up after {count} failures in a row; the last: {error}"


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("infill", help="holes in recent functions of real modules, judged by the Go compiler")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list's set")
    parser.add_argument(
        "--set", dest="subset", choices=("dev", "test"), default="test", help="which half of the pinned list"
    )
    parser.add_argument("--limit", type=int, default=160, help="holes in all, a quarter of each kind (default 160)")
    parser.add_argument(
        "--needs-import",
        nargs="?",
        const="any",
        choices=("any", "named"),
        help="only holes that need an import which nothing else in the file needs; named: the package's name is typed",
    )
    parser.add_argument("--slice", action="append", choices=SLICES, help="only holes in this slice (repeatable)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the choice of holes (default 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run is kept; the same one goes on with it")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of tables")
    systems.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was measured, 1 when there was no hole to ask about."""
    report.need_libraries()
    specs = chosen_modules(args.modules, lambda spec: spec.split == args.subset)
    arguments: dict[str, object] = {"modules": [spec.name for spec in specs], "limit": args.limit, "seed": args.seed}
    more = ""
    if args.needs_import is not None:
        arguments["needs_import"], more = args.needs_import, f"-needs-import-{args.needs_import}"
    if args.slice:
        arguments["slices"], more = args.slice, f"{more}-{'-'.join(args.slice)}"
    out = args.out or cache_dir() / "eval" / f"infill-{args.subset}-{args.limit}-{args.seed}{more}"
    the_run = Run.open(out, "infill", arguments)
    work, failed = module_work(specs, args.limit, args.seed, needs_import=args.needs_import, slices=args.slice or ())
    the_run = the_run.note(failed_modules=failed)
    with tempfile.TemporaryDirectory(prefix="goassist-eval-") as scratch:
        inquiry = Inquiry(the_run, Path(scratch).resolve())
        asyncio.run(_opened(inquiry, work, args))
    return _report(Run.read(out), inquiry, as_json=args.json)


def markdown(run: Run) -> str:
    """The run's tables, for the page of results."""
    from goassist_models.evaluate.report import tables

    return tables.markdown(run)


def _report(run: Run, inquiry: Inquiry, *, as_json: bool) -> int:
    if not any(run.examples(system) for system in run.systems):
        progress.print("nothing was asked: no module could be had, or no hole was found in any", style="red")
        return 1
    report.publish(run, run.directory / "report.html", as_json=as_json)
    judge = f"the judge worked {inquiry.judged_s:.0f} s beside the systems, and was waited for {inquiry.waited_s:.0f} s"
    progress.print(judge, markup=False)
    return 0


@dataclass(frozen=True, slots=True)
class ModuleWork:
    """The cases of one module, and who judges them."""

    name: str
    judge: CompileJudge
    cases: list[Case]


def module_work(
    specs: Sequence[ModuleSpec],
    limit: int,
    seed: int,
    *,
    needs_import: ImportNeed | None = None,
    slices: Sequence[str] = (),
) -> tuple[list[ModuleWork], list[dict[str, str]]]:
    """Cases of each module; modules that cannot be had are named, and the others go on without them."""
    failed: list[dict[str, str]] = []
    work: list[ModuleWork] = []
    shares = share_out(limit, [spec.name for spec in specs])
    for spec in specs:
        try:
            with progress.status(f"{spec.name}: fetching and building"):
                _, judge = open_module(spec)
                older = signatures(download_module(spec.path, spec.older)) if spec.older else frozenset()
                cases = infill_cases(
                    judge, spec.name, shares[spec.name], seed, older, needs_import=needs_import, slices=slices
                )
                work.append(ModuleWork(spec.name, judge, cases))
        except GoassistError as error:
            progress.print(f"left out: {error}", style="red", markup=False)
            failed.append({"module": spec.name, "why": str(error)})
    return work, failed


@dataclass(slots=True)
class Inquiry:
    """One run under way: who has been asked what, and what is being judged meanwhile."""

    run: Run
    scratch: Path
    judging: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "judge"))
    pending: list[Future[None]] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    given_up: dict[str, str] = field(default_factory=dict)
    copies: dict[str, Path] = field(default_factory=dict)
    judged_s: float = 0.0
    waited_s: float = 0.0

    def copy_of(self, module: ModuleWork) -> Path:
        """The module's scratch copy, which the systems see."""
        root = self.scratch / f"{len(self.copies)}" if module.name not in self.copies else self.copies[module.name]
        if module.name not in self.copies:
            shutil.copytree(module.judge.directory, root, ignore=shutil.ignore_patterns(".git"))
            self.copies[module.name] = root
        return root

    def judge(self, judge: CompileJudge, example: Example) -> None:
        """Score and keep an answered example, beside whatever is asked next."""
        self.pending.append(self.judging.submit(self._score, judge, example))

    def _score(self, judge: CompileJudge, example: Example) -> None:
        assert example.answer is not None
        begun = time.perf_counter()
        asked = question(example.case, judge.directory)
        self.run.append(replace(example, scores=score(example.case, asked, example.answer, judge)))
        self.judged_s += time.perf_counter() - begun

    def finish(self) -> None:
        """Wait for the judge; what it raised is raised here."""
        begun = time.perf_counter()
        for future in self.pending:
            future.result()
        self.waited_s = time.perf_counter() - begun
        self.judging.shutdown()


async def _opened(inquiry: Inquiry, work: Sequence[ModuleWork], args: argparse.Namespace) -> None:
    async with systems.opened(args) as asked:
        await measure(inquiry, work, asked)


async def measure(inquiry: Inquiry, work: Sequence[ModuleWork], asked: Sequence[System]) -> None:
    """Ask every system about every case that it has no example of yet, a few cases of a module at a time."""
    for system in asked:
        inquiry.run = inquiry.run.describe(system.name, system.about)
    done = {s.name: _kept(inquiry.run, s.name, work) for s in asked}
    total = sum(len(module.cases) for module in work)
    with progress.status("") as status:
        for number, (module, case) in enumerate(_in_turn(work), 1):
            for system in asked:
                if case.key in done[system.name] or system.name in inquiry.given_up:
                    continue
                status.update(f"{number} of {total}: {system.name}: {case.kind} in {case.module} {case.function}")
                root = inquiry.copy_of(module)
                with taken_out(case, root):
                    answer = await _ask(inquiry, system, case, root)
                inquiry.judge(module.judge, Example(case, system.name, answer))
    await asyncio.to_thread(inquiry.finish)
    inquiry.run = inquiry.run.note(given_up=inquiry.given_up)


def _in_turn(work: Sequence[ModuleWork]) -> Iterator[tuple[ModuleWork, Case]]:
    """Cases of all modules, one of each kind in turn: a run that is stopped early has some of each."""
    for row in zip_longest(*(_rounds(module.cases) for module in work)):
        for module, one_of_each in zip(work, row, strict=True):
            yield from ((module, case) for case in one_of_each or ())


def _rounds(cases: Sequence[Case]) -> list[list[Case]]:
    by_kind = [[case for case in cases if case.kind == kind] for kind in GHOST_KINDS]
    return [[case for case in row if case is not None] for row in zip_longest(*by_kind)]


def _kept(run: Run, system: str, work: Sequence[ModuleWork]) -> set[str]:
    """Keys of the examples that a run has already, the cases in them as they are described now.

    Those of cases that are not chosen any more are left out of the run; failures are asked again.
    """
    cases = {case.key: case for module in work for case in module.cases}
    found = [e for e in run.examples(system) if e.case.key in cases and e.answer and not e.answer.error]
    run.rewrite(system, [replace(example, case=cases[example.case.key]) for example in found])
    return {example.case.key for example in found}


async def _ask(inquiry: Inquiry, system: System, case: Case, root: Path) -> Answer:
    """Ask one system; a failure is an answer that says so, and too many of them end its part."""
    try:
        await system.open(root)
        await system.forget()
        answer = await asyncio.wait_for(system.ask(question(case, root)), _ANSWER_LIMIT_S)
    except TimeoutError:
        answer = Answer(error=f"no answer within {_ANSWER_LIMIT_S:.0f} s", ms=_ANSWER_LIMIT_S * 1e3)
    except GoassistError as error:
        answer = Answer(error=str(error))
    failures = inquiry.failures.get(system.name, 0) + 1 if answer.error else 0
    inquiry.failures[system.name] = failures
    if failures >= _GIVE_UP_AFTER:
        inquiry.given_up[system.name] = answer.error
        message = _NOT_MEASURED.format(name=system.name, count=failures, error=answer.error)
        progress.print(message, style="red", markup=False)
    return answer
