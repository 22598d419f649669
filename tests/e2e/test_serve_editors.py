"""What editors that speak only OpenAI's API, or llama.cpp's, are documented or were seen to send, word for word.

Continue: what the autocompletion of its npm package @continuedev/core 1.1.0 sent here. llama.vscode: its source,
src/llama-server.ts. Zed: its source, crates/edit_prediction (fim.rs, open_ai_compatible.rs).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from support.serving import Server, serving

SAY = '//fake {"say": ["strings.ToUpper(s)"]}\n'
BEFORE = 'package main\n\nimport "strings"\n\nfunc upper(s string) string {\n\treturn '
AFTER = f"\n}}\n\n{SAY}"
LAID_OUT = f"<|fim_prefix|>\n// main.go\n{BEFORE}<|fim_suffix|>{AFTER}<|fim_middle|>"
TOKENS = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"]
CONTINUE_STOPS = [*TOKENS, "<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>", "/src/", "```"]
ZED_STOPS = [*TOKENS, "<|file_separator|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<PRE>", "<SUF>", "<MID>"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("--embeddings") as started:
        yield started


def post(server: Server, path: str, body: dict[str, Any]) -> httpx2.Response:
    response = httpx2.post(f"{server.url}{path}", json=body, timeout=60)
    assert response.status_code == 200, response.text
    return response


def streamed(response: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.strip().split("\n\n")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_continue_completes_and_chats(server: Server) -> None:
    body = {"model": "qwen2.5-coder", "max_tokens": 4096, "temperature": 0.01, "stream": True, "stop": CONTINUE_STOPS}
    events = streamed(post(server, "/v1/completions", {**body, "prompt": LAID_OUT}))
    assert "".join(event["choices"][0]["text"] for event in events) == "strings.ToUpper(s)"
    turns = [{"role": "user", "content": SAY}]
    more = {"stream_options": {"include_usage": True}}
    events = streamed(post(server, "/v1/chat/completions", {**body, **more, "messages": turns, "stop": None}))
    said = [choice["delta"].get("content", "") for event in events for choice in event["choices"]]
    assert "".join(said) == "strings.ToUpper(s)"
    assert events[-1]["usage"]["completion_tokens"] > 0


def test_zed_predicts_edits(server: Server) -> None:
    prompt = f"<|fim_prefix|>{BEFORE}<|fim_suffix|>{AFTER}<|fim_middle|>"
    asked = {"model": "goassist", "prompt": prompt, "max_tokens": 64, "stop": [*ZED_STOPS, "[PREFIX]", "[SUFFIX]"]}
    told = post(server, "/v1/completions", asked).json()
    # What Zed takes the answer apart into: all of it has to be there.
    assert (told["choices"][0]["text"], told["choices"][0]["finish_reason"]) == ("strings.ToUpper(s)", "stop")
    assert {key: type(told[key]) for key in ("id", "object", "created", "model")} == {
        "id": str,
        "object": str,
        "created": int,
        "model": str,
    }
    assert all(told["usage"][f"{name}_tokens"] > 0 for name in ("prompt", "completion", "total"))


def test_llama_vscode_completes_edits_and_embeds(server: Server) -> None:
    chunks = [{"text": "func other() {}\n", "time": 1733000000000, "filename": "other.go"}]
    sampling = {"top_k": 40, "top_p": 0.99, "stream": False, "samplers": ["top_k", "top_p", "infill"]}
    times = {"cache_prompt": True, "t_max_prompt_ms": 500, "t_max_predict_ms": 1000}
    place = {"input_prefix": BEFORE.rpartition("\t")[0], "input_suffix": AFTER, "prompt": "\treturn ", "n_indent": 1}
    asked = {**place, "input_extra": chunks, "n_predict": 128, **sampling, **times}
    told = post(server, "/infill", asked).json()
    assert told["content"] == "strings.ToUpper(s)"
    assert {"prompt_n", "prompt_ms", "predicted_n", "predicted_ms"} <= set(told["timings"])
    nothing = {"input_prefix": "", "input_suffix": "", "prompt": "", "n_predict": 0, "samplers": []}
    assert post(server, "/infill", {**nothing, "input_extra": chunks, **times}).json()["content"] == ""
    turns = [{"role": "system", "content": "You are an expert coder."}, {"role": "user", "content": SAY}]
    edit = {"messages": turns, **sampling, "samplers": "edkypmxt", "temperature": 0.8, "min_p": 0.05, "max_tokens": -1}
    answer = post(server, "/v1/chat/completions", edit).json()
    assert answer["choices"][0]["message"]["content"] == "strings.ToUpper(s)"
    # With its own setting for servers that have OpenAI's API alone.
    plain = {"model": "", "prompt": LAID_OUT, "max_tokens": 128, "temperature": 0.1, "top_p": 0.99, "stream": False}
    assert post(server, "/v1/completions", plain).json()["choices"][0]["text"] == "strings.ToUpper(s)"
    vector = post(server, "/v1/embeddings", {"input": "text", "model": "GPT-4", "encoding_format": "float"}).json()
    assert len(vector["data"][0]["embedding"]) > 10


@pytest.mark.parametrize("tokens", [0, -2])
def test_other_numbers_of_tokens_below_one_are_refused(server: Server, tokens: int) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": tokens}
    refused = httpx2.post(f"{server.url}/v1/chat/completions", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "max_tokens")
