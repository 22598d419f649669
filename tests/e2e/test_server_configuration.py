"""Settings and folders, as the client tells of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from support.gofile import HOLE, go_file, told
from support.lsp_client import FAKE_SERVER, LspClient, running

URI = "file:///m/main.go"
PULL = {"workspace": {"configuration": True}, "textDocument": {"inlineCompletion": {}}}
PUSH = {"textDocument": {"inlineCompletion": {}}}


async def settings(client: LspClient) -> str:
    return (await client.command("goassist.status"))["settings"]  # type: ignore[no-any-return]


async def until_settings_have(client: LspClient, text: str) -> None:
    """Changes of settings are applied in the background."""
    async with asyncio.timeout(30):
        while text not in await settings(client):
            await asyncio.sleep(0.02)


def changed_settings(client: LspClient, section: dict[str, Any] | None) -> None:
    client.notify("workspace/didChangeConfiguration", {"settings": section})


async def test_the_pulled_section_goes_over_the_initialization_options() -> None:
    async with running(FAKE_SERVER) as client:
        client.configuration = {"candidates": 2, "model": None}
        await client.initialize(capabilities=PULL, options={"candidates": 4, "maxTokensLine": 9})
        assert "candidates=2" in await settings(client)
        assert "max_tokens_line=9" in await settings(client)


async def test_a_change_is_pulled_and_what_is_taken_back_falls_back() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize(capabilities=PULL, options={"candidates": 4})
        client.configuration = {"candidates": 3, "multiline": False}
        changed_settings(client, None)
        await until_settings_have(client, "candidates=3")
        assert "multiline=False" in await settings(client)
        client.configuration = {}
        changed_settings(client, None)
        await until_settings_have(client, "candidates=4")
        assert "multiline=True" in await settings(client)


async def test_a_client_that_cannot_be_asked_sends_its_settings() -> None:
    async with running(FAKE_SERVER) as client:
        await client.initialize(capabilities=PUSH)
        changed_settings(client, {"goassist": {"enabled": False}, "gopls": {"x": 1}})
        await until_settings_have(client, "enabled=False")
        client.open(URI, go_file(say=["println(1)"]))
        assert await client.inline(URI, *HOLE) == []
        assert client.messages_shown() == []


async def test_a_wrong_setting_is_named_once() -> None:
    async with running(FAKE_SERVER) as client:
        client.configuration = {"candidates": 17, "colour": "red"}
        await client.initialize(capabilities=PULL)
        changed_settings(client, None)
        client.configuration = {"candidates": 2}
        changed_settings(client, None)
        await until_settings_have(client, "candidates=2")
        assert client.messages_shown() == [
            "There is no setting goassist.colour; it was left aside.",
            "Setting goassist.candidates was given 17; expected a whole number from 1 to 5. Using 1.",
        ]


async def test_a_client_that_answers_nonsense_keeps_the_server_going() -> None:
    async with running(FAKE_SERVER) as client:
        client.on_request = lambda method, params: 17 if method == "workspace/configuration" else None
        await client.initialize(capabilities=PULL, options={"candidates": 4})
        assert "candidates=4" in await settings(client)


async def test_both_workspace_folders_are_served(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two words"]
    async with running(FAKE_SERVER) as client:
        await client.initialize(folders)
        log = await told(client)
        assert log[0] == ["start", [str(folder) for folder in folders]]


async def test_folders_come_and_go(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    async with running(FAKE_SERVER) as client:
        await client.initialize([one])
        event = {
            "added": [{"uri": two.as_uri(), "name": "two"}, {"uri": "vscode-remote://host/three", "name": "three"}],
            "removed": [{"uri": one.as_uri(), "name": "one"}],
        }
        client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        log = await told(client)
        assert [entry for entry in log if entry[0] == "folders"] == [["folders", [str(two)]]]


async def test_a_root_uri_or_path_of_an_old_client_is_a_folder(tmp_path: Path) -> None:
    for root in ({"rootUri": tmp_path.as_uri()}, {"rootPath": str(tmp_path), "rootUri": None}):
        async with running(FAKE_SERVER) as client:
            await client.request("initialize", {"processId": None, "capabilities": {}, **root})
            client.notify("initialized", {})
            status = await client.wait_until_ready()
            assert status["folders"] == [str(tmp_path)]


async def test_changed_settings_are_asked_for_where_the_client_registers_events() -> None:
    capabilities = {"workspace": {"didChangeConfiguration": {"dynamicRegistration": True}}}
    async with running(FAKE_SERVER) as client:
        await client.initialize(capabilities=capabilities)
        registered = await client.wait_for("client/registerCapability")
        assert [r["method"] for r in registered["registrations"]] == ["workspace/didChangeConfiguration"]
