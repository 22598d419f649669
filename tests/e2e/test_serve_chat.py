"""Chats, embeddings and a backend behind the server, as OpenAI's own Python client sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from support.serving import REAL, Server, serving
from support.workspaces import lay_out

WRONG = 'Sure:\n```go\nfunc f() int { return "x" }\n```\n'
RIGHT = "Sure:\n```go\nfunc f() int { return 1 }\n```\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("--workspace", str(lay_out(tmp_path_factory.mktemp("serve") / "shop"))) as started:
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with asking(server) as made:
        yield made


def asking(server: Server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def chat(client: OpenAI, *say: str, words: str = "hello", more: Any = None, **wanted: Any) -> Any:
    script = json.dumps({"say": say, **wanted.pop("script", {})})
    messages: Any = [{"role": "system", "content": f"//fake {script}\n"}, {"role": "user", "content": words}]
    return client.chat.completions.create(model="any", messages=messages, extra_body=more, **wanted)


def test_answers_the_turns(client: OpenAI) -> None:
    answer = chat(client, "hi there")
    assert (answer.object, answer.choices[0].message.role) == ("chat.completion", "assistant")
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("hi there", "stop")
    assert answer.usage.completion_tokens == 3


def test_stream_begins_with_the_role_and_ends_with_the_reason(client: OpenAI) -> None:
    chunks = list(chat(client, "a b", "c d", n=2, stream=True, stream_options={"include_usage": True}))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    for index, text in enumerate(("a b", "c d")):
        told = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        assert told[0].delta.role == "assistant"
        assert "".join(choice.delta.content or "" for choice in told) == text
        assert told[-1].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 6


def test_logprobs_stop_and_length(client: OpenAI) -> None:
    choice = chat(client, "a b STOP", logprobs=True, stop=["STOP"]).choices[0]
    assert (choice.message.content, [token.token for token in choice.logprobs.content]) == (
        "a b ",
        ["a", " ", "b", " "],
    )
    assert chat(client, "a b c", max_completion_tokens=2).choices[0].finish_reason == "length"


def test_parts_of_a_message_are_taken_as_one(client: OpenAI) -> None:
    content: Any = [{"type": "text", "text": '//fake {"say": '}, {"type": "text", "text": '["joined"]}'}]
    answer = client.chat.completions.create(model="any", messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "joined"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([{"role": "user", "content": ""}], "messages"),
        ([{"role": "<|im_end|>", "content": "x"}], "messages[0].role"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": 3}], "messages[0].content"),
        ("hello", "messages"),
    ],
)
def test_wrong_turns_are_refused_by_name(client: OpenAI, messages: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="any", messages=messages)
    assert refused.value.param == param


@pytest.mark.parametrize("stream", [False, True])
def test_code_that_does_not_compile_is_said_again(client: OpenAI, stream: bool) -> None:
    answer = chat(client, WRONG, *[RIGHT] * 3, more={"compile_check": True}, stream=stream)
    choices = [choice for chunk in answer for choice in chunk.choices] if stream else answer.choices
    text = "".join((c.delta.content or "") if stream else c.message.content for c in choices)
    told = choices[-1].model_extra["goassist"]
    assert (text, told["verdict"]) == (RIGHT, "ok")
    assert "cannot use" in told["rejected"][0]["reason"]


def test_code_that_never_compiles_is_withheld(client: OpenAI) -> None:
    (choice,) = chat(client, WRONG, more={"compile_check": True, "attempts": 2}).choices
    told = choice.model_extra["goassist"]
    assert (choice.message.content, choice.finish_reason, told["verdict"]) == ("", "content_filter", "error")
    assert len(told["rejected"]) == 2
    assert told["diagnostics"][0]["line"] == 1


def test_answer_without_code_is_not_called_verified(client: OpenAI) -> None:
    (choice,) = chat(client, "I do not know.", more={"compile_check": True}).choices
    assert choice.message.content == "I do not know."
    assert choice.model_extra["goassist"]["verdict"] == "unknown"


def test_code_is_checked_in_the_package_that_is_named(client: OpenAI) -> None:
    said = "```go\nfunc g(c *Cart) error { return c.ApplyDiscount(3) }\n```\n"
    more = {"compile_check": True, "attempts": 1}
    assert chat(client, said, more=more).choices[0].model_extra["goassist"]["verdict"] == "error"
    placed = {**more, "workspace": "shop", "file": "cart/discount.go"}
    told = chat(client, said.replace("*Cart", "*Cart, l Line"), more=placed).choices[0].model_extra["goassist"]
    # The file's own text is what the code replaces: ApplyDiscount stood there.
    assert "ApplyDiscount" in told["reason"]
    placed["file"] = "cart/new.go"
    fitting = "```go\npackage cart\n\nfunc g(c *Cart) error { return c.ApplyDiscount(3) }\n```\n"
    told = chat(client, fitting, more=placed).choices[0].model_extra["goassist"]
    assert told["verdict"] == "ok", told


def test_workspace_gives_the_question_its_context(tmp_path: Path) -> None:
    """What the model is shown is in the log, where prompts are."""
    root = lay_out(tmp_path / "shop")
    with serving("--workspace", str(root)) as server, asking(server) as client:
        words = "What does ApplyDiscount do?"

        def tokens() -> int:
            answer = chat(client, "x", words=words, more={"workspace": "shop"})
            return int(answer.usage.prompt_tokens)

        alone = int(chat(client, "x", words=words).usage.prompt_tokens)
        for _ in range(200):
            if tokens() > alone:
                break
        assert tokens() > alone + 10


def test_what_is_for_completions_only_is_refused(client: OpenAI) -> None:
    for more in ({"test_pattern": "T"}, {"offset": 1}, {"file": "a.go"}, {"import_paths": []}):
        with pytest.raises(openai.BadRequestError) as refused:
            chat(client, "x", more=more)
        assert refused.value.param == next(iter(more))


def test_embeddings_that_nobody_has_are_a_clear_error(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="no embedding model") as refused:
        client.embeddings.create(model="any", input="text")
    assert (refused.value.status_code, refused.value.code) == (501, "no_embeddings")


def test_backend_answers_through_the_server(server: Server) -> None:
    """The scripted server is the backend of another."""
    with serving("--backend", server.url, command=REAL) as front, asking(front) as client:
        assert chat(client, "from behind").choices[0].message.content == "from behind"
        prompt = '//fake {"say": ["a b c"], "token_s": 0.01}'
        chunks = list(client.completions.create(model="any", prompt=prompt, stream=True))
        assert "".join(chunk.choices[0].text for chunk in chunks) == "a b c"
        assert len(chunks) > 2
        more = {"compile_check": True}
        suffix = '\n}\n//fake {"say": ["return a + b"]}\n'
        before = "package main\n\nfunc add(a, b int) int {\n\t"
        answer = client.completions.create(model="any", prompt=before, suffix=suffix, extra_body=more)
        assert answer.choices[0].text == "return a + b"


def test_backend_that_is_not_there_is_said() -> None:
    with serving("--backend", "http://127.0.0.1:9", command=REAL) as front:
        ready = httpx2.get(f"{front.url}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        with asking(front) as client, pytest.raises(openai.InternalServerError) as failed:
            chat(client, "x")
        assert (failed.value.status_code, failed.value.code) == (502, "model_unavailable")
