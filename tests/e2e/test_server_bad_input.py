"""What comes wrong: garbage, requests out of turn, failures inside. The server answers and lives on."""

from __future__ import annotations

import json

import pytest

from support.gofile import HOLE, go_file
from support.lsp_client import FAKE_SERVER, INLINE_CAPABILITIES, LspClient, LspError, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

URI = "file:///m/main.go"
SAY = "println(1)"
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, NOT_INITIALIZED = -32700, -32600, -32601, -32602, -32002


def body(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return b"Content-Length: %d\r\n\r\n%b" % (len(data), data)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
        (b"\x00\xff\xfe\n\n\r\n", None),
        (b"Content-Length: -5\r\n\r\n", None),
        (b"x" * 200_000 + b"\r\n", None),
        (body("{not json"), PARSE_ERROR),
        (body(b'{"a": "\xff"}'), PARSE_ERROR),
        (body("[" * 100_000), PARSE_ERROR),
        (body("[]"), INVALID_REQUEST),
        (body('"hello"'), INVALID_REQUEST),
        (body("{}"), None),
        (body('{"jsonrpc": "2.0", "method": 5}'), INVALID_REQUEST),
        (body('{"jsonrpc": "2.0", "id": 77}'), None),
        (body('{"jsonrpc": "2.0", "id": {}, "result": 1}'), INVALID_REQUEST),
        (body('{"jsonrpc": "2.0", "id": [1], "method": "shutdown"}'), INVALID_REQUEST),
        (body('{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"x": 1}}'), None),
        (body('{"jsonrpc": "2.0", "method": "no/such/notification"}'), None),
    ],
)
async def test_a_good_request_is_answered_behind_garbage(client: LspClient, garbage: bytes, code: int | None) -> None:
    client.open(URI, go_file(say=[SAY]))
    client.send_bytes(garbage)
    assert len(await client.inline(URI, *HOLE)) == 1
    assert [message["error"]["code"] for message in client.unmatched] == ([] if code is None else [code])


@pytest.mark.parametrize(
    "params",
    [
        None,
        [],
        {"textDocument": {"uri": URI}},
        {"textDocument": {"uri": URI}, "position": {"line": -1, "character": 0}, "context": {"triggerKind": 1}},
        {"textDocument": 3, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 1}},
    ],
)
async def test_parameters_that_cannot_be_read_are_refused_by_id(client: LspClient, params: object) -> None:
    with pytest.raises(LspError) as error:
        await client.request("textDocument/inlineCompletion", params)
    assert error.value.code == INVALID_PARAMS


async def test_requests_out_of_turn_are_refused() -> None:
    async with running(FAKE_SERVER) as client:
        with pytest.raises(LspError) as early:
            await client.command("goassist.status")
        assert early.value.code == NOT_INITIALIZED
        await client.initialize()
        with pytest.raises(LspError) as again:
            await client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        assert again.value.code == INVALID_REQUEST
        with pytest.raises(LspError) as unknown:
            await client.request("textDocument/hover", {"textDocument": {"uri": URI}, "position": {}})
        assert unknown.value.code in (METHOD_NOT_FOUND, INVALID_PARAMS)
        with pytest.raises(LspError) as foreign:
            await client.request("no/such/method")
        assert foreign.value.code == METHOD_NOT_FOUND
        await client.request("shutdown")
        with pytest.raises(LspError) as late:
            await client.command("goassist.status")
        assert late.value.code == INVALID_REQUEST
        client.notify("exit")
        assert await client.wait_for_end() == 0


async def test_a_failure_inside_is_told_once_logged_each_time_and_answered_with_nothing() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize()
        client.open(URI, go_file(fail="boom"))
        assert [await client.inline(URI, *HOLE) for _ in range(3)] == [[], [], []]
        (message,) = client.messages_shown()
        assert "ZeroDivisionError('boom')" in message
        assert client.methods().count("window/logMessage") == 3
        await client.wait_for_stderr("ZeroDivisionError: boom")
        assert "Traceback" in client.stderr
        client.open("file:///good.go", go_file(say=[SAY]))
        assert len(await client.inline("file:///good.go", *HOLE)) == 1


async def test_a_model_that_breaks_down_is_told_with_its_cure() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize()
        client.open(URI, go_file(fail_model="the weights are gone"))
        assert await client.inline(URI, *HOLE) == []
        assert await client.inline(URI, *HOLE) == []
        assert client.messages_shown() == ["goassist: the weights are gone. Do something about it."]


async def test_a_model_too_slow_for_the_machine_is_named_once() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize(options={"model": "qwen2.5-coder-1.5b"})
        for number in range(8):
            uri = f"file:///m/f{number}.go"
            client.open(uri, go_file(rate=2.0, say=[f"println({number})"]))
            assert len(await client.inline(uri, *HOLE)) == 1
        (message,) = client.messages_shown()
        assert "is slow on this machine" in message and "model pull qwen2.5-coder-0.5b" in message
        assert client.stderr == ""


async def test_a_problem_at_start_is_told_once() -> None:
    async with running(FAKE_SERVER, {"FAKE_PROBLEM": "the file is damaged"}) as client:
        await client.initialize()
        client.open(URI, go_file(say=[SAY]))
        await client.inline(URI, *HOLE)
        assert client.messages_shown() == ["goassist: m.gguf: the file is damaged. Pull the model again."]


async def test_what_native_code_prints_does_not_reach_the_protocol() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize()
        client.open(URI, go_file(say=[SAY], print="llama: loading\n"))
        assert len(await client.inline(URI, *HOLE)) == 1
        await client.wait_for_stderr("llama: loading")


async def test_initialize_and_status_are_answered_while_the_model_loads() -> None:
    async with running(FAKE_SERVER, {"FAKE_LOADING": "1"}) as client:
        await client.initialize(ready=False)
        client.open(URI, go_file(say=[SAY]))
        progress = await client.wait_for("$/progress", lambda p: p["value"]["kind"] == "report")
        assert (progress["value"]["message"], progress["value"]["percentage"]) == ("loading", 50)
        status = await client.command("goassist.status")
        assert status["types_ready"] is False
        assert await client.leave() == 0


async def test_progress_begins_and_ends() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize()
        await client.wait_for("window/workDoneProgress/create")
        values = [m["params"]["value"]["kind"] for m in client.received if m["method"] == "$/progress"]
        assert values[:1] in ([], ["begin"])  # loading may be over before the client has made its bar
        assert values.count("begin") == values.count("end")


async def test_a_client_without_progress_bars_hears_of_none() -> None:
    silent = {key: value for key, value in INLINE_CAPABILITIES.items() if key != "window"}
    async with running(FAKE_SERVER) as client:
        await client.initialize(capabilities=silent)
        assert not {"window/workDoneProgress/create", "$/progress"} & set(client.methods())


async def test_a_change_of_a_document_that_was_never_opened_is_passed_over() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize()
        client.insert(URI, 2, 0, 0, "x")
        client.open(URI, go_file(say=[SAY]))
        assert len(await client.inline(URI, *HOLE)) == 1


async def test_a_file_of_five_megabytes_gets_silence_and_costs_nobody_else() -> None:
    statements = "\tx()\n" * 1_000_000
    async with running(FAKE_SERVER) as client:
        await client.initialize()
        client.open("file:///big.go", f"package big\n\nfunc f() {{\n{statements}}}\n")
        client.insert("file:///big.go", 2, 500_000, 0, "y")
        assert await client.inline("file:///big.go", 500_000, 1) == []
        assert json.dumps(await client.command("goassist.explain"))
        client.open(URI, go_file(say=[SAY]))
        assert len(await client.inline(URI, *HOLE)) == 1


async def test_two_servers_share_a_workspace() -> None:
    async with running(FAKE_SERVER) as one, running(FAKE_SERVER) as two:
        clients: list[LspClient] = [one, two]
        for client in clients:
            await client.initialize()
            client.open(URI, go_file(say=[SAY]))
        for client in clients:
            assert len(await client.inline(URI, *HOLE)) == 1
            assert await client.leave() == 0
