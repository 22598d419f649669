"""Requests that end early and servers that stop: nothing goes on for nobody, everybody gets an answer or an error."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psutil
import pytest

from support.serving import Server, serving

ENDLESS = '//fake {"endless": true, "token_s": 0.01}'
CUTS = 500
SHORT = '//fake {"say": ["a"]}'


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("--slots", "2", "--queue", "3", "--read-timeout", "2") as started:
        yield started


def body(prompt: str, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "max_tokens": 100_000, **more}


def post(server: Server, prompt: str, **more: Any) -> httpx2.Response:
    return httpx2.post(f"{server.url}/v1/completions", json=body(prompt, **more), timeout=60)


def cancelled(server: Server) -> int:
    return sum("engine: cancelled" in line for line in server.lines)


def raw(server: Server, data: bytes) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(data)
    return connection


def request_of(value: dict[str, Any]) -> bytes:
    data = json.dumps(value).encode()
    head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


@pytest.mark.parametrize("stream", [True, False])
def test_client_that_hangs_up_ends_the_generation_at_the_next_token(server: Server, stream: bool) -> None:
    before, begun = cancelled(server), sum("engine: begun" in line for line in server.lines)
    connection = raw(server, request_of(body(ENDLESS, stream=stream)))
    server.wait_for_line("engine: begun", begun + 1)
    connection.close()
    server.wait_for_line("engine: cancelled", before + 1)
    assert server.logged(hung_up=True)


def test_client_that_hangs_up_ends_all_its_answers(server: Server) -> None:
    before = cancelled(server)
    with httpx2.stream("POST", f"{server.url}/v1/completions", json=body(ENDLESS, n=4, stream=True)) as response:
        next(response.iter_lines())
    server.wait_for_line("engine: cancelled", before + 4)


def test_clients_cut_again_and_again_leave_nothing_behind(server: Server) -> None:
    process = psutil.Process(server.process.pid)

    def cut(number: int) -> None:
        connection = raw(server, request_of(body(ENDLESS, stream=number % 2 == 0)))
        if number % 3:
            connection.recv(10) if number % 2 == 0 else time.sleep(0.005)
        connection.close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(cut, range(CUTS)))
    waiting = "goassist_running 0.0"
    deadline_s = time.monotonic() + 60
    while waiting not in httpx2.get(f"{server.url}/metrics").text and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert waiting in httpx2.get(f"{server.url}/metrics").text
    assert post(server, SHORT).json()["choices"][0]["text"] == "a"
    assert len(process.net_connections()) < 20


def test_full_queue_is_said_with_when_to_come_again(server: Server) -> None:
    # Four are let in (two slots), three wait.
    connections = [raw(server, request_of(body(ENDLESS))) for _ in range(7)]
    deadline_s = time.monotonic() + 60
    while "goassist_waiting 3.0" not in httpx2.get(f"{server.url}/metrics").text and time.monotonic() < deadline_s:
        time.sleep(0.05)
    try:
        refused = post(server, SHORT)
    finally:
        for connection in connections:
            connection.close()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
    assert int(refused.headers["retry-after"]) >= 1
    server.wait_for_line('"hung_up": true', 7)
    assert post(server, SHORT).status_code == 200


def test_slow_connections_are_closed_and_keep_nobody_waiting(server: Server) -> None:
    slow = [raw(server, b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ") for _ in range(500)]
    try:
        assert post(server, SHORT).status_code == 200
        assert [connection.recv(1000) for connection in slow] == [b""] * 500
    finally:
        for connection in slow:
            connection.close()


def test_slow_body_is_refused(server: Server) -> None:
    with raw(server, request_of(body(SHORT))[:-5]) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_answer_that_takes_too_long_is_an_error() -> None:
    with serving("--timeout", "0.5") as server:
        whole = post(server, ENDLESS)
        assert (whole.status_code, whole.json()["error"]["code"]) == (504, "timeout")
        lines = post(server, ENDLESS, stream=True).text.strip().split("\n\n")
        assert '"text":"x"' in lines[0]
        assert json.loads(lines[-1].removeprefix("data: "))["error"]["code"] == "timeout"
        server.wait_for_line("engine: cancelled", 2)


def test_stopping_server_answers_what_is_under_way() -> None:
    with serving() as server, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(post, server, '//fake {"say": ["a b c d e f"], "token_s": 0.05}')
        server.wait_for_line("engine: begun")
        assert server.stop() == 0
        assert slow.result().json()["choices"][0]["text"] == "a b c d e f"
        server.wait_for_line("engine: closed")
        with pytest.raises(httpx2.ConnectError):
            post(server, SHORT)


def test_stopping_server_tells_those_for_whom_it_cannot_wait() -> None:
    with serving("--stop-timeout", "0.3") as server, ThreadPoolExecutor(2) as threads:
        whole, streamed = (threads.submit(post, server, ENDLESS, stream=stream) for stream in (False, True))
        server.wait_for_line("engine: begun", 2)
        assert server.stop() == 0
        assert (whole.result().status_code, whole.result().json()["error"]["code"]) == (503, "stopping")
        assert '"code":"stopping"' in streamed.result().text


def test_server_stopped_under_load_answers_or_says_why_not() -> None:
    """Plain, streamed and checked requests, more than there is room for, from clients that ask again and again."""
    checked = 'package main\n\nfunc f() {\n\t//fake {"say": ["_ = 1"], "token_s": 0.02}\n\t'
    kinds: list[tuple[str, dict[str, Any]]] = [
        ('//fake {"say": ["a b c d"], "token_s": 0.02}', {}),
        ('//fake {"say": ["a b c d"], "token_s": 0.02}', {"stream": True}),
        (checked, {"suffix": "\n}\n", "compile_check": True}),
        (checked, {"suffix": "\n}\n", "compile_check": True, "stream": True}),
        (ENDLESS, {"stream": True}),
    ]
    found: list[str] = []
    with serving("--slots", "2", "--queue", "6", "--stop-timeout", "0.5") as server:

        def ask(number: int) -> None:
            while True:
                prompt, more = kinds[number % len(kinds)]
                try:
                    response = post(server, prompt, **more)
                except httpx2.ConnectError:
                    return  # nobody listens any more
                found.append(_outcome(response))

        with ThreadPoolExecutor(16) as threads:
            asking = [threads.submit(ask, number) for number in range(16)]
            deadline_s = time.monotonic() + 60
            while found.count("answer") < 20 and time.monotonic() < deadline_s:
                time.sleep(0.01)
            children = psutil.Process(server.process.pid).children(recursive=True)
            assert server.stop() == 0
            for one in asking:
                one.result()
        assert psutil.wait_procs(children, timeout=30)[1] == []
    assert found.count("answer") >= 20
    assert set(found) <= {"answer", "429 queue_full", "503 stopping", "stream: stopping"}, set(found)
    assert "stream: stopping" in found


def _outcome(response: httpx2.Response) -> str:
    if response.status_code != 200:
        return f"{response.status_code} {response.json()['error']['code']}"
    if not response.headers["content-type"].startswith("text/event-stream"):
        return "answer" if response.json()["choices"][0]["text"] else "no text"
    if "data: [DONE]" in response.text:
        return "answer"
    return "stream: " + ("stopping" if '"code":"stopping"' in response.text else "cut off")


def test_stopped_server_leaves_no_process() -> None:
    with serving() as server:
        post(server, 'package main\n\nfunc f() {\n\t//fake {"say": ["_ = 1"]}\n\t', suffix="\n}\n", compile_check=True)
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children, "the type service has not been started"
        assert server.stop() == 0
        assert psutil.wait_procs(children, timeout=30)[1] == []


def test_prompts_are_not_in_the_log_unless_asked_for(server: Server) -> None:
    post(server, f"a very secret thing\n{SHORT}")
    request_id = "mine-1"
    httpx2.post(
        f"{server.url}/v1/completions", json=body(f"a very secret thing\n{SHORT}"), headers={"x-request-id": request_id}
    )
    server.logged(request_id=request_id)
    assert not any("secret" in line for line in server.lines)
    with serving("--log-prompts") as talkative:
        post(talkative, f"a very secret thing\n{SHORT}")
        (record,) = talkative.logged(path="/v1/completions")
        assert "a very secret thing" in record["prompt"]


def test_request_ids_are_taken_over_where_they_are_fit_for_a_log(server: Server) -> None:
    for given, taken in (("abc-1", True), ("a b", False), ("x" * 500, False)):
        response = httpx2.get(f"{server.url}/healthz", headers={"x-request-id": given})
        assert (response.headers["x-request-id"] == given) is taken
        assert re.fullmatch(r"[\w.:-]+", response.headers["x-request-id"])


def test_memory_stays_flat_over_refused_bodies(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    large = json.dumps(body("x" * 10_000_000))

    def refused() -> None:
        response = httpx2.post(
            f"{server.url}/v1/completions", content=large, headers={"content-type": "application/json"}
        )
        assert response.status_code == 413

    for _ in range(3):
        refused()
    before = process.memory_info().rss
    threads = [threading.Thread(target=lambda: [refused() for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.memory_info().rss < before + 50 * 2**20
