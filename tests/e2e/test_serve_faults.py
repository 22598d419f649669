"""A backend that is killed under load: every request ends with an answer or a clear error, and the server lives."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil

from support.serving import REAL, serving

KILLS = 50
BACKEND = Path(__file__).parent.parent / "support" / "small_backend.py"


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def backend(port: str) -> Iterator[None]:
    """A backend while it lives; then it is killed, with all that it was saying."""
    process = subprocess.Popen([sys.executable, "-E", "-S", str(BACKEND), port], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        process.communicate()


def test_backend_killed_under_load_costs_errors_and_nothing_else() -> None:
    port = free_port()
    ended = threading.Event()
    outcomes: Counter[str] = Counter()

    def ask(url: str, stream: bool) -> None:
        with httpx2.Client(timeout=60) as client:
            while not ended.is_set():
                body = {"prompt": "x", "stream": stream}
                response = client.post(f"{url}/v1/completions", json=body)
                outcomes[outcome(response)] += 1

    with serving("--backend", f"http://127.0.0.1:{port}", command=REAL) as front, ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask, front.url, number % 2 == 0) for number in range(4)]
        try:
            for kill in range(KILLS):
                before, deadline_s = outcomes["answer"], time.monotonic() + 60
                with backend(port):
                    while outcomes["answer"] == before and time.monotonic() < deadline_s:
                        time.sleep(0.01)
                assert front.process.poll() is None, kill
        finally:
            ended.set()
        for one in asking:
            one.result()
        assert set(outcomes) <= {"answer", "502 model_unavailable", "error in the stream: model_unavailable"}, outcomes
        assert outcomes["answer"] >= KILLS
        assert outcomes["502 model_unavailable"] > 0
        with backend(port):
            assert outcome(httpx2.post(f"{front.url}/v1/completions", json={"prompt": "x"})) == "answer"
            figures = httpx2.get(f"{front.url}/metrics").text
            assert "goassist_running 0.0" in figures
            assert "goassist_waiting 0.0" in figures
        children = psutil.Process(front.process.pid).children(recursive=True)
        assert front.stop() == 0
        assert psutil.wait_procs(children, timeout=30)[1] == []


def outcome(response: httpx2.Response) -> str:
    if response.status_code != 200:
        return f"{response.status_code} {response.json()['error']['code']}"
    if response.headers["content-type"] == "application/json":
        return "answer" if response.json()["choices"][0]["text"] == "a b c d e f g h" else "another text"
    if "data: [DONE]" in response.text:
        return "answer"
    return "error in the stream: " + ("model_unavailable" if '"code":"model_unavailable"' in response.text else "none")
