"""What the assistant is told of documents: everything that counts, in order, nothing that is out of date."""

from __future__ import annotations

import asyncio
from pathlib import Path

from goassist_lsp.app import Assistant
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.server.feed import DocumentFeed
from goassist_lsp.server.snapshot import Document
from goassist_lsp.settings import Settings
from goassist_lsp.types import DocumentSnapshot
from goassist_models.engine.fake import FakeEngine


class Listener(Assistant):
    """Notes what it is told; `gate` holds it up as a busy type service would."""

    def __init__(self) -> None:
        super().__init__(Settings(), engine=FakeEngine(), checker=FakeChecker())
        self.told: list[tuple[str, str]] = []
        self.gate = asyncio.Event()

    async def document_opened(self, snapshot: DocumentSnapshot) -> None:
        self.told.append(("opened", snapshot.text))
        await self.gate.wait()

    async def document_changed(self, snapshot: DocumentSnapshot) -> None:
        self.told.append(("changed", snapshot.text))
        if snapshot.text == "bad":
            raise ValueError("cannot take it")

    async def document_closed(self, path: Path) -> None:
        self.told.append(("closed", path.name))


def document(text: str, name: str = "a.go") -> Document:
    return Document(f"file:///{name}", 1, text, "utf-16")


async def fed(*events: tuple[str, Document]) -> tuple[list[tuple[str, str]], list[str]]:
    """What the listener is told when all but the first event come while it is busy; and the failures."""
    listener, failures = Listener(), []
    feed = DocumentFeed(listener, lambda doing, error: failures.append(f"{doing}: {error}"))
    for kind, about in events:
        feed.put(kind, about)  # type: ignore[arg-type]
        await asyncio.sleep(0)
    listener.gate.set()
    for _ in range(20):
        await asyncio.sleep(0)
    await feed.stop()
    return listener.told, failures


async def test_only_the_last_of_the_changes_that_waited_is_told() -> None:
    told, _ = await fed(("opened", document("")), *[("changed", document(text)) for text in ("x", "xy", "xyz")])
    assert told == [("opened", ""), ("changed", "xyz")]


async def test_changes_of_one_document_do_not_swallow_those_of_another() -> None:
    told, _ = await fed(
        ("opened", document("")),
        ("changed", document("a")),
        ("changed", document("b", "b.go")),
        ("changed", document("aa")),
    )
    assert told == [("opened", ""), ("changed", "aa"), ("changed", "b")]


async def test_a_document_opened_again_is_not_mixed_up_with_the_one_that_was_closed() -> None:
    told, _ = await fed(
        ("opened", document("")),
        ("changed", document("old")),
        ("closed", document("old")),
        ("opened", document("new")),
        ("changed", document("newer")),
    )
    assert told == [("opened", ""), ("changed", "old"), ("closed", "a.go"), ("opened", "newer")]


async def test_a_failure_is_reported_and_the_next_event_is_told() -> None:
    told, failures = await fed(("opened", document("")), ("changed", document("bad")), ("closed", document("bad")))
    assert told[-1] == ("closed", "a.go")
    assert failures == ["a document that was changed: cannot take it"]
