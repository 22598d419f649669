"""Claims about embedding in idle time: it waits for whoever types, and what it needs and lacks costs nothing else."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from goassist_index import indexer as idle
from goassist_index.embed import FakeEmbedder, Matrix
from goassist_index.errors import IndexUnavailable
from goassist_index.indexer import Indexer
from goassist_index.refine import DenseTier
from goassist_index.store import Store, store_folder
from goassist_index.vectors import Vectors
from support.workspaces import lay_out

WAIT_S = 30.0


class BrokenEmbedder(FakeEmbedder):
    """A model that does not load."""

    def embed(self, texts: Any, *, query: bool = False) -> Future[Matrix]:
        failed: Future[Matrix] = Future()
        failed.set_exception(IndexUnavailable("texts cannot be embedded (no torch)"))
        return failed


class Spoken:
    """An indexer in a thread of this process, and what it said."""

    def __init__(self, root: Path, embedder: FakeEmbedder) -> None:
        self.messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.events: list[str] = []
        self.thread = threading.Thread(target=Indexer(root, self.messages, self.said.put, embedder).run, daemon=True)
        self.thread.start()

    def ask(self, method: str, **params: Any) -> Any:
        self.messages.put({"id": 1, "method": method, "params": params})
        while (reply := self.said.get(timeout=WAIT_S)).get("id") != 1:
            self.events.append(reply["method"])
        return reply["result"]

    def symbols(self, query: str) -> list[str]:
        return [snippet["symbol"] for snippet in self.ask("search", query=query, k=5)]

    def embedded(self) -> tuple[int, int]:
        dense = self.ask("stats")["dense"]
        return (dense["embedded"], dense["pieces"]) if dense is not None else (0, 0)

    def close(self) -> None:
        self.messages.put(None)
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return lay_out(tmp_path / "shop")


@pytest.fixture
def root(plain: Path, fake: FakeEmbedder) -> Path:
    """A workspace where `index --dense` was begun with."""
    with Store(store_folder(plain)) as store:
        Vectors(store.folder, fake.space, fake.dimensions).close()
    return plain


@pytest.fixture
def fake() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def spoken(root: Path, fake: FakeEmbedder) -> Iterator[Spoken]:
    made = Spoken(root, fake)
    yield made
    made.close()


def wait_until_all_is_embedded(spoken: Spoken) -> None:
    end_s = time.monotonic() + WAIT_S
    while True:
        embedded, pieces = spoken.embedded()
        if embedded == pieces > 0:
            return
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_what_is_indexed_is_embedded_when_nothing_else_is_to_be_done(spoken: Spoken, fake: FakeEmbedder) -> None:
    spoken.ask("update")
    wait_until_all_is_embedded(spoken)
    before = fake.asked
    assert spoken.symbols("change an amount at a rate of today")[0] == "ConvertCurrency"
    assert fake.asked == before + 1  # the query
    assert spoken.symbols("func f() { return ConvertCurrency() }")[0] == "ConvertCurrency"
    assert fake.asked == before + 1  # code is found by its words


def test_nothing_is_embedded_while_somebody_types(spoken: Spoken, fake: FakeEmbedder, root: Path) -> None:
    spoken.messages.put({"method": "typing", "params": {"path": str(root / "cart/cart.go")}})
    spoken.ask("update")
    spoken.symbols("a cart")
    assert (spoken.embedded()[0], fake.asked) == (0, 0)


def test_nothing_is_embedded_where_nobody_began_with_it(plain: Path, fake: FakeEmbedder) -> None:
    spoken = Spoken(plain, fake)
    try:
        spoken.ask("update")
        assert spoken.symbols("change an amount at a rate of today")
        assert (spoken.embedded(), fake.asked) == ((0, 0), 0)
        with Store(store_folder(plain)) as store:
            tier = DenseTier(store, FakeEmbedder())
            tier.refresh(store.live_units())
            tier.refine()
            tier.close()
        spoken.symbols("change an amount at a rate of today")
        wait_until_all_is_embedded(spoken)  # begun with, by another process
    finally:
        spoken.close()


def test_what_is_saved_is_embedded_too_and_nothing_else_again(
    spoken: Spoken, fake: FakeEmbedder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken.ask("update")
    wait_until_all_is_embedded(spoken)
    before = fake.asked
    path = root / "price/rebate.go"
    path.write_text("package price\n\n// Haggle lowers a price.\nfunc Haggle() {}\n")
    spoken.ask("saved", paths=[str(path)])
    wait_until_all_is_embedded(spoken)
    assert 1 <= fake.asked - before <= 3  # the function, and the package's outline
    assert "Haggle" in spoken.symbols("lowers a price")


def test_a_model_that_does_not_load_leaves_search_by_words_and_unsaved_texts(root: Path) -> None:
    spoken = Spoken(root, BrokenEmbedder())
    try:
        spoken.ask("update")
        text = "package cart\n\nfunc Haggle() {}\n"
        spoken.ask("search", query="haggle", k=5, buffers={str(root / "cart/discount.go"): text})
        end_s = time.monotonic() + WAIT_S
        while "degraded" not in spoken.events:
            assert time.monotonic() < end_s
            spoken.embedded()
        assert spoken.symbols("haggle")[0] == "Haggle"
        assert spoken.events.count("degraded") == 1
    finally:
        spoken.close()


def test_the_model_is_let_go_when_it_is_not_used(
    root: Path, fake: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "MODEL_IDLE_S", 0.05)
    rested = threading.Event()
    monkeypatch.setattr(fake, "close", rested.set)
    spoken = Spoken(root, fake)
    try:
        spoken.ask("update")
        assert rested.wait(WAIT_S)
        assert spoken.embedded()[0] == spoken.embedded()[1] > 0
    finally:
        spoken.close()
