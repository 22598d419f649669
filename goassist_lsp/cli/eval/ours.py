"""Our own pipeline as systems that evaluation can ask: all of it, the raw model, and each stage off in turn.

All variants of a model share one engine, and all share one type checker, in this process: what is compared is
the pipeline, on the same cases, and what an earlier variant has read is not read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from goassist_index.errors import CheckerUnavailable, GoassistError
from goassist_lsp.app import load_engine
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.context.athand import NamesAtHand
from goassist_lsp.context.retrieve import WorkspaceRetriever
from goassist_lsp.indexes import Indexes
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Options, Settings, resolve
from goassist_lsp.stages import Stages
from goassist_lsp.types import Completion, DocumentSnapshot, Retriever
from goassist_models.engine import CancelToken, Engine, EngineOver, GenerateRequest, Generation
from goassist_models.evaluate.example import Answer, Edit, Question, System
from goassist_models.infill import FORMS, InfillPrompt

# In an editor a file's package is loaded long before the first question about it.
_LOADING_LIMIT_S = 180.0
_ALL_ON = Stages()
_ALL_OFF = Stages(
    beside=False,
    trim=False,
    filters=False,
    names=False,
    fixes=False,
    repair=False,
    cut_back=False,
    second_draw=False,
    imports=False,
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the pipeline. `settings` are changes to the defaults; `healed` false forgets to heal."""

    name: str
    about: str
    stages: Stages = _ALL_ON
    settings: Mapping[str, Any] = field(default_factory=dict)
    healed: bool = True


FULL = Variant("goassist", "all stages")
RAW = Variant(
    "raw model",
    "the trained order, no healing, no post-processing, no check",
    _ALL_OFF,
    {"infill_form": "psm", "check_types": False},
    healed=False,
)
# Each stage off in turn. What has another prompt stands last: it costs a reading.
ABLATIONS = (
    Variant("no check", "shown without type check", settings={"check_types": False}),
    Variant("no names", "decoding is not held to names that exist", Stages(names=False)),
    Variant("no fixes", "no fixes without the model", Stages(fixes=False)),
    Variant("no repair", "what fails is not said otherwise from there", Stages(repair=False)),
    Variant("no cut back", "what fails the check is not shortened", Stages(cut_back=False)),
    Variant("no imports", "missing imports are not added", Stages(imports=False)),
    Variant("no imports beside", "the prompt has the file's own imports only", Stages(beside=False)),
    Variant("no second draw", "nothing is drawn when the first answer fails", Stages(second_draw=False)),
    Variant("no trimming", "no end of hole, in generation or after", Stages(trim=False)),
    Variant("no filters", "the model's text as it is, then checked", Stages(trim=False, filters=False)),
    Variant("with snippets", "the prompt shows what the index finds", Stages(retrieve=True)),
    Variant("with names at hand", "the prompt shows likely names of other files", Stages(at_hand=True)),
    Variant("with facts", "a second draw is told what the place asks for", Stages(facts=True)),
    Variant(
        "types at the end",
        "types only check and cut back",
        Stages(beside=False, names=False, fixes=False, repair=False, imports=False),
    ),
    Variant("no healing", "the last word typed is not taken back", healed=False),
    Variant("trained order", "prefix, suffix, middle, not healed", settings={"infill_form": "psm"}, healed=False),
)


class OwnModels:
    """Engines by model name and one type checker; `close` when done."""

    def __init__(self) -> None:
        self._checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
        self._indexes = Indexes(_raised)
        self._engines: dict[str, Remembering] = {}
        self._roots: list[Path] = []
        self._indexed: set[Path] = set()
        self._process = psutil.Process(os.getpid())

    async def system(self, variant: Variant, model: str, name: str, *, cold: bool = True) -> System:
        """`variant` run with `model` (registry name or GGUF path).

        `cold`: whatever was read or said before is forgotten, as in an editor that comes to a new place. Otherwise
        prompts and answers are shared with other such variants: quick, same texts, but its times mean nothing.
        Raises ModelError when the model cannot be had.
        """
        settings = replace(resolve(Options())[0], model=model, **variant.settings)
        engine = await self._engine(settings)
        used: Engine = engine if variant.healed else Unhealed(engine)

        async def ask(question: Question) -> Answer:
            return await self._ask(used, settings, variant.stages, question)

        async def forget() -> None:
            # Two tokens in place of what was read: nothing of it can be shared any more.
            empty = InfillPrompt(FORMS["psm"], prefix="", suffix="")
            engine.forget()
            await engine.generate(GenerateRequest(empty, max_tokens=0), CancelToken())

        about = {"model": engine.model_name, "variant": variant.about, "form": settings.infill_form}
        about["context tokens"] = str(settings.context_tokens)
        about["times"] = "cold" if cold else "shared with other variants: not comparable"
        if cold:
            return System(name, ask, self._open, forget, self._cpu_s, about=about)
        return System(name, ask, self._open, cpu_s=self._cpu_s, about=about)

    async def leave(self, root: Path) -> None:
        """End the type service of a workspace that nothing more is asked about, and forget its buffers."""
        if root in self._roots:
            self._roots.remove(root)
            self._indexed.discard(root)
            await self._checker.set_folders(self._roots)
            await self._indexes.set_folders(self._roots)

    async def close(self) -> None:
        """End the type services and free the models."""
        await self._checker.close()
        await self._indexes.close()
        for engine in self._engines.values():
            await engine.close()

    async def _engine(self, settings: Settings) -> Remembering:
        if settings.model not in self._engines:
            engine = await load_engine(settings, lambda message, percent: None)
            self._engines[settings.model] = Remembering(engine)
        return self._engines[settings.model]

    async def _open(self, root: Path) -> None:
        if root not in self._roots:
            self._roots.append(root)
            await self._checker.set_folders(self._roots)

    async def _ask(self, engine: Engine, settings: Settings, stages: Stages, question: Question) -> Answer:
        snapshot = DocumentSnapshot(question.path.as_uri(), question.path, 1, question.text)
        await self._warm(snapshot, question.offset, settings)
        retriever: Retriever | None = await self._retriever(snapshot) if stages.retrieve else None
        if stages.at_hand:
            retriever = NamesAtHand(self._checker, limit_s=_LOADING_LIMIT_S)
        pipeline = CompletionPipeline(engine, self._checker, settings, stages, retriever)
        cancel = CancelToken()
        cpu_s, begun = self._cpu_s(), time.perf_counter()
        try:
            completion = await pipeline.complete(snapshot, question.offset, cancel)
        finally:
            cancel.cancel()
            self._indexes.document_closed(snapshot.path)
        ms = (time.perf_counter() - begun) * 1e3
        used_s = self._cpu_s() - cpu_s
        return as_answer(completion, ms, used_s)

    async def _warm(self, snapshot: DocumentSnapshot, offset: int, settings: Settings) -> None:
        if not settings.check_types:
            return
        try:
            await self._checker.document_changed(snapshot.path, snapshot.text)
            await self._checker.check(snapshot, offset, offset, ("",))
        except CheckerUnavailable:
            return  # the pipeline meets it again, and says so

    async def _retriever(self, snapshot: DocumentSnapshot) -> WorkspaceRetriever:
        """One that knows the buffer in place of its file, and has settled nothing. What it asks is not timed."""
        new = [root for root in self._roots if root not in self._indexed]
        if new:
            await self._indexes.set_folders(self._roots)
            await self._indexes.update(lambda message, percent: None)
            self._indexed.update(new)
        self._indexes.document_changed(snapshot.path, snapshot.text)
        return WorkspaceRetriever(self._indexes, self._checker, limit_s=_LOADING_LIMIT_S)

    def _cpu_s(self) -> float:
        """Processor seconds of this process and of the type services, but not of the judge's compilers."""
        total = 0.0
        for process in (self._process, *self._services()):
            try:
                times = process.cpu_times()
                total += times.user + times.system
            except psutil.NoSuchProcess:
                continue
        return total

    def _services(self) -> list[psutil.Process]:
        found = []
        for child in self._process.children():
            try:
                if "gotypes" in child.exe():
                    found.append(child)
            except psutil.Error:
                continue
        return found


def _raised(error: GoassistError) -> None:
    # A system whose index is broken is not the one that its name says.
    raise error


def as_answer(completion: Completion, ms: float, cpu_s: float | None) -> Answer:
    """What a completion would show first, in evaluation's terms."""
    first = completion.candidates[0] if completion.candidates else None
    edits: tuple[Edit, ...] = ()
    if first is not None:
        edits = (
            Edit(first.start, first.end, first.insert_text),
            *(Edit(edit.start, edit.end, edit.text) for edit in first.import_edits),
        )
    return Answer(
        edits=edits,
        ms=ms,
        cpu_s=cpu_s,
        prompt_tokens=completion.prompt_tokens,
        read_tokens=completion.read_tokens,
        generated_tokens=completion.generated_tokens,
        mean_logprob=first.generation.mean_logprob if first is not None else None,
        silent_because="" if first is not None else _silence(completion),
        details={
            "timings_ms": {timing.stage: round(timing.ms, 1) for timing in completion.timings},
            "rejected": [{"stage": r.stage, "reason": r.reason, "text": r.text} for r in completion.rejected],
            "trail": list(first.trail) if first is not None else [],
            "degraded": list(completion.degraded),
        },
    )


def _silence(completion: Completion) -> str:
    if completion.skip_reason:
        return f"skipped: {completion.skip_reason}"
    if completion.rejected:
        last = completion.rejected[0]
        return f"{last.stage}: {last.reason.splitlines()[0]}"
    return "nothing was generated"


class Remembering(EngineOver):
    """An engine that answers a request at once that it has answered before, until it is told to forget.

    `until` and `refuses` are not compared: for one prompt they are the same, or there is none. Implements the Engine
    protocol.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._known: dict[tuple[object, ...], tuple[Generation, ...]] = {}

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Answer the request, from memory where it was asked before."""
        plain = replace(request, until=None, refuses=None)
        key = (*astuple(plain), request.until is None, request.refuses is None)
        if key not in self._known:
            self._known[key] = await self._engine.generate(request, cancel)
        return self._known[key]

    def forget(self) -> None:
        """Answer anew from now on."""
        self._known.clear()


class Unhealed(EngineOver):
    """An engine that does not heal: the ablation of that step. Implements the Engine protocol over another."""

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Answer the request with its form's healing off."""
        form = replace(request.prompt.form, healed=False)
        return await self._engine.generate(replace(request, prompt=replace(request.prompt, form=form)), cancel)

    async def close(self) -> None:
        """Leave the engine to its owner."""
