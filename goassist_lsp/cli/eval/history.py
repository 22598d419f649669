"""`eval history`: a person's own git history as the test, and which model and settings would serve them best.

The grid is small: each model with three prompt budgets, and with the default budget once without type check. What is
recommended is decided by usefulness.py; nothing is ever set by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError, ModelError
from goassist_lsp.cli.bench_report import progress
from goassist_lsp.cli.eval.advice import Cell, show
from goassist_lsp.settings import Settings
from goassist_models.evaluate.commits import Repository
from goassist_models.evaluate.example import Answer, Example, System
from goassist_models.evaluate.history import History, HistoryCase, history_cases, judge_of, tree_before
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.scores import score
from goassist_models.registry import ModelFile, entries, resolve

BUDGETS_TOKENS = (384, 640, 1024)
_ANSWER_LIMIT_S = 300.0
_GIVE_UP_AFTER = 5


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    budgets = ", ".join(map(str, BUDGETS_TOKENS))
    parser = tasks.add_parser(
        "history",
        help="your own git history as the test: which model and settings serve you best",
        description=(
            "Takes out lines that recent commits added, asks for them in the tree as it was before, and says which "
            "model and settings saved most keys. Asked are each model with contextTokens "
            f"{budgets}, and with the default of {Settings().context_tokens} once without checkTypes. "
            "The repository is only read, nothing leaves the machine, and no setting is changed."
        ),
    )
    parser.add_argument("repo", type=Path, metavar="REPO", help="a git repository, or a directory in one")
    parser.add_argument("--limit", type=int, default=40, help="holes in all, two a commit at most (default 40)")
    parser.add_argument("--commits", type=int, default=200, help="how many commits to look at (default 200)")
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="registry name or GGUF path; may be given several times (default: all that have been downloaded)",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the choice of holes (default 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run is kept; the same one goes on with it")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was measured, 1 when nobody answered."""
    for name in ("limit", "commits"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} was given {getattr(args, name)}", cure="Give a number above 0")
    models = chosen_models(args.model)
    repository = Repository.open(args.repo)
    arguments = {
        "repository": str(args.repo.resolve()),
        "head": repository.head,
        "commits": args.commits,
        "limit": args.limit,
        "seed": args.seed,
    }
    name = f"history-{args.repo.resolve().name}-{repository.head[:12]}-{args.commits}-{args.limit}-{args.seed}"
    out = args.out or cache_dir() / "eval" / name
    the_run = Run.open(out, "history", arguments)
    cells = grid([model.name for model in models])
    with tempfile.TemporaryDirectory(prefix="goassist-history-") as folder:
        scratch = Path(folder).resolve()
        found = _cases(args, scratch)
        the_run = noted(the_run, found, cells)
        asyncio.run(_opened(the_run, found, cells, {model.name: str(model.path) for model in models}, scratch))
    return show(Run.read(out), as_json=args.json)


def chosen_models(named: Sequence[str] | None) -> list[ModelFile]:
    """Models that were named, or all that are there, the present default first.

    Raises ModelError when one cannot be had, or there is none.
    """
    if named:
        return list({model.path: model for model in map(resolve, named)}.values())
    found: dict[Path, ModelFile] = {}
    missing: ModelError | None = None
    for name in (None, *(entry.name for entry in entries())):
        try:
            model = resolve(name)
        except ModelError as error:
            missing = missing or error
            continue
        found.setdefault(model.path, model)
    if not found and missing is not None:
        raise missing
    return list(found.values())


def grid(models: Sequence[str]) -> list[Cell]:
    """What is asked, the defaults first: they are what the others are compared with."""
    default = Settings().context_tokens
    cells = [
        Cell(f"{model}, {tokens} tokens{'' if check else ', no check'}", model, tokens, check)
        for model in models
        for tokens, check in (
            (default, True),
            *((tokens, True) for tokens in BUDGETS_TOKENS if tokens != default),
            (default, False),
        )
    ]
    if len({cell.name for cell in cells}) < len(cells):
        raise ConfigError("two models have the same name", cure="Name GGUF files of different names")
    return cells


def noted(the_run: Run, found: History, cells: Sequence[Cell]) -> Run:
    """The run with what it asks: cases that are not among these any more are left out of the report."""
    return the_run.note(
        cases={one.case.key: {"commit": one.commit.sha, "subject": one.commit.subject} for one in found.cases},
        looked_at=found.looked_at,
        discarded={why: count for why, count in found.discarded.most_common() if count},
        cells=[cell.as_json() for cell in cells],
    )


def _cases(args: argparse.Namespace, scratch: Path) -> History:
    with progress.status("reading the history") as status:

        def tell(looked_at: int, kept: int) -> None:
            status.update(f"building trees of the history: {kept} cases of {looked_at} commits")

        return history_cases(args.repo, scratch, args.limit, args.seed, args.commits, tell)


async def _opened(the_run: Run, found: History, cells: Sequence[Cell], paths: Mapping[str, str], scratch: Path) -> None:
    from goassist_lsp.cli.eval.ours import OwnModels, Variant

    async with AsyncExitStack() as stack:
        own = OwnModels()
        stack.push_async_callback(own.close)
        asked = []
        for cell in cells:
            settings = {"context_tokens": cell.context_tokens, "check_types": cell.check_types}
            variant = Variant(cell.name, "all stages" if cell.check_types else "no type check", settings=settings)
            asked.append(await own.system(variant, paths[cell.model], cell.name))
        progress.print(f"{len(found.cases)} cases, each asked of {len(asked)} combinations", markup=False)
        await measure(the_run, found, asked, scratch, own.leave)


@dataclass(slots=True)
class _Asking:
    """A run under way: what there is of each system, and who has failed how often in a row."""

    run: Run
    asked: Sequence[System]
    done: dict[str, set[str]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    given_up: dict[str, str] = field(default_factory=dict)

    def missing(self, case: HistoryCase) -> list[System]:
        return [s for s in self.asked if case.case.key not in self.done[s.name] and s.name not in self.given_up]


async def measure(
    the_run: Run,
    found: History,
    asked: Sequence[System],
    scratch: Path,
    leave: Callable[[Path], Awaitable[None]],
) -> None:
    """Ask every system about every case that it has no example of yet; `leave` is told of trees that are done with.

    The judge compiles beside the systems, within one tree. Failures are asked again by the next run.
    """
    for system in asked:
        the_run = the_run.describe(system.name, system.about)
    asking = _Asking(the_run, asked, {system.name: _kept(the_run, system.name, found) for system in asked})
    groups = [list(group) for _, group in groupby(found.cases, key=lambda one: (one.commit.sha, one.change.new))]
    with progress.status("") as status, ThreadPoolExecutor(1, "judge") as judging:
        count = 0
        for number, group in enumerate(groups):
            left = {one.case.key: asking.missing(one) for one in group}
            count += sum(not systems for systems in left.values())
            if not any(left.values()):
                continue
            with tree_before(found.repository, group[0], scratch / str(number)) as module:
                judge = await asyncio.to_thread(judge_of, module, group[0].case.file)
                judged = []
                for one in group:
                    count += bool(left[one.case.key])
                    for system in left[one.case.key]:
                        if system.name in asking.given_up:
                            continue
                        status.update(
                            f"{count} of {len(found.cases)}: {system.name}: {one.case.kind} in {one.case.file}"
                        )
                        example = Example(one.case, system.name, await _ask(asking, system, one, module))
                        judged.append(judging.submit(_keep, asking.run, judge, one, module, example))
                for future in judged:
                    await asyncio.wrap_future(future)
                await leave(module)
    asking.run.note(given_up=asking.given_up)


def _kept(the_run: Run, system: str, found: History) -> set[str]:
    """Keys of the answers that the run has; failures are asked again."""
    cases = {one.case.key for one in found.cases}
    kept = [e for e in the_run.examples(system) if e.case.key in cases and e.answer and not e.answer.error]
    the_run.rewrite(system, kept)
    return {example.case.key for example in kept}


def _keep(the_run: Run, judge: CompileJudge, one: HistoryCase, module: Path, example: Example) -> None:
    assert example.answer is not None
    the_run.append(replace(example, scores=score(one.case, one.question(module), example.answer, judge)))


async def _ask(asking: _Asking, system: System, one: HistoryCase, module: Path) -> Answer:
    """Ask one system; a failure is an answer that says so, and too many of them end its part."""
    try:
        await system.open(module)
        await system.forget()
        answer = await asyncio.wait_for(system.ask(one.question(module)), _ANSWER_LIMIT_S)
    except TimeoutError:
        answer = Answer(error=f"no answer within {_ANSWER_LIMIT_S:.0f} s", ms=_ANSWER_LIMIT_S * 1e3)
    except GoassistError as error:
        answer = Answer(error=str(error))
    asking.failures[system.name] = asking.failures.get(system.name, 0) + 1 if answer.error else 0
    if asking.failures[system.name] >= _GIVE_UP_AFTER:
        asking.given_up[system.name] = answer.error
        told = f"{system.name}: gave up after {_GIVE_UP_AFTER} failures in a row; the last: {answer.error}"
        progress.print(told, style="red", markup=False)
    return answer
