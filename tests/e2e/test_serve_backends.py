"""Backends that are slow, or answer nonsense: a clear error for who asked, and nothing of it for all others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from support.serving import REAL, Server, serving

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of a backend that answers completions so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            saying(b'{"data": [{"id": "m"}]}', kind="application/json")(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    backend = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    backend.daemon_threads = True
    thread = threading.Thread(target=backend.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{backend.server_address[1]}"
    finally:
        backend.shutdown()
        thread.join()
        backend.server_close()


def saying(body: bytes, status: int = 200, kind: str = "text/event-stream", length: int | None = None) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("content-type", kind)
        request.send_header("content-length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return answer


def post(url: str, prompt: str = "x", **more: object) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/completions", json={"prompt": prompt, **more}, timeout=60)


@pytest.fixture(scope="module")
def front() -> Iterator[tuple[Server, list[Answer]]]:
    """A server before a backend that answers with whatever stands in the list."""
    current: list[Answer] = []
    with (
        answering(lambda request: current[0](request)) as backend,
        serving("--backend", backend, command=REAL) as server,
    ):
        yield server, current


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        saying(b"<html>It works!</html>", kind="text/html"),
        saying(b"data: [DONE]\n\n"),
        saying(b'{"choices": [{"text": "x"}]}', kind="application/json"),
        saying(b"data: {nonsense\n\n"),
        saying(b"data: [1, 2]\n\n"),
        saying(b'data: {"choices": [{"text": 7}]}\n\n'),
        saying(b'data: {"choices": "none"}\n\n'),
        saying(b"data: \xff\xfe\n\n"),
        saying(b'{"error": "overloaded"}', status=503, kind="application/json"),
        saying(b"", status=302),
        saying(b'data: {"choices": [', length=5000),
    ],
)
def test_nonsense_is_a_clear_error(front: tuple[Server, list[Answer]], answer: Answer, stream: bool) -> None:
    server, current = front
    current[:] = [answer]
    response = post(server.url, stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "model_unavailable")
    assert httpx2.get(f"{server.url}/healthz").status_code == 200


def test_backend_that_does_not_answer_keeps_nobody_longer_than_the_servers_limit() -> None:
    ended = threading.Event()
    with answering(lambda request: bool(ended.wait(60)) and None) as backend:
        arguments = ("--backend", backend, "--timeout", "1", "--backend-at-once", "2", "--queue", "2")
        with serving(*arguments, command=REAL) as front, ThreadPoolExecutor(6) as threads:
            asked = [threads.submit(post, front.url, stream=number % 2 == 0) for number in range(6)]
            begun_s = time.monotonic()
            while httpx2.get(f"{front.url}/healthz").status_code != 200:
                assert time.monotonic() < begun_s + 30
            told = sorted(one.result().json()["error"]["code"] for one in asked)
            assert set(told) <= {"timeout", "queue_full"} and told.count("timeout") >= 2
            figures = httpx2.get(f"{front.url}/metrics").text
            assert "goassist_running 0.0" in figures and "goassist_waiting 0.0" in figures
        ended.set()
