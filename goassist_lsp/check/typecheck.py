"""The real checker: one Go type service a workspace folder, spoken to in byte offsets. Used by app.py."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from goassist_index.cachedir import cache_dir
from goassist_index.errors import CheckerUnavailable
from goassist_index.typefacts import TypeFacts, Wanted
from goassist_index.typeservice import LOADING_LIMIT_S, TypeService
from goassist_index.verdict import LegalNames, Verdict
from goassist_index.workspace import workspace_root
from goassist_lsp.types import DocumentSnapshot

# How long one check may look for missing imports: most are found in a few milliseconds, what has to be loaded first
# takes some tens.
IMPORT_BUDGET_S = 0.15

log = logging.getLogger(__name__)


class TypeChecker:
    """Routes each file to the type service of its workspace; services start when first needed."""

    def __init__(
        self,
        on_ready: Callable[[Path, float], None] | None = None,
        *,
        loading_limit_s: float = LOADING_LIMIT_S,
        import_budget_s: float = IMPORT_BUDGET_S,
    ) -> None:
        """`on_ready` is told of each opened directory whose package has been loaded, and the milliseconds it took.

        `loading_limit_s`: how long a check waits for its package to be loaded before the verdict is "unknown".
        `import_budget_s`: how long a check that is to resolve imports looks for them.
        """
        self._on_ready = on_ready
        self._loading_limit_s = loading_limit_s
        self._import_budget_s = import_budget_s
        self._services: dict[Path, asyncio.Task[TypeService]] = {}
        self._folders: tuple[Path, ...] = ()
        self._open: dict[Path, str] = {}

    async def set_folders(self, folders: Sequence[Path]) -> None:
        """Serve these workspace folders: start what is new, end what is gone.

        Raises CheckerUnavailable when a service cannot be had, for instance without a Go toolchain.
        """
        self._folders = tuple(folder.resolve() for folder in folders)
        for root in [root for root in self._services if root not in self._folders]:
            await self._end(root)
        await asyncio.gather(*(self._service(root) for root in self._folders))

    async def check(
        self,
        snapshot: DocumentSnapshot,
        start: int,
        end: int,
        inserts: tuple[str, ...],
        *,
        complete: bool = False,
        resolve_imports: bool = False,
    ) -> tuple[Verdict, ...]:
        """Verdicts of the type service; see `Checker`."""
        service = await self._service_for(snapshot.path)
        first = len(snapshot.text[:start].encode())
        last = first + len(snapshot.text[start:end].encode())
        return await service.check(
            snapshot.path,
            snapshot.text,
            first,
            last,
            inserts,
            complete=complete,
            import_budget_s=self._import_budget_s if resolve_imports else 0.0,
            loading_limit_s=self._loading_limit_s,
        )

    async def legal(self, snapshot: DocumentSnapshot, offset: int, said: str) -> LegalNames | None:
        """Names that the type service allows behind `said`; see `Checker`."""
        service = await self._service_for(snapshot.path)
        return await service.legal(snapshot.path, snapshot.text, len(snapshot.text[:offset].encode()), said)

    async def wanted(self, snapshot: DocumentSnapshot, offset: int) -> Wanted:
        """What the type service says that the place asks for; see `Checker`."""
        service = await self._service_for(snapshot.path)
        return await service.wanted(snapshot.path, snapshot.text, len(snapshot.text[:offset].encode()))

    async def in_play(self, snapshot: DocumentSnapshot, offset: int) -> TypeFacts | None:
        """What the type service says is in play at `offset` (code points); None where that cannot be said.

        Raises CheckerUnavailable when the service cannot be had at all.
        """
        service = await self._service_for(snapshot.path)
        return await service.facts(snapshot.path, len(snapshot.text[:offset].encode()), snapshot.text)

    async def document_changed(self, path: Path, text: str) -> None:
        """Tell the service of an unsaved buffer, so that other files are checked against it."""
        self._open[path] = text
        service = await self._service_for(path)
        await service.overlay(path, text)

    async def document_closed(self, path: Path) -> None:
        """The file on disk counts again."""
        self._open.pop(path, None)
        service = await self._service_for(path)
        await service.close_file(path)

    async def warm(self, path: Path) -> None:
        """Have the package of this file loaded before it is asked for."""
        service = await self._service_for(path)
        await service.open(path.parent)

    async def reload(self) -> None:
        """Begin again with every workspace, as after a change outside of the editor."""
        for root in list(self._services):
            await self._end(root)
        await asyncio.gather(*(self._service(root) for root in self._folders))
        for path, text in list(self._open.items()):
            await self.document_changed(path, text)

    async def stats(self) -> dict[str, Any]:
        """What each running service says of itself, by workspace folder; None for one that does not answer."""
        running = [
            (root, task.result())
            for root, task in self._services.items()
            if task.done() and not task.cancelled() and task.exception() is None
        ]
        found: dict[str, Any] = {}
        for root, service in running:
            try:
                found[str(root)] = asdict(await service.stats())
            except CheckerUnavailable as error:
                log.info("%s", error)
                found[str(root)] = None
        return found

    async def close(self) -> None:
        """End all services. May be called twice."""
        for root in list(self._services):
            await self._end(root)

    async def _service_for(self, path: Path) -> TypeService:
        resolved = path.resolve()
        holding = [folder for folder in self._folders if resolved.is_relative_to(folder)]
        root = max(holding, key=lambda folder: len(folder.parts)) if holding else workspace_root(resolved)
        return await self._service(root)

    async def _service(self, root: Path) -> TypeService:
        task = self._services.get(root)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(TypeService.start(root, cache_dir=cache_dir(), on_ready=self._on_ready))
            self._services[root] = task
        # One waiter's cancellation must not end the start-up that others wait for.
        return await asyncio.shield(task)

    async def _end(self, root: Path) -> None:
        task = self._services.pop(root)
        task.cancel()
        try:
            service = await task
        except (asyncio.CancelledError, CheckerUnavailable):
            return
        await service.aclose()
