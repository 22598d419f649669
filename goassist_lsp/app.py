"""Joins engine, checker and pipeline into one assistant: what the server and the command line hold."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.errors import CheckerUnavailable, GoassistError, ModelError
from goassist_index.workspace import module_problem
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.context.retrieve import WorkspaceRetriever
from goassist_lsp.explain import explanation, session_report
from goassist_lsp.fitness import Fitness
from goassist_lsp.history import History
from goassist_lsp.indexes import Indexes
from goassist_lsp.meaning import model_there
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.types import Checker, Completion, DocumentSnapshot, Pace
from goassist_models.engine import CancelToken, Engine
from goassist_models.engine.power import Power

if TYPE_CHECKING:
    from goassist_models.engine.llama import LlamaSettings

log = logging.getLogger(__name__)

Progress = Callable[[str, int | None], None]
# Who has asked in vain so short a time before the model is there still waits.
_WAITS_S = 2.0
LEAST_CELLS = 2048
# Cells of these for what is said, by several sequences together.
_SAID_CELLS = 768


class Assistant:
    """One per server: an engine, a type service per workspace folder, the pipeline over both.

    Nothing here raises for a missing model or toolchain: the cause is kept in `problems`, and requests come back
    with that as their skip reason. `advice` is what works, but not well.
    """

    def __init__(self, settings: Settings, *, engine: Engine | None = None, checker: Checker | None = None) -> None:
        self.settings = settings
        self.problems: list[GoassistError] = []
        self.advice: list[GoassistError] = []
        self.types_ready = checker is not None
        self._engine = engine
        self._own_engine = engine is None
        self._types = None if checker is not None else TypeChecker(self._package_loaded)
        self._checker: Checker | None = checker if checker is not None else self._types
        self._history = History()
        self._power = Power()
        self._fitness = Fitness()
        self._warmed: set[Path] = set()
        self._loaded_ms: dict[Path, float] = {}
        self._folders: Sequence[Path] = ()
        self._asked_in_vain_s = -math.inf
        self._indexes = Indexes(self._advise, model_there())
        self._retriever = WorkspaceRetriever(self._indexes, self._types)
        self._pipeline = self._made_pipeline(engine) if engine is not None else None

    @property
    def engine_ready(self) -> bool:
        """Whether a model is loaded and answers."""
        return self._pipeline is not None

    async def start(self, folders: Sequence[Path], progress: Progress | None = None) -> None:
        """Load the model and start the type services, side by side. Problems are kept, not raised."""
        report = progress or (lambda message, percent: None)
        await asyncio.gather(self._start_types(folders, report), self._start_engine(report))

    async def _start_types(self, folders: Sequence[Path], report: Progress) -> None:
        self._folders = folders
        if self._types is None or not self.settings.check_types:
            return
        report("starting the Go type service", None)
        try:
            await self._types.set_folders(folders)
        except CheckerUnavailable as error:
            self._problem(error)
        else:
            self.types_ready = True
            report("Go type service ready", None)
            for problem in await asyncio.gather(*(asyncio.to_thread(module_problem, folder) for folder in folders)):
                if problem is not None:
                    self._problem(problem)

    async def _start_engine(self, report: Progress) -> None:
        if self._engine is not None:
            return
        try:
            self._engine = await load_engine(self.settings, report)
        except GoassistError as error:
            self._problem(error)
        else:
            hurried = time.monotonic() - self._asked_in_vain_s < _WAITS_S
            self._pipeline = self._made_pipeline(self._engine, hurried=hurried)
            report(f"model {self._engine.model_name} ready", 100)

    def _made_pipeline(self, engine: Engine, *, hurried: bool = False) -> CompletionPipeline:
        retriever = self._retriever if self.settings.index else None
        return CompletionPipeline(engine, self._checker, self.settings, retriever=retriever, hurried=hurried)

    def _package_loaded(self, directory: Path, ms: float) -> None:
        log.info("types of %s ready in %.0f ms", directory, ms)
        self._loaded_ms[directory] = ms

    async def index(self, progress: Progress | None = None, *, anew: bool = False) -> None:
        """Bring the indexes of the workspaces up to date, in processes of their own; `anew` forgets them first."""
        await self._indexes.set_folders(self._folders if self.settings.index else ())
        if self.settings.index:
            await self._indexes.update(progress or (lambda message, percent: None), anew=anew)

    async def stop_indexing(self) -> None:
        """End `index` where it is; what it did stays."""
        await self._indexes.stop_update()

    async def files_changed(self, paths: Sequence[Path]) -> None:
        """Take in files on disk that were saved, made or removed."""
        if self.settings.index:
            await self._indexes.files_changed(paths)

    def _advise(self, error: GoassistError) -> None:
        if str(error) not in map(str, self.advice):
            self.advice.append(error)

    def _problem(self, error: GoassistError) -> None:
        log.info("%s", error)
        if str(error) not in map(str, self.problems):
            self.problems.append(error)

    async def complete(
        self,
        snapshot: DocumentSnapshot,
        offset: int,
        cancel: CancelToken,
        *,
        n: int | None = None,
        requested: bool = False,
        pace: Pace | None = None,
    ) -> Completion:
        """What to show at `offset` (code points into the snapshot); `pace`: see CompletionPipeline.complete.

        Raises ModelError when the engine breaks down while it answers.
        """
        try:
            if not self.settings.enabled:
                completion = Completion(skip_reason="completions are switched off")
            elif self._pipeline is None:
                completion = Completion(skip_reason="the model is not loaded")
                self._asked_in_vain_s = time.monotonic()
            else:
                completion = await self._pipeline.complete(
                    snapshot, offset, cancel, n=n, requested=requested, pace=pace
                )
        except ModelError as error:
            self._history.add(snapshot, offset, Completion(skip_reason=str(error).rstrip(".")), self._folders)
            raise
        if not completion.cancelled:
            self._history.add(snapshot, offset, completion, self._folders)
        if completion.generated_tokens and self._engine is not None:
            slow = self._fitness.answered(self._engine.model_name, self._engine.speed, self.settings.model)
            if slow is not None:
                log.info("%s", slow)
                self.advice.append(slow)
        return completion

    async def ahead(self, completion: Completion) -> bool:
        """In idle time, have said what would follow if what is shown were taken. Not on battery.

        Returns whether it was asked for: then the document must be told anew, for names were looked up in the text that
        may be.
        """
        if self._pipeline is None or self._power.on_battery:
            return False
        try:
            return await self._pipeline.ahead(completion)
        except ModelError as error:
            log.info("nothing is said ahead: %s", error)  # nobody waits for it; who asks next hears of it
            return True

    async def document_opened(self, snapshot: DocumentSnapshot) -> None:
        """Tell the type service of the buffer and have its package loaded."""
        await self.document_changed(snapshot)

    async def document_changed(self, snapshot: DocumentSnapshot) -> None:
        """Tell the type service and the index of an unsaved buffer."""
        self._indexes.document_changed(snapshot.path, snapshot.text)
        if self._types is None or not self.settings.check_types:
            return
        try:
            await self._types.document_changed(snapshot.path, snapshot.text)
            if snapshot.path.parent not in self._warmed:
                self._warmed.add(snapshot.path.parent)
                await self._types.warm(snapshot.path)
        except CheckerUnavailable as error:
            self._problem(error)

    async def document_closed(self, path: Path) -> None:
        """The file on disk counts again."""
        self._indexes.document_closed(path)
        if self._types is None or not self.settings.check_types:
            return
        try:
            await self._types.document_closed(path)
        except CheckerUnavailable as error:
            self._problem(error)

    async def set_folders(self, folders: Sequence[Path]) -> None:
        """Serve these workspace folders from now on."""
        await self._start_types(folders, lambda message, percent: None)

    async def reindex(self) -> None:
        """Have the type services read the workspaces anew; `index` does the same for the indexes."""
        if self._types is not None and self.settings.check_types:
            self._warmed.clear()
            self._loaded_ms.clear()
            try:
                await self._types.reload()
            except CheckerUnavailable as error:
                self._problem(error)

    async def apply_settings(self, settings: Settings, progress: Progress | None = None) -> None:
        """Work with new settings; the model is loaded anew only if its own settings changed."""
        old, self.settings = self.settings, settings
        reload = _engine_settings(old) != _engine_settings(settings) and self._own_engine
        if reload:
            engine, self._engine, self._pipeline = self._engine, None, None
            if engine is not None:
                await engine.close()
            await self._start_engine(progress or (lambda message, percent: None))
        elif self._engine is not None:
            self._pipeline = self._made_pipeline(self._engine)
        if settings.check_types and not old.check_types:
            await self._start_types(self._folders, progress or (lambda message, percent: None))

    def explain(self) -> str:
        """Markdown about the last completion: what was said, what was shown, why the rest was not."""
        return explanation(self._history.last)

    def explain_session(self) -> str:
        """Markdown about the session's last completions, newest first, the last few in full."""
        return session_report(self._history)

    async def status(self) -> dict[str, object]:
        """State for `goassist.status`: readiness, model, problems, type service figures, the last completion."""
        last = self._history.last
        return {
            "enabled": self.settings.enabled,
            "engine_ready": self.engine_ready,
            "types_ready": self.types_ready,
            "types_loaded_ms": {str(directory): round(ms) for directory, ms in self._loaded_ms.items()},
            "model": self._engine.model_name if self._engine is not None else None,
            "problems": [str(problem) for problem in (*self.problems, *self.advice)],
            "types": await self._types.stats() if self._types is not None else {},
            "index": await self._indexes.status(),
            "last": None
            if last is None
            else {
                "shown": len(last.candidates),
                "skip_reason": last.skip_reason,
                "degraded": list(last.degraded),
                "rejected": [{"stage": r.stage, "reason": r.reason, "text": r.text} for r in last.rejected],
                "timings_ms": {timing.stage: round(timing.ms, 1) for timing in last.timings},
                "prompt_tokens": last.prompt_tokens,
                "read_tokens": last.read_tokens,
                "generated_tokens": last.generated_tokens,
            },
        }

    async def close(self) -> None:
        """End the type services and indexers, and free the model. May be called twice."""
        await self._indexes.close()
        if self._types is not None:
            await self._types.close()
        if self._engine is not None and self._own_engine:
            engine, self._engine, self._pipeline = self._engine, None, None
            await engine.close()


def _engine_settings(settings: Settings) -> tuple[object, ...]:
    return settings.model, settings.engine_url, settings.threads, settings.gpu_layers, cells_for(settings)


def cells_for(settings: Settings) -> int:
    """Tokens that a local model's cache must hold: a prompt as large as is allowed, and what is said behind it.

    The budget is kept by counting characters (generate/prompt.py): of dense text it can be twice as many tokens.
    """
    return max(LEAST_CELLS, 2 * settings.context_tokens + _SAID_CELLS)


def llama_settings(settings: Settings) -> LlamaSettings:
    """How the settings have a local model run."""
    from goassist_models.engine.llama import LlamaSettings

    gpu_layers = settings.gpu_layers if settings.gpu_layers >= 0 else None
    return LlamaSettings(n_ctx=cells_for(settings), threads=settings.threads or None, gpu_layers=gpu_layers)


async def load_engine(settings: Settings, report: Progress) -> Engine:
    """The engine that the settings ask for, loaded.

    Raises ModelError when there is no such model, it is not downloaded, or this machine cannot run it.
    """
    if settings.engine_url:
        from goassist_models.engine.openai import OpenAIEngine

        return OpenAIEngine(settings.engine_url, model=settings.model)
    from goassist_models.engine.kept import KeptEngine
    from goassist_models.engine.llama import LlamaEngine
    from goassist_models.registry import resolve

    model = resolve(settings.model or None)
    report(f"loading {model.name}", None)
    return KeptEngine(await LlamaEngine.load(model.path, replace(llama_settings(settings), adapter=model.adapter)))
