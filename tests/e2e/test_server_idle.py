"""A server that nobody asks anything takes no processor time: no loop polls, no thread spins."""

from __future__ import annotations

import asyncio
import os

import psutil
import pytest

from support.gofile import HOLE, go_file
from support.lsp_client import FAKE_SERVER, running

URI = "file:///idle/main.go"
WINDOW_S = 2.0
MOST_CPU_S = 0.02


def spent_s(process: psutil.Process) -> float:
    """Processor time of the process so far, in all its threads."""
    times = process.cpu_times()
    return times.user + times.system


@pytest.mark.parametrize("watched", [True, False])
async def test_no_processor_time_while_nothing_is_typed(watched: bool) -> None:
    """`watched`: with an editor's process to look after."""
    async with running(FAKE_SERVER) as client:
        await client.initialize(process_id=os.getpid() if watched else None)
        client.open(URI, go_file(say=["println(1)"]))
        assert len(await client.inline(URI, *HOLE)) == 1
        process, least_s = psutil.Process(client.process.pid), WINDOW_S
        for _ in range(3):  # what the answer left to do may reach into the first
            before_s = spent_s(process)
            await asyncio.sleep(WINDOW_S)
            least_s = min(least_s, spent_s(process) - before_s)
            if least_s <= MOST_CPU_S:
                break
        assert least_s <= MOST_CPU_S
