"""A fake server for each test module, handed to each test with its ears clean."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from support.gofile import told
from support.lsp_client import FAKE_SERVER, LspClient, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fake_server() -> AsyncIterator[LspClient]:
    """Started once a module: modules that use it run their tests in one event loop."""
    async with running(FAKE_SERVER) as client:
        await client.initialize()
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def client(fake_server: LspClient) -> LspClient:
    """The module's server as if it had said nothing yet."""
    await fake_server.command("goassist.pause", 0)
    fake_server.received.clear()
    fake_server.unmatched.clear()
    fake_server.stderr = ""
    fake_server.told_before = 0
    fake_server.told_before = len(await told(fake_server))
    return fake_server
