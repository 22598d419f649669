"""A completions server as a peer: what it is asked, and its text as it came."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from goassist_index.errors import ModelError
from goassist_lsp.cli.eval.peer_endpoint import PREFIX_CHARS, SUFFIX_CHARS, endpoint_system, window
from goassist_models.evaluate.example import Answer, Question


class Completions(BaseHTTPRequestHandler):
    """Streams `say` in one piece; while `hold` is set, goes on until its client leaves."""

    bodies: list[dict[str, Any]]
    say: str
    status: int
    hold: threading.Event
    gone: threading.Event

    def do_POST(self) -> None:
        kind = type(self)
        kind.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(kind.status)
        self.end_headers()
        choice = {"index": 0, "text": kind.say, "logprobs": {"token_logprobs": [-0.25]}, "finish_reason": "stop"}
        try:
            while kind.hold.is_set():
                self.wfile.write(b'data: {"choices": [{"index": 0, "text": "x"}]}\n\n')
                self.wfile.flush()
            self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\ndata: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            kind.gone.set()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Completions]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("GOASSIST_API_KEY", raising=False)
    fields = {"bodies": [], "say": "x\n}\n", "status": 200, "hold": threading.Event(), "gone": threading.Event()}
    handler: type[Completions] = type("OneServer", (Completions,), fields)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{listener.server_port}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    yield handler
    handler.hold.clear()
    listener.shutdown()
    thread.join()
    listener.server_close()


async def ask(server: type[Completions], marked: str) -> Answer:
    system = await endpoint_system(server.url, "remote", model="big")  # type: ignore[attr-defined]
    try:
        text, offset = marked.replace("|", "", 1), marked.index("|")
        return await system.ask(Question(Path(), Path("f.go"), text, offset))
    finally:
        await system.close()


async def test_the_text_comes_back_as_it_is(server: type[Completions]) -> None:
    answer = await ask(server, "\tx := |\n}\n")
    assert [(edit.start, edit.end, edit.text) for edit in answer.edits] == [(6, 6, "x\n}\n")]
    assert (answer.mean_logprob, answer.generated_tokens, answer.cpu_s) == (-0.25, 1, None)


@pytest.mark.parametrize(("marked", "tokens"), [("\tx := |\n", 64), ("{\n\t|\n}\n", 160)])
async def test_asks_for_a_line_or_for_more(server: type[Completions], marked: str, tokens: int) -> None:
    await ask(server, marked)
    body = server.bodies[0]
    assert (body["prompt"], body["suffix"]) == tuple(marked.split("|"))
    assert (body["max_tokens"], body["temperature"], body["model"]) == (tokens, 0.0, "big")


async def test_no_text_is_silence(server: type[Completions]) -> None:
    server.say = ""
    assert (await ask(server, "x|")).silent_because == "the model ends at once"


async def test_a_refusal_is_an_error(server: type[Completions]) -> None:
    server.status = 500
    with pytest.raises(ModelError, match="status 500"):
        await ask(server, "x|")


async def test_a_cancelled_question_leaves_the_server(server: type[Completions]) -> None:
    server.hold.set()
    asking = asyncio.create_task(ask(server, "x|"))
    while not server.bodies:
        await asyncio.sleep(0.005)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await asyncio.to_thread(server.gone.wait, 10)


def test_the_window_is_whole_lines() -> None:
    text = "line\n" * 5000
    prefix, suffix = window(text, 12502)
    assert prefix.startswith("line\n")
    assert prefix.endswith("line\nli")
    assert suffix.endswith("line\n")
    assert PREFIX_CHARS - 5 <= len(prefix) <= PREFIX_CHARS
    assert SUFFIX_CHARS - 5 <= len(suffix) <= SUFFIX_CHARS
