"""The five commands."""

from __future__ import annotations

from typing import Any

import pytest

from support.gofile import HOLE, go_file, told
from support.lsp_client import LspClient, LspError

pytestmark = pytest.mark.asyncio(loop_scope="module")

URI = "file:///m/main.go"
INVALID_PARAMS = -32602


async def offered(client: LspClient, **directions: Any) -> list[Any]:
    """The accept command's arguments of one shown item."""
    client.open(URI, go_file(say=["fmt.Println(1)"], **directions))
    (item,) = await client.inline(URI, *HOLE)
    client.insert(URI, 2, *HOLE, item["insertText"])
    return item["command"]["arguments"]  # type: ignore[no-any-return]


async def test_accept_adds_the_imports_through_the_client_once(client: LspClient) -> None:
    arguments = await offered(client, **{"import": "fmt"})
    assert await client.command("goassist.accept", *arguments) == {"accepted": True, "imports": 1}
    place = {"line": 2, "character": 0}
    edit = (await client.wait_for("workspace/applyEdit"))["edit"]
    assert edit["changes"][URI] == [{"range": {"start": place, "end": place}, "newText": '\nimport "fmt"\n'}]
    assert await client.command("goassist.accept", *arguments) == {"accepted": False, "imports": 0}
    assert client.methods().count("workspace/applyEdit") == 1


async def test_accept_without_imports_edits_nothing(client: LspClient) -> None:
    arguments = await offered(client)
    assert await client.command("goassist.accept", *arguments) == {"accepted": True, "imports": 0}
    assert "workspace/applyEdit" not in client.methods()


async def test_accept_works_with_and_without_the_accept_points(client: LspClient) -> None:
    for length in (2, 3, 4):
        arguments = await offered(client)
        assert len(arguments) == 4
        assert (await client.command("goassist.accept", *arguments[:length]))["accepted"] is True


async def test_accept_leaves_a_file_alone_whose_head_has_changed(client: LspClient) -> None:
    arguments = await offered(client, **{"import": "fmt"})
    client.insert(URI, 3, 0, 0, "// new\n")
    assert await client.command("goassist.accept", *arguments) == {"accepted": True, "imports": 0}
    assert "workspace/applyEdit" not in client.methods()


async def test_accept_reports_imports_that_the_client_refused(client: LspClient) -> None:
    client.on_request = lambda method, params: {"applied": False} if method == "workspace/applyEdit" else None
    arguments = await offered(client, **{"import": "fmt"})
    assert await client.command("goassist.accept", *arguments) == {"accepted": True, "imports": 0}


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("goassist.accept", []),
        ("goassist.accept", ["1", 0]),
        ("goassist.pause", ["long"]),
        ("goassist.pause", [-1]),
        ("goassist.explain", ["all"]),
    ],
)
async def test_arguments_of_the_wrong_kind_are_refused(client: LspClient, command: str, arguments: list[Any]) -> None:
    with pytest.raises(LspError) as error:
        await client.command(command, *arguments)
    assert error.value.code == INVALID_PARAMS


async def test_a_command_of_somebody_else_is_refused(client: LspClient) -> None:
    with pytest.raises(LspError) as error:
        await client.command("gopls.tidy")
    assert error.value.code == INVALID_PARAMS


async def test_pause_silences_until_it_is_called_again(client: LspClient) -> None:
    client.open(URI, go_file(say=["println(1)"]))
    assert await client.command("goassist.pause") == {"paused": True, "minutes": None}
    assert await client.inline(URI, *HOLE) == []
    assert "paused" in await client.command("goassist.explain")
    assert await client.command("goassist.pause") == {"paused": False, "minutes": 0}
    assert len(await client.inline(URI, *HOLE)) == 1


async def test_pause_takes_minutes_and_zero_ends_it(client: LspClient) -> None:
    assert await client.command("goassist.pause", 10) == {"paused": True, "minutes": 10}
    assert (await client.command("goassist.status"))["paused"] is True
    assert await client.command("goassist.pause", 0) == {"paused": False, "minutes": 0}


async def test_explain_is_about_the_last_completion(client: LspClient) -> None:
    client.open(URI, go_file(say=["println(1)"]))
    await client.inline(URI, *HOLE)
    assert "println(1)" in await client.command("goassist.explain")


async def test_explain_session_lists_the_completions_newest_first(client: LspClient) -> None:
    client.open(URI, go_file(say=["println(1)"]))
    await client.inline(URI, *HOLE)
    client.open(URI, go_file(say=["BAD()"]))
    await client.inline(URI, *HOLE)
    lines = (await client.command("goassist.explain", "session")).splitlines()
    first, second = [line for line in lines if line.startswith("- ")][:2]
    assert "`/m/main.go:5:2` (body): silent: " in first
    assert "`/m/main.go:5:2` (body): shown `println(1)` (ok" in second
    await client.command("goassist.pause")
    assert "**Silent**: completions are paused" not in await client.command("goassist.explain", "session")


async def test_reindex_reads_the_workspace_anew(client: LspClient) -> None:
    assert await client.command("goassist.reindex") is None
    assert (await told(client))[-2:] == [["reindex"], ["index", True]]


async def test_status_tells_session_and_assistant_in_one(client: LspClient) -> None:
    client.open(URI, go_file())
    status = await client.command("goassist.status")
    assert (status["documents"], status["position_encoding"], status["model"]) == (1, "utf-16", "fake")
