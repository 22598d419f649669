"""Tells the assistant of document changes, in order and one at a time, the latest version of each document only.

A fast typist outruns the type service at times; what lies between is of no use to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from goassist_lsp.server.snapshot import Document, take

if TYPE_CHECKING:
    from goassist_lsp.app import Assistant

Kind = Literal["opened", "changed", "closed"]


@dataclass
class _Event:
    kind: Kind
    document: Document


class DocumentFeed:
    """A queue between the client's notifications and one assistant. `on_failure` is told what goes wrong."""

    def __init__(self, assistant: Assistant, on_failure: Callable[[str, Exception], None]) -> None:
        self._assistant = assistant
        self._on_failure = on_failure
        self._events: list[_Event] = []
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def put(self, kind: Kind, document: Document) -> None:
        """Queue one event; a change takes the place of a change still waiting for the same document."""
        if kind == "changed":
            for event in reversed(self._events):
                if event.document.uri == document.uri:
                    if event.kind != "closed":
                        event.document = document
                        return
                    break
        self._events.append(_Event(kind, document))
        self._wake.set()

    async def stop(self) -> None:
        """Stop telling; what still waits is dropped."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            while self._events:
                event = self._events.pop(0)
                try:
                    await self._tell(event)
                except Exception as error:
                    self._on_failure(f"a document that was {event.kind}", error)
            self._wake.clear()

    def _tell(self, event: _Event) -> Awaitable[None]:
        if event.kind == "opened":
            return self._assistant.document_opened(take(event.document))
        if event.kind == "changed":
            return self._assistant.document_changed(take(event.document))
        return self._assistant.document_closed(event.document.path)
