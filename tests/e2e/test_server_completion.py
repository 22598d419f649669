"""Ghost text over real pipes: from the request to the item, and everything that may come between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.gofile import HOLE, go_file, told
from support.lsp_client import FAKE_SERVER, INLINE_CAPABILITIES, LspClient, LspError, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

URI = "file:///work%20space/main.go"
SAY = 'println("hi")'
REQUEST_CANCELLED = -32800


def whole(text: str) -> dict[str, Any]:
    return {"text": text}


async def test_an_item_has_text_range_and_command(client: LspClient) -> None:
    client.open(URI, go_file(say=[SAY]))
    place = {"line": HOLE[0], "character": HOLE[1]}
    (item,) = await client.inline(URI, *HOLE)
    command = item.pop("command")
    assert item == {"insertText": SAY, "range": {"start": place, "end": place}}
    assert command["command"] == "goassist.accept"
    assert command["arguments"][1:3] == [0, URI]


async def test_an_item_says_where_it_may_be_accepted_in_parts(client: LspClient) -> None:
    client.open(URI, go_file("\r\n", say=["println(1)\n\tprintln(`😀`)\n"]))
    (item,) = await client.inline(URI, *HOLE)
    units = item["insertText"].encode("utf-16-le")
    parts = [units[: 2 * point].decode("utf-16-le") for point in item["command"]["arguments"][3]]
    first = "println(1)\r\n\t"
    assert parts == ["println", "println(1)", f"{first}println", f"{first}println(`😀`)"]


async def test_a_part_that_fails_the_check_is_no_accept_point(client: LspClient) -> None:
    client.open(URI, go_file(say=["println(1)"], bad_alone="println"))
    (item,) = await client.inline(URI, *HOLE)
    assert item["command"]["arguments"][3] == [len("println(1)")]


async def test_a_candidate_that_fails_the_check_is_not_shown_and_explain_says_why(client: LspClient) -> None:
    client.open(URI, go_file(say=["BAD()"]))
    assert await client.inline(URI, *HOLE) == []
    assert "undefined: BAD" in await client.command("goassist.explain")


async def test_one_candidate_while_typing_and_several_when_asked_for_by_hand() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize(options={"candidates": 2})
        client.open(URI, go_file(say=["println(1)", "println(2)", "println(3)"]))
        assert len(await client.inline(URI, *HOLE)) == 1
        client.open("file:///b.go", go_file(say=["println(1)", "println(2)", "println(3)"]))
        assert len(await client.inline("file:///b.go", *HOLE, invoked=True)) == 2


async def test_a_crlf_document_gets_crlf_and_the_right_place(client: LspClient) -> None:
    client.open(URI, go_file("\r\n", say=["for {\n\t\tprintln(1)\n\t}"]))
    (item,) = await client.inline(URI, *HOLE)
    assert item["insertText"] == "for {\r\n\t\tprintln(1)\r\n\t}"
    assert item["range"]["start"] == {"line": HOLE[0], "character": HOLE[1]}


@pytest.mark.parametrize(
    ("offered", "chosen", "column"),
    [(["utf-16", "utf-8"], "utf-8", 14), (None, "utf-16", 12), (["utf-32"], "utf-32", 11), (["utf-7"], "utf-16", 12)],
)
async def test_positions_are_counted_in_the_units_agreed_on(
    offered: list[str] | None, chosen: str, column: int
) -> None:
    general = {} if offered is None else {"general": {"positionEncodings": offered}}
    async with running(FAKE_SERVER) as client:
        capabilities = await client.initialize(capabilities={"textDocument": {"inlineCompletion": {}}, **general})
        assert capabilities["positionEncoding"] == chosen
        client.open(URI, go_file(say=[SAY]))
        client.insert(URI, 2, *HOLE, 'x := "😀" +  ')
        (item,) = await client.inline(URI, HOLE[0], column)
        place = {"line": HOLE[0], "character": column}
        assert item["range"] == {"start": place, "end": place}


async def test_edits_in_utf_16_units_reach_the_type_service_as_the_editor_has_them(client: LspClient) -> None:
    client.open(URI, "package main // 😀 x\n")
    span = {"start": {"line": 0, "character": 19}, "end": {"line": 0, "character": 20}}
    client.change(URI, 2, {"range": span, "text": "é"}, {"range": span, "text": "é😀\ny"})
    client.insert(URI, 3, 1, 1, "z")
    log = await told(client)
    assert log[-1] == ["changed", "main.go", "package main // 😀 é😀\nyz\n"]


async def test_a_cancelled_request_is_answered_so_and_stops_the_engine(client: LspClient) -> None:
    client.open(URI, go_file(wait=True))
    request, answer = client.post_inline(URI, *HOLE)
    await client.wait_for_stderr("engine: waiting")
    client.cancel(request)
    with pytest.raises(LspError) as error:
        await answer
    assert error.value.code == REQUEST_CANCELLED
    await client.wait_for_stderr("engine: stopped")


async def test_a_cancel_after_the_answer_is_no_matter(client: LspClient) -> None:
    client.open(URI, go_file(say=[SAY]))
    request, answer = client.post_inline(URI, *HOLE)
    await answer
    client.cancel(request)
    client.cancel(4711)
    assert len(await client.inline(URI, *HOLE)) == 1
    assert client.stderr == ""


async def test_a_newer_request_for_a_document_ends_the_older_one_only_there(client: LspClient) -> None:
    other = "file:///other.go"
    client.open(URI, go_file(wait=True))
    client.open(other, go_file(wait=True))
    _, elsewhere = client.post_inline(other, *HOLE)
    _, older = client.post_inline(URI, *HOLE)
    newer_id, newer = client.post_inline(URI, *HOLE)
    assert (await older)["items"] == []
    assert not newer.done() and not elsewhere.done()
    client.cancel(newer_id)
    with pytest.raises(LspError):
        await newer
    client.change(other, 2, whole(go_file(say=[])))
    assert (await elsewhere)["items"] == []


async def test_a_change_of_the_document_ends_its_request(client: LspClient) -> None:
    client.open(URI, go_file(wait=True))
    _, answer = client.post_inline(URI, *HOLE)
    await client.wait_for_stderr("engine: waiting")
    client.insert(URI, 2, *HOLE, "x")
    assert (await answer)["items"] == []
    await client.wait_for_stderr("engine: stopped")


async def test_an_answer_for_an_old_version_is_dropped_even_if_it_comes(client: LspClient) -> None:
    client.open(URI, go_file(deaf_s=0.3, say=[SAY]))
    _, answer = client.post_inline(URI, *HOLE)
    client.insert(URI, 2, 2, 0, "\n")
    assert (await answer)["items"] == []


async def test_the_request_sees_the_text_of_its_own_moment(client: LspClient) -> None:
    client.open(URI, go_file(say=[SAY]))
    client.insert(URI, 2, *HOLE, "a")
    _, first = client.post_inline(URI, HOLE[0], HOLE[1] + 1)
    client.insert(URI, 3, HOLE[0], HOLE[1] + 1, "b")
    _, second = client.post_inline(URI, HOLE[0], HOLE[1] + 2)
    await asyncio.gather(first, second)
    log = await told(client)
    assert [entry[1] for entry in log if entry[0] == "complete"] == ["\ta", "\tab"]


async def test_typing_shows_nothing_stale_and_logs_nothing(client: LspClient) -> None:
    client.open(URI, go_file(deaf_s=0.01, say=[SAY]))
    typed = "value := compute(first, second)"
    answers = []
    for column, key in enumerate(typed):
        client.insert(URI, column + 2, HOLE[0], HOLE[1] + column, key)
        answers.append(client.post_inline(URI, HOLE[0], HOLE[1] + column + 1)[1])
        if column % 5 == 0:
            await asyncio.sleep(0.02)
    shown = [(await answer)["items"] for answer in answers]
    for column, items in enumerate(shown):
        assert all(item["range"]["start"]["character"] == HOLE[1] + column + 1 for item in items)
    log = await told(client)
    assert typed in [entry for entry in log if entry[0] == "changed"][-1][2]
    assert client.stderr == "" and client.messages_shown() == []


@pytest.mark.parametrize(("line", "character"), [(4, 999), (999, 0), (2_000_000_000, 2_000_000_000)])
async def test_a_position_past_the_end_is_taken_for_the_end(client: LspClient, line: int, character: int) -> None:
    client.open(URI, go_file(say=[SAY]))
    items = await client.inline(URI, line, character)
    assert all(item["range"]["start"]["line"] <= 6 for item in items)
    assert client.messages_shown() == []


@pytest.mark.parametrize(
    ("uri", "reason"), [("untitled:Untitled-1", "not a file: untitled document"), ("file:///go.mod", "not a Go file")]
)
async def test_other_documents_get_silence_with_its_reason(client: LspClient, uri: str, reason: str) -> None:
    client.open(uri, go_file(say=[SAY]))
    client.insert(uri, 2, *HOLE, "x")
    assert await client.inline(uri, *HOLE) == []
    assert (await client.command("goassist.status"))["skip_reason"] == reason
    assert await told(client) == []
    assert reason in await client.command("goassist.explain")


async def test_a_document_that_is_not_open_gets_silence(client: LspClient) -> None:
    assert await client.inline("file:///never/opened.go", *HOLE) == []
    client.open(URI, go_file(say=[SAY]))
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert await client.inline(URI, *HOLE) == []
    assert (await told(client))[-1] == ["closed", "main.go"]


async def test_ghost_text_is_all_a_client_with_inline_completion_is_offered() -> None:
    async with running(FAKE_SERVER) as client:
        capabilities = await client.initialize()
        providers = {name for name in capabilities if name.endswith("Provider")}
        assert providers == {"inlineCompletionProvider", "executeCommandProvider"}


LIST_CAPABILITIES = {"textDocument": {"completion": {}}}


async def test_a_client_without_inline_completion_gets_list_items_with_imports() -> None:
    async with running(FAKE_SERVER) as client:
        capabilities = await client.initialize(capabilities=LIST_CAPABILITIES)
        providers = {name for name in capabilities if name.endswith("Provider")}
        assert providers == {"completionProvider", "executeCommandProvider"}
        client.open(URI, go_file(say=["Println(1)"], **{"import": "fmt"}))
        client.insert(URI, 2, *HOLE, "fmt.")
        params = {"textDocument": {"uri": URI}, "position": {"line": HOLE[0], "character": 5}}
        answer = await client.request("textDocument/completion", params)
        assert answer["isIncomplete"] is True
        (item,) = answer["items"]
        assert item["textEdit"]["newText"] == item["label"] == "Println(1)"
        assert item["additionalTextEdits"][0]["newText"] == '\nimport "fmt"\n'
        # Accepting it must not add the import a second time.
        assert await client.command(item["command"]["command"], *item["command"]["arguments"]) == {
            "accepted": True,
            "imports": 0,
        }
        assert "workspace/applyEdit" not in client.methods()


async def test_the_other_completion_method_is_not_there() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize(capabilities=LIST_CAPABILITIES)
        client.open(URI, go_file(say=[SAY]))
        with pytest.raises(LspError) as error:
            await client.inline(URI, *HOLE)
        assert error.value.code == -32601


async def test_inline_is_chosen_for_a_client_that_has_both() -> None:
    async with running(FAKE_SERVER) as client:
        both = {"textDocument": {**INLINE_CAPABILITIES["textDocument"], "completion": {}}}
        assert "completionProvider" not in await client.initialize(capabilities=both)


async def test_ghost_text_goes_on_from_the_item_selected_in_the_list(client: LspClient) -> None:
    client.open(URI, go_file(say=["(1)"]))
    client.insert(URI, 2, *HOLE, "prin")
    span = {"start": {"line": HOLE[0], "character": 1}, "end": {"line": HOLE[0], "character": 5}}
    params = {
        "textDocument": {"uri": URI},
        "position": span["end"],
        "context": {"triggerKind": 2, "selectedCompletionInfo": {"range": span, "text": "println"}},
    }
    (item,) = (await client.request("textDocument/inlineCompletion", params))["items"]
    assert (item["insertText"], item["range"]) == ("println(1)", span)
