"""The end: in order, without order, and when the client is simply gone. Nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.gofile import HOLE, go_file
from support.lsp_client import FAKE_SERVER, TIMEOUT_S, LspClient, running

URI = "file:///m/main.go"
WITH_CHILD = {"FAKE_CHILD": "1"}
TESTS = Path(__file__).parents[1]


async def child_of(client: LspClient) -> psutil.Process:
    return psutil.Process((await client.command("goassist.status"))["child"])


async def until_gone(*processes: psutil.Process) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
            await asyncio.sleep(0.05)


async def test_shutdown_and_exit_end_with_status_zero_and_everything_ended() -> None:
    async with running(FAKE_SERVER, WITH_CHILD) as client:
        await client.initialize()
        child = await child_of(client)
        await client.request("shutdown")
        assert not child.is_running()
        client.notify("exit")
        assert await client.wait_for_end() == 0
        assert client.stderr == ""


async def test_exit_without_shutdown_ends_with_status_one_and_everything_ended() -> None:
    async with running(FAKE_SERVER, WITH_CHILD) as client:
        await client.initialize()
        child = await child_of(client)
        client.notify("exit")
        assert await client.wait_for_end() == 1
        assert not child.is_running()


async def test_exit_before_initialize_ends_with_status_one() -> None:
    async with running(FAKE_SERVER) as client:
        client.notify("exit")
        assert await client.wait_for_end() == 1


async def test_a_closed_input_ends_the_server_and_a_running_request() -> None:
    async with running(FAKE_SERVER, WITH_CHILD) as client:
        await client.initialize()
        child = await child_of(client)
        client.open(URI, go_file(wait=True))
        _, answer = client.post_inline(URI, *HOLE)
        await client.wait_for_stderr("engine: waiting")
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert await client.wait_for_end() == 1
        assert not child.is_running()
        assert "engine: stopped" in client.stderr
        assert isinstance(answer.exception(), ConnectionError) or answer.result()["items"] == []


async def test_a_dead_client_process_ends_the_server_though_its_input_stays_open() -> None:
    editor = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    async with running(FAKE_SERVER, WITH_CHILD) as client:
        await client.initialize(process_id=editor.pid)
        child = await child_of(client)
        editor.kill()
        assert await client.wait_for_end() == 1
        assert not child.is_running()
    editor.wait()


async def test_a_client_process_that_cannot_be_seen_is_not_held_against_it() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    async with running(FAKE_SERVER) as client:
        await client.initialize(process_id=gone.pid)
        client.open(URI, go_file(say=["println(1)"]))
        assert len(await client.inline(URI, *HOLE)) == 1


async def test_an_editor_killed_hard_leaves_no_server_and_no_helper_behind() -> None:
    editor = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.doomed_editor",
        cwd=TESTS,
        stdout=asyncio.subprocess.PIPE,
    )
    assert editor.stdout is not None
    line = await asyncio.wait_for(editor.stdout.readline(), TIMEOUT_S)
    server, child = (psutil.Process(int(pid)) for pid in line.split())
    editor.kill()
    await editor.wait()
    await until_gone(server, child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_server_in_order(number: int) -> None:
    async with running(FAKE_SERVER, WITH_CHILD) as client:
        await client.initialize()
        child = await child_of(client)
        os.kill(client.process.pid, number)
        assert await client.wait_for_end() == 1
        assert not child.is_running()
        assert "Traceback" not in client.stderr


async def test_a_client_that_reads_nothing_does_not_stop_the_server() -> None:
    process = subprocess.Popen(FAKE_SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "no/" + "x" * 1000, "params": None}).encode()
    for _ in range(500):  # answers of half a megabyte: more than a pipe holds
        process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(request), request))
    process.stdin.close()
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, lambda: process.wait(TIMEOUT_S)) == 1
    process.stdout.close()


async def test_over_tcp_the_server_speaks_and_ends_the_same() -> None:
    process = await asyncio.create_subprocess_exec(*FAKE_SERVER, "--tcp", "0", stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), TIMEOUT_S)).decode()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(line.rsplit(":", 1)[1]))
    for message in (
        {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
        {"id": 2, "method": "shutdown"},
        {"method": "exit"},
    ):
        text = json.dumps({"jsonrpc": "2.0", **message}).encode()
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
    try:
        answers = await asyncio.wait_for(reader.read(), TIMEOUT_S)
        assert b'"serverInfo"' in answers and b'"id": 2' in answers
        assert await asyncio.wait_for(process.wait(), TIMEOUT_S) == 0
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(*FAKE_SERVER, "--tcp", str(port), stderr=asyncio.subprocess.PIPE)
        _, said = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in said.decode()
