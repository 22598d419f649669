"""The remote engine against a small completions server in this process."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from goassist_index.errors import ModelError
from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.openai import OpenAIEngine
from goassist_models.infill import AS_GIVEN, FORMS, InfillPrompt, Segment

Answer = Callable[[dict[str, Any]], list[dict[str, Any]]]


class Server(BaseHTTPRequestHandler):
    """Streams what `answer` returns for each request's body, one event a piece, then waits if told to."""

    answer: Answer
    bodies: list[dict[str, Any]]
    keys: list[str | None]
    status = 200
    hold = threading.Event()
    gone: threading.Event

    def do_GET(self) -> None:
        self._send(200, json.dumps({"data": [{"id": "served-model"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).bodies.append(body)
        type(self).keys.append(self.headers.get("Authorization"))
        if self.status != 200:
            self._send(self.status, b'{"error": "no such model"}')
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for choice in type(self).answer(body):
                self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
                self.wfile.flush()
            while self.hold.is_set():  # a server that goes on generating until its client leaves
                self.wfile.write(b'data: {"choices": [{"index": 0, "text": "x"}]}\n\n')
                self.wfile.flush()
                time.sleep(0.001)
            self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            type(self).gone.set()

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


def pieces(*texts: str, index: int = 0, reason: str | None = "stop") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"index": index, "text": text, "logprobs": {"token_logprobs": [-0.5]}} for text in texts
    ]
    found[-1]["finish_reason"] = reason
    return found


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("GOASSIST_API_KEY", raising=False)
    handler = type(
        "OneServer", (Server,), {"bodies": [], "keys": [], "hold": threading.Event(), "gone": threading.Event()}
    )
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{listener.server_port}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    yield handler
    handler.hold.clear()
    listener.shutdown()
    thread.join()
    listener.server_close()


async def ask(server: type[Server], prompt: InfillPrompt, answer: Answer, **wanted: Any) -> Any:
    server.answer = staticmethod(answer)  # type: ignore[assignment]
    style = wanted.pop("style", "raw")
    engine = OpenAIEngine(server.url, style=style)  # type: ignore[attr-defined]
    cancel = wanted.pop("cancel", CancelToken())
    try:
        return await engine.generate(GenerateRequest(prompt, **{"max_tokens": 20} | wanted), cancel)
    finally:
        await engine.close()


def prompt(prefix: str, form: str = "joined") -> InfillPrompt:
    return InfillPrompt(FORMS[form], prefix, "\n}\n")


async def test_raw_prompt_holds_the_special_tokens_in_the_forms_order(server: type[Server]) -> None:
    (answer,) = await ask(server, prompt("fmt."), lambda body: pieces("Println", "()"))
    assert (answer.text, answer.finish_reason, answer.tokens, answer.mean_logprob) == ("Println()", "eos", 2, -0.5)
    assert server.bodies[0]["prompt"] == "<|fim_prefix|><|fim_suffix|>\n}\n<|fim_middle|>fmt."
    assert server.bodies[0]["model"] == "served-model"


async def test_suffix_style_leaves_the_layout_to_the_server(server: type[Server]) -> None:
    await ask(server, prompt("fmt."), lambda body: pieces("x"), style="suffix")
    assert (server.bodies[0]["prompt"], server.bodies[0]["suffix"]) == ("fmt.", "\n}\n")


async def test_partial_word_is_taken_back_and_cut_off_the_answer(server: type[Server]) -> None:
    (answer,) = await ask(server, prompt("fmt.Pri"), lambda body: pieces("Print", "ln()"))
    assert server.bodies[0]["prompt"].endswith("<|fim_middle|>fmt.")
    assert answer.text == "ntln()"


async def test_tabs_before_the_cursor_are_taken_back(server: type[Server]) -> None:
    (answer,) = await ask(server, prompt("{\n\t\t"), lambda body: pieces("\t\treturn"))
    assert server.bodies[0]["prompt"].endswith("{\n")
    assert answer.text == "return"


async def test_answer_against_what_was_typed_is_asked_for_again_as_typed(server: type[Server]) -> None:
    (answer,) = await ask(
        server, prompt("fmt.Pri"), lambda body: pieces("Close()" if body["prompt"].endswith("fmt.") else "ntln()")
    )
    assert [body["prompt"].rsplit(">", 1)[1] for body in server.bodies] == ["fmt.", "fmt.Pri"]
    assert answer.text == "ntln()"


async def test_form_that_is_not_healed_sends_all_that_was_typed(server: type[Server]) -> None:
    await ask(server, prompt("fmt.Pri", "psm"), lambda body: pieces("ntln"))
    assert server.bodies[0]["prompt"] == "<|fim_prefix|>fmt.Pri<|fim_suffix|>\n}\n<|fim_middle|>"


async def test_first_of_several_is_greedy_the_others_sampled(server: type[Server]) -> None:
    answers = await ask(
        server,
        prompt("("),
        lambda body: [piece for index in range(body["n"]) for piece in pieces(f"{body['temperature']}", index=index)],
        n=3,
    )
    assert [answer.text for answer in answers] == ["0.0", "0.6", "0.6"]


async def test_length_is_told_from_the_end(server: type[Server]) -> None:
    (answer,) = await ask(server, prompt("("), lambda body: pieces("a", reason="length"))
    assert answer.finish_reason == "length"


async def test_until_leaves_the_stream_and_the_server_notices(server: type[Server]) -> None:
    server.hold.set()
    (answer,) = await ask(
        server, prompt("("), lambda body: pieces("a", "\n", reason=None), until=lambda text: "\n" in text
    )
    assert (answer.text, answer.finish_reason) == ("a\n", "stop")
    assert await asyncio.to_thread(server.gone.wait, 30)


async def test_cancel_leaves_the_stream_with_the_text_so_far(server: type[Server]) -> None:
    server.hold.set()
    cancel = CancelToken()

    def until(text: str) -> bool:
        cancel.cancel()
        return False

    (answer,) = await ask(server, prompt("("), lambda body: pieces("a", reason=None), until=until, cancel=cancel)
    assert answer.finish_reason == "cancelled"
    assert answer.text.startswith("a")
    assert await asyncio.to_thread(server.gone.wait, 30)


async def test_refusal_is_an_error_with_the_servers_words(server: type[Server]) -> None:
    server.status = 404
    with pytest.raises(ModelError, match=r"404: .*no such model"):
        await ask(server, prompt("("), lambda body: [])


async def test_server_that_is_not_there_is_an_error_with_its_address(server: type[Server]) -> None:
    engine = OpenAIEngine("http://127.0.0.1:9/v1/", model="m")
    with pytest.raises(ModelError, match="does not answer") as raised:
        await engine.generate(GenerateRequest(prompt("("), 5), CancelToken())
    assert raised.value.path == "http://127.0.0.1:9/v1"
    await engine.close()


async def test_key_is_sent_when_there_is_one(server: type[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_API_KEY", "abc")
    await ask(server, prompt("("), lambda body: pieces("x"))
    assert server.keys == ["Bearer abc"]


async def test_prompt_that_was_laid_out_already_is_sent_as_it_is(server: type[Server]) -> None:
    given = InfillPrompt(
        AS_GIVEN, "", "", given=(Segment("<|im_start|>", special=True), Segment("user", special=False))
    )
    await ask(server, given, lambda body: pieces("x"), style="suffix")
    assert (server.bodies[0]["prompt"], "suffix" in server.bodies[0]) == ("<|im_start|>user", False)


async def test_as_many_requests_as_allowed_are_under_way_at_once(server: type[Server]) -> None:
    both = threading.Barrier(2, timeout=30)

    def answer(body: dict[str, Any]) -> list[dict[str, Any]]:
        both.wait()  # answers nobody before both have asked
        return pieces("x")

    server.answer = staticmethod(answer)  # type: ignore[attr-defined]
    engine = OpenAIEngine(server.url, model="m", at_once=2)  # type: ignore[attr-defined]
    try:
        wanted = GenerateRequest(prompt("("), max_tokens=5)
        answers = await asyncio.gather(*(engine.generate(wanted, CancelToken()) for _ in range(2)))
    finally:
        await engine.close()
    assert [answer[0].text for answer in answers] == ["x", "x"]
