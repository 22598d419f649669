"""Keeps requests apart that name the same workspace: nobody is checked against what somebody else has not saved.

The type service has one text for each file, which is right for one user's editor. Here each question has a workspace to
itself, and leaves it as it is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from goassist_index.typefacts import Wanted
from goassist_index.verdict import LegalNames, Verdict
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.types import DocumentSnapshot


class IsolatedChecker:
    """Asks a TypeChecker, one question at a time in each of the workspaces. Implements the Checker protocol."""

    def __init__(self, types: TypeChecker, workspaces: Sequence[Path]) -> None:
        self._types = types
        self._locks = {root: asyncio.Lock() for root in workspaces}

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
        """See Checker."""
        async with self._alone(snapshot.path):
            return await self._types.check(
                snapshot, start, end, inserts, complete=complete, resolve_imports=resolve_imports
            )

    async def legal(self, snapshot: DocumentSnapshot, offset: int, said: str) -> LegalNames | None:
        """See Checker."""
        async with self._alone(snapshot.path):
            return await self._types.legal(snapshot, offset, said)

    async def wanted(self, snapshot: DocumentSnapshot, offset: int) -> Wanted:
        """See Checker."""
        async with self._alone(snapshot.path):
            return await self._types.wanted(snapshot, offset)

    @asynccontextmanager
    async def _alone(self, path: Path) -> AsyncIterator[None]:
        holding = [root for root in self._locks if path.is_relative_to(root)]
        if not holding:
            yield  # a file of its own has a package of its own
            return
        async with self._locks[max(holding, key=lambda root: len(root.parts))]:
            try:
                yield
            finally:
                await self._types.document_closed(path)
