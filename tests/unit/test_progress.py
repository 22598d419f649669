"""Claims about goassist_lsp.server.progress: each bar that a client makes is begun once and ended once."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from lsprotocol import types as lsp

from goassist_lsp.server.progress import ProgressBar


class Client:
    """Answers `create` when it is told to; stands for a server and its client."""

    def __init__(self) -> None:
        self.client_capabilities = lsp.ClientCapabilities(window=lsp.WindowClientCapabilities(work_done_progress=True))
        self.work_done_progress = self
        self.tokens: dict[str, Future[None]] = {}
        self.heard: list[str] = []
        self.answers = asyncio.Event()

    async def create_async(self, token: str) -> None:
        await self.answers.wait()
        self.tokens[token] = Future()

    def begin(self, token: str, value: Any) -> None:
        self.heard.append("begin")

    def report(self, token: str, value: Any) -> None:
        self.heard.append("report")

    def end(self, token: str, value: Any) -> None:
        self.heard.append("end")


async def test_work_that_is_over_before_the_client_has_its_bar_is_ended_there_too() -> None:
    client = Client()
    async with ProgressBar(client, "token", "title") as bar:  # type: ignore[arg-type]
        bar.report("quick")
        await asyncio.sleep(0)
    client.answers.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.heard == ["begin", "report", "end"]
    assert client.tokens == {}


async def test_work_that_takes_longer_is_ended_when_it_is_over() -> None:
    client = Client()
    client.answers.set()
    async with ProgressBar(client, "token", "title") as bar:  # type: ignore[arg-type]
        for _ in range(3):
            await asyncio.sleep(0)
        bar.report("slow")
        await asyncio.sleep(0)
        assert client.heard == ["begin", "report"]
    assert client.heard == ["begin", "report", "end"]
    assert client.tokens == {}
