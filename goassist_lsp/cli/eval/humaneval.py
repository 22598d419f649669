"""`eval humaneval-x`: bodies of functions from their documentation, tested; by the pipeline that the editor calls.

Each problem is asked in four modes that share what was drawn from the model: "raw", its text up to the brace that
closes the function; "unchecked", all of the pipeline but the types; "checked", that with the type check, and with what
fails it cut back, silence included; "repaired", all of it: names held in decoding, fixes and repairs too.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import CheckerUnavailable, ConfigError, GoassistError
from goassist_lsp.app import llama_settings, load_engine
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.bench_report import print_json, progress
from goassist_lsp.cli.eval.ours import as_answer
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Options, Settings, resolve
from goassist_lsp.stages import Stages
from goassist_lsp.types import DocumentSnapshot
from goassist_models.engine import CancelToken, Engine, EngineOver, GenerateRequest, Generation
from goassist_models.evaluate import humaneval
from goassist_models.evaluate.example import Answer
from goassist_models.evaluate.humaneval import Judgement, Problem
from goassist_models.evaluate.report.humaneval import (
    GREEDY,
    SAMPLED,
    SILENT,
    Asked,
    Attempt,
    as_json,
    line,
    markdown,
    records,
)
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.sandbox import protection

__all__ = ["Draws", "markdown", "register", "run"]

# What an editor asks for is shorter: here a whole body has to fit, and the longest prompt.
_MAX_TOKENS = 384
_CONTEXT_TOKENS = 1536
_LOADING_LIMIT_S = 180.0
_RAW_STAGES = Stages(trim=False, filters=False, cut_back=False, second_draw=False)


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to run the pipeline on a problem."""

    name: str
    about: str
    stages: Stages
    check: bool


MODES = (
    Mode("raw", "the model's text, cut at the brace that closes the function", _RAW_STAGES, check=False),
    Mode("unchecked", "all stages but the type check", Stages(), check=False),
    Mode("checked", "types check and cut back", Stages(names=False, fixes=False, repair=False), check=True),
    Mode("repaired", "all stages", Stages(), check=True),
)


def register(tasks: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the task to `eval`."""
    parser = tasks.add_parser("humaneval-x", help="function bodies from their documentation, tested in a sandbox")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help=f"the benchmark's humaneval_go.jsonl.gz (default: {humaneval.DATA_VARIABLE})",
    )
    parser.add_argument("--model", action="append", metavar="NAME", help="registry name or GGUF path; several times")
    parser.add_argument("--samples", type=int, default=5, metavar="N", help="sampled answers a problem, 0 for none")
    parser.add_argument("--temperature", type=float, default=0.6, metavar="T", help="of the samples (default 0.6)")
    parser.add_argument("--limit", type=int, metavar="N", help="only so many problems, chosen by the seed")
    parser.add_argument("--seed", type=int, default=1, help="of samples and choice (default 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run is kept; the same one goes on with it")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of the table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when every problem was asked and judged, 1 when some were left out."""
    if args.samples < 0 or args.temperature <= 0:
        raise ConfigError("--samples must not be negative, --temperature must be above 0")
    path = humaneval.data_file(args.data)
    problems = humaneval.chosen(humaneval.read_problems(path), args.limit, args.seed)
    arguments = {
        "data": f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}",
        "samples": args.samples,
        "temperature": args.temperature,
        "limit": args.limit,
        "seed": args.seed,
    }
    out = args.out or cache_dir() / "eval" / f"humaneval-x-{args.limit or 'all'}-{args.samples}-{args.seed}"
    the_run = Run.open(out, "humaneval-x", arguments).note(sandbox=protection())
    module = humaneval.prepare(cache_dir(), problems)
    plan = ((GREEDY, 1, 0.0), *(((SAMPLED, args.samples, args.temperature),) if args.samples else ()))
    for model in args.model or [""]:
        the_run = asyncio.run(_measure(the_run, problems, module, plan, model, args.seed))
    print_json(as_json(the_run)) if args.json else print(markdown(the_run))
    return int(any(asked.error for system in the_run.systems for asked in records(the_run, system).values()))


async def _measure(
    the_run: Run,
    problems: Sequence[Problem],
    module: Path,
    plan: Sequence[tuple[str, int, float]],
    model: str,
    seed: int,
) -> Run:
    """Ask one model about all problems that the run has no answer of yet, and judge beside. Returns the run."""
    settings = resolve(Options(max_tokens_block=_MAX_TOKENS, context_tokens=_CONTEXT_TOKENS))[0]
    settings = replace(settings, model=model) if model else settings
    engine = await _engine(settings, max(n for _, n, _ in plan))
    checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
    systems = {mode: f"{engine.model_name} {mode.name}" for mode in MODES}
    for mode, system in systems.items():
        about = {"model": engine.model_name, "mode": mode.about, "form": settings.infill_form}
        the_run = the_run.describe(system, about)
    done = {mode: {key for key, a in records(the_run, s).items() if not a.error} for mode, s in systems.items()}
    with tempfile.TemporaryDirectory(prefix="goassist-eval-") as scratch, progress.status("") as status:
        asking = _Asking(engine, checker, settings, Path(scratch).resolve())
        judging = _Judging(the_run, module)
        try:
            await asking.begin(problems)
            for number, problem in enumerate(problems, 1):
                for drawn, n, temperature in plan:
                    missing = [mode for mode in MODES if (problem.name, drawn) not in done[mode]]
                    draws = Draws(engine, n, temperature, seed + zlib.crc32(problem.name.encode()))
                    for mode in missing:
                        status.update(f"{number} of {len(problems)}: {systems[mode]}: {problem.name}, {drawn}")
                        try:
                            answers = [await asking.ask(problem, mode, draws.turn(index)) for index in range(n)]
                        except GoassistError as error:
                            judging.failed(systems[mode], Asked(problem.name, drawn, error=str(error)))
                        else:
                            judging.judge(systems[mode], problem, drawn, mode, answers)
            await asyncio.to_thread(judging.finish)
        finally:
            judging.stop()
            await checker.close()
            await engine.close()
    progress.print(judging.told(), markup=False)
    return the_run


async def _engine(settings: Settings, sequences: int) -> Engine:
    """The engine that the editor has, with room for all samples of a problem at once."""
    if settings.engine_url:
        return await load_engine(settings, lambda message, percent: None)
    from goassist_models import registry
    from goassist_models.engine.llama import LlamaEngine

    default = llama_settings(settings)
    path = registry.resolve(settings.model or None).path
    return await LlamaEngine.load(path, replace(default, sequences=max(default.sequences, sequences)))


@dataclass(slots=True)
class _Asking:
    """Asks the pipeline, each problem as a buffer in a package of its own below `root`."""

    engine: Engine
    checker: TypeChecker
    settings: Settings
    root: Path

    async def begin(self, problems: Sequence[Problem]) -> None:
        """Write the packages and start the type service."""
        (self.root / "go.mod").write_text("module humaneval\n\ngo 1.23\n")
        for problem in problems:
            path = self._path(problem)
            path.parent.mkdir()
            path.write_text(humaneval.opened(problem)[0], encoding="utf-8")
        await self.checker.set_folders((self.root,))

    def _path(self, problem: Problem) -> Path:
        return self.root / problem.slug / "main.go"

    async def ask(self, problem: Problem, mode: Mode, draws: Draws) -> Answer:
        """What the pipeline shows in that mode. Raises GoassistError when engine or checker break down."""
        text, offset = humaneval.opened(problem)
        path = self._path(problem)
        snapshot = DocumentSnapshot(path.as_uri(), path, 1, text)
        settings = replace(self.settings, check_types=mode.check)
        pipeline = CompletionPipeline(draws, self.checker if mode.check else None, settings, mode.stages)
        begun_s = time.perf_counter()
        completion = await pipeline.complete(snapshot, offset, CancelToken())
        answer = as_answer(completion, (time.perf_counter() - begun_s) * 1e3, None)
        if completion.degraded:
            raise CheckerUnavailable("the type service does not answer", path=problem.name)
        return answer


class Draws(EngineOver):
    """What was drawn once for a problem, said again to each mode. Implements the Engine protocol over another.

    A greedy request gets the drawn answer whose turn it is, cut where that request would have stopped it: so modes
    differ in what the pipeline does, not in luck. A second draw goes to the engine, other samples with other seeds.
    """

    def __init__(self, engine: Engine, n: int, temperature: float, seed: int) -> None:
        super().__init__(engine)
        self._n = n
        self._temperature = temperature
        self._seed = seed
        self._turn = 0
        self._asked: GenerateRequest | None = None
        self._drawn: list[Generation] = []

    def turn(self, index: int) -> Draws:
        """Answer with the drawn answer of that index from now on."""
        self._turn = index
        return self

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """The answer whose turn it is, drawn with the others when first asked for."""
        if request.temperature > 0:
            return await self._engine.generate(replace(request, seed=request.seed + 1000 * self._turn), cancel)
        wanted = replace(request, n=1, until=None)
        if wanted != self._asked:
            self._drawn = await self._draw(request, cancel)
            self._asked = wanted
        return (_stopped(self._drawn[self._turn], request.until),)

    async def _draw(self, request: GenerateRequest, cancel: CancelToken) -> list[Generation]:
        drawn: list[Generation] = []
        while len(drawn) < self._n:  # an engine gives as many at once as it has room for
            seed = self._seed + len(drawn)
            wanted = replace(request, n=self._n - len(drawn), temperature=self._temperature, seed=seed, until=_over)
            more = await self._engine.generate(wanted, cancel)
            if not more:
                raise GoassistError("the engine answers with nothing", path=self.model_name)
            drawn += more
        return drawn

    async def close(self) -> None:
        """Leave the engine to its owner."""


def _over(text: str) -> bool:
    return humaneval.end_of_function(text) is not None


def _stopped(generation: Generation, until: Callable[[str], bool] | None) -> Generation:
    """The generation as if `until` had been asked after each character; once it is true, it stays so."""
    text = generation.text
    if until is None or not until(text):
        return generation
    low, high = 0, len(text)  # the shortest beginning for which it holds is in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if until(text[:middle]) else (middle, high)
    return replace(generation, text=text[:high], finish_reason="stop")


@dataclass(slots=True)
class _Judging:
    """Judges answers in a thread of its own, beside what is asked next, and keeps the records."""

    run: Run
    module: Path
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "judge"))
    pending: list[Future[None]] = field(default_factory=list)
    known: dict[tuple[str, str], Judgement] = field(default_factory=dict)

    def judge(self, system: str, problem: Problem, drawn: str, mode: Mode, answers: Sequence[Answer]) -> None:
        """Take answers on; they are judged in turn."""
        self.pending.append(self.worker.submit(self._judge, system, problem, drawn, mode, answers))

    def failed(self, system: str, asked: Asked) -> None:
        """Record that a problem could not be asked."""
        progress.print(f"left out: {system}: {asked.problem}: {asked.error}", style="red", markup=False)
        self.pending.append(self.worker.submit(self.run.append_line, system, line(asked)))

    def finish(self) -> None:
        """Wait for the rest; what the judging raised beside GoassistError is raised here."""
        for future in self.pending:
            future.result()

    def stop(self) -> None:
        """End the thread; what has not begun is not judged any more."""
        self.worker.shutdown(cancel_futures=True)

    def told(self) -> str:
        """What the judging cost."""
        spent_s = sum(judgement.compile_s + judgement.run_s for judgement in self.known.values())
        return f"judged {len(self.known)} different bodies in {spent_s:.0f} s"

    def _judge(self, system: str, problem: Problem, drawn: str, mode: Mode, answers: Sequence[Answer]) -> None:
        try:
            asked = Asked(problem.name, drawn, tuple(self._attempt(problem, mode, answer) for answer in answers))
        except GoassistError as error:
            progress.print(f"left out: {system}: {error}", style="red", markup=False)
            asked = Asked(problem.name, drawn, error=str(error))
        self.run.append_line(system, line(asked))

    def _attempt(self, problem: Problem, mode: Mode, answer: Answer) -> Attempt:
        if not answer.shown:
            return Attempt(SILENT, detail=answer.silent_because, ms=answer.ms)
        body = body_taken(problem, mode, answer)
        key = (problem.name, body)
        if key not in self.known:
            self.known[key] = humaneval.verdict(problem, body, self.module)
        judgement = self.known[key]
        missing, unused = humaneval.imports_to_mend(problem, body)
        trail = tuple(answer.details["trail"])
        return Attempt(
            judgement.verdict, body, judgement.detail, missing, unused, answer.ms, answer.generated_tokens, trail
        )


def body_taken(problem: Problem, mode: Mode, answer: Answer) -> str:
    """All that stands behind the prompt after accepting the answer; in raw mode without what runs on past the end."""
    if mode.stages == _RAW_STAGES:
        first = answer.edits[0]
        answer = replace(answer, edits=(replace(first, text=first.text[: humaneval.end_of_function(first.text)]),))
    return humaneval.body_of(problem, answer.taken(humaneval.opened(problem)[0], imports=False))
