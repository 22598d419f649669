"""`/v1/completions` as OpenAI's own Python client sees it: a real server process with a scripted engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI

from support.serving import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def scripted(*say: str, **more: Any) -> str:
    return f"//fake {json.dumps({'say': say, **more})}\n"


def create(client: OpenAI, prompt: Any, **wanted: Any) -> Any:
    return client.completions.create(model="any", prompt=prompt, **wanted)


def test_answers_a_prompt_and_counts_tokens(client: OpenAI) -> None:
    answer = create(client, scripted("a + b"))
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason, choice.index, choice.logprobs) == ("a + b", "stop", 0, None)
    assert (answer.object, answer.model) == ("text_completion", "scripted")
    assert (answer.usage.completion_tokens, answer.usage.prompt_tokens > 5) == (5, True)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 5


def test_several_answers_to_several_prompts_are_numbered_through(client: OpenAI) -> None:
    answer = create(client, [scripted("a", "b"), scripted("c", "d")], n=2)
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


def test_max_tokens_ends_an_answer_with_length(client: OpenAI) -> None:
    (choice,) = create(client, scripted("a b c d"), max_tokens=3).choices
    assert (choice.text, choice.finish_reason) == ("a b", "length")


@pytest.mark.parametrize("stream", [False, True])
def test_stop_texts_end_an_answer_and_are_no_part_of_it(client: OpenAI, stream: bool) -> None:
    answer = create(client, scripted("one; two STOP three"), stop=["STOP", "never"], stream=stream)
    chunks = list(answer) if stream else [answer]
    assert "".join(chunk.choices[0].text for chunk in chunks) == "one; two "
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_beginning_of_a_stop_text_that_does_not_come_is_not_lost(client: OpenAI) -> None:
    stream = create(client, scripted("a STO b ST"), stop="STOP", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "a STO b ST"


def test_stream_tells_each_answer_piece_by_piece_and_its_usage_at_the_end(client: OpenAI) -> None:
    prompt = scripted("a b c", "d e f", token_s=0.01)
    chunks = list(create(client, prompt, n=2, stream=True, stream_options={"include_usage": True}))
    *told, usage = chunks
    texts = {index: [c.choices[0].text for c in told if c.choices[0].index == index] for index in (0, 1)}
    assert ("".join(texts[0]), "".join(texts[1])) == ("a b c", "d e f")
    assert len(texts[0]) > 2
    assert [c.choices[0].finish_reason for c in told if c.choices[0].finish_reason] == ["stop", "stop"]
    assert (usage.choices, usage.usage.completion_tokens) == ([], 10)
    assert len({chunk.id for chunk in chunks}) == 1


def test_logprobs_name_the_tokens_and_where_they_begin(client: OpenAI) -> None:
    (choice,) = create(client, scripted("a = b"), logprobs=1).choices
    assert choice.logprobs.tokens == ["a", " ", "=", " ", "b"]
    assert choice.logprobs.text_offset == [0, 1, 2, 3, 4]
    assert choice.logprobs.token_logprobs == [-0.5] * 5


def test_logprobs_end_where_the_stop_text_begins(client: OpenAI) -> None:
    (choice,) = create(client, scripted("a = b; c"), logprobs=1, stop=" b").choices
    assert (choice.text, choice.logprobs.tokens) == ("a =", ["a", " ", "="])


@pytest.mark.parametrize("stream", [False, True])
def test_echo_puts_the_prompt_before_the_answer(client: OpenAI, stream: bool) -> None:
    prompt = scripted("a b", "c d")
    answer = create(client, prompt, echo=True, n=2, stream=stream)
    chunks = list(answer) if stream else [answer]
    texts = ["", ""]
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        texts[choice.index] += choice.text
    assert texts == [f"{prompt}a b", f"{prompt}c d"]


def test_suffix_asks_for_what_stands_between(client: OpenAI) -> None:
    (choice,) = create(client, "x := ", suffix=f"\n{scripted('a + b')}").choices
    assert choice.text == "a + b"


def test_unknown_fields_are_left_aside_and_null_is_not_given(client: OpenAI) -> None:
    more = {"best_of": 3, "tools": [{}], "mirostat": 1, "stop": None, "seed": None}
    assert create(client, scripted("a"), extra_body=more).choices[0].text == "a"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("prompt", 3), ("prompt", ["a", 1]), ("n", "2"), ("n", 0), ("n", True), ("n", 10**9), ("max_tokens", -1)],
        *[("max_tokens", 1.5), ("temperature", "hot"), ("temperature", -1), ("top_p", 2), ("stop", {"a": 1})],
        *[("stop", ["x"] * 1000), ("stream", "yes"), ("echo", 1), ("logprobs", 99), ("seed", 10**40)],
        *[("stream_options", []), ("suffix", ["b"]), ("compile_check", "true"), ("import_paths", "fmt")],
        *[("offset", -1), ("attempts", 0), ("file", 1), ("workspace", {})],
    ],
)
def test_wrong_values_are_refused_by_the_fields_name(client: OpenAI, field: str, value: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, "p", extra_body={field: value})
    assert refused.value.param is not None
    assert refused.value.param.partition("[")[0] == field
    assert field in refused.value.message
    assert refused.value.type == "invalid_request_error"


def test_nothing_to_go_on_from_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="there is no prompt"):
        create(client, "")


def test_prompt_that_the_context_cannot_hold_is_refused_as_such(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, "word " * 20_000)
    assert refused.value.code == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_model_that_fails_is_told_before_anything_is_sent(client: OpenAI, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError, match="the model is gone") as failed:
        create(client, '//fake {"fail": "the model is gone"}', stream=stream)
    assert (failed.value.status_code, failed.value.code) == (502, "model_unavailable")


def test_what_nobody_foresaw_is_logged_with_the_requests_id_and_not_told(client: OpenAI, server: Server) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        create(client, '//fake {"crash": "a secret"}')
    assert (failed.value.status_code, failed.value.code) == (500, "internal")
    assert "secret" not in str(failed.value.body)
    (record,) = server.logged(request_id=failed.value.request_id, level="error")
    assert "ZeroDivisionError" in record["exception"]
    assert create(client, scripted("still here")).choices[0].text == "still here"


def test_models_are_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["scripted"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"[]", 400, "not a JSON object"),
        (b'{"a":' + b"[" * 50_000, 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b'{"prompt":"\\ud83d"}', 400, "not Unicode"),
        (b'{"prompt":"' + b"x" * 2**21 + b'"}', 413, "larger than"),
    ],
)
def test_body_that_cannot_be_read_is_refused(server: Server, body: bytes, status: int, said: str) -> None:
    headers = {"content-type": "application/json"}
    response = httpx2.post(f"{server.url}/v1/completions", content=body, headers=headers)
    assert (response.status_code, said in response.json()["error"]["message"]) == (status, True)


def test_body_that_is_announced_too_large_is_not_read(server: Server) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"prompt":"'
        yield b"x" * 2**21

    headers = {"content-type": "application/json"}
    response = httpx2.post(f"{server.url}/v1/completions", content=body(), headers=headers)
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/completions", 405), ("POST", "/v1/nothing", 404), ("POST", "/", 404)]
)
def test_what_is_not_there_is_an_error_of_the_same_shape(server: Server, method: str, path: str, status: int) -> None:
    response = httpx2.request(method, f"{server.url}{path}")
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_health_readiness_and_figures(client: OpenAI, server: Server) -> None:
    create(client, scripted("a b"))
    assert httpx2.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert httpx2.get(f"{server.url}/readyz").json() == {"status": "ready", "model": "scripted"}
    figures = httpx2.get(f"{server.url}/metrics").text
    assert 'goassist_requests_total{endpoint="/v1/completions",status="200"}' in figures
    assert 'goassist_tokens_total{kind="generated"}' in figures
    assert "goassist_running 0.0" in figures


def test_infill_is_answered_as_llama_cpps_own_server_does(server: Server) -> None:
    """The body is llama.vim's."""
    asked = {
        "id_slot": 0,
        "input_extra": [{"text": "func other() {}\n", "filename": "other.go", "time": 3}],
        "input_prefix": f"package main\n{scripted('a + b')}\n",
        "input_suffix": "\n}\n",
        "prompt": "\treturn ",
        "n_predict": 128,
        "stop": [],
        "n_indent": 1,
        **{"top_k": 40, "top_p": 0.9, "samplers": ["top_k", "top_p", "infill"], "stream": False, "cache_prompt": True},
        **{"t_max_prompt_ms": 500, "t_max_predict_ms": 250, "response_fields": ["content"], "seed": 4294967295},
    }
    answer = httpx2.post(f"{server.url}/infill", json=asked).json()
    assert (answer["content"], answer["tokens_predicted"], answer["timings/predicted_n"]) == ("a + b", 5, 5)
    reading = httpx2.post(f"{server.url}/infill", json={**asked, "prompt": "", "n_predict": 0}).json()
    assert reading["content"] == ""
    for field, value, param in (("stream", True, "stream"), ("input_extra", [3], "input_extra[0]")):
        refused = httpx2.post(f"{server.url}/infill", json={**asked, field: value})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
