"""The server and its index: when it is brought up to date, by what, and how a user ends that."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from support.gofile import HOLE, go_file, told
from support.lsp_client import FAKE_SERVER, INLINE_CAPABILITIES, LspClient, running
from support.workspaces import lay_out

BARS = {**INLINE_CAPABILITIES, "window": {"workDoneProgress": True}}
WATCHES = {**INLINE_CAPABILITIES, "workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}


def of_index(message: dict[str, Any]) -> bool:
    return str(message["token"]).startswith("goassist/index/")


async def test_indexing_shows_a_bar_that_the_user_can_end_it_by() -> None:
    async with running(FAKE_SERVER, {"FAKE_INDEXING": "1"}) as client:
        await client.initialize(capabilities=BARS)
        begun = await client.wait_for("$/progress", lambda p: of_index(p) and p["value"]["kind"] == "begin")
        assert begun["value"]["cancellable"] is True
        reported = await client.wait_for("$/progress", lambda p: of_index(p) and p["value"]["kind"] == "report")
        assert (reported["value"]["message"], reported["value"]["percentage"]) == ("indexing m", 50)
        client.notify("window/workDoneProgress/cancel", {"token": begun["token"]})
        await client.wait_for("$/progress", lambda p: of_index(p) and p["value"]["kind"] == "end")
        assert (await told(client))[-2:] == [["index", False], ["stop"]]


async def test_the_index_is_not_read_beside_the_first_question() -> None:
    async with running(FAKE_SERVER, {"FAKE_LOADING_S": "0.5"}) as client:
        await client.initialize(ready=False)
        client.open("file:///m/main.go", go_file(wait=True))
        waiting = False
        while not waiting:  # what is asked before the model is there is answered at once
            number, answer = client.post_inline("file:///m/main.go", *HOLE)
            _, pending = await asyncio.wait({answer}, timeout=0.1)
            waiting = bool(pending) and "engine: waiting" in client.stderr
        assert ["index", False] not in await told(client)
        client.cancel(number)
        async with asyncio.timeout(60):
            while ["index", False] not in await told(client):
                await asyncio.sleep(0.02)


async def test_saved_files_and_files_that_others_changed_are_told() -> None:
    async with running(FAKE_SERVER) as client:
        capabilities = await client.initialize(capabilities=WATCHES)
        assert capabilities["textDocumentSync"]["save"]
        asked = await client.wait_for("client/registerCapability")
        (registration,) = asked["registrations"]
        assert registration["method"] == "workspace/didChangeWatchedFiles"
        globs = [watcher["globPattern"] for watcher in registration["registerOptions"]["watchers"]]
        assert "**/*.go" in globs
        client.open("file:///m/main.go", go_file())
        client.notify("textDocument/didSave", {"textDocument": {"uri": "file:///m/main.go"}})
        changes = [{"uri": "file:///m/a.go", "type": 3}, {"uri": "untitled:b", "type": 1}]
        client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        await client.command("goassist.status")
        found = [entry for entry in await told(client) if entry[0] == "files"]
        assert found == [["files", ["main.go"]], ["files", ["a.go"]]]


async def test_the_real_server_indexes_its_workspace_and_ends_its_process(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "shop")
    environment = {"GOASSIST_CACHE_DIR": str(tmp_path / "cache"), "GOASSIST_MODEL": str(tmp_path / "none.gguf")}
    server = [sys.executable, "-W", "error", "-m", "goassist_lsp.cli", "--stdio"]
    async with running(server, environment) as client:
        await client.initialize([root], capabilities=BARS, options={"checkTypes": False}, ready=False)
        await client.wait_for("$/progress", lambda p: of_index(p) and p["value"]["kind"] == "end")
        state = await index_of(client, root)
        assert state["last"]["files"] == 4
        assert state["last"]["finished"] is True
        uri = (root / "cart/discount.go").as_uri()
        (root / "cart/discount.go").unlink()
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        async with asyncio.timeout(60):
            while (await index_of(client, root))["process"]["files"] != 3:
                await asyncio.sleep(0.02)
        await client.command("goassist.reindex")
        assert (await index_of(client, root))["last"]["files"] == 3
        await client.leave()


async def index_of(client: LspClient, root: Path) -> dict[str, Any]:
    return (await client.command("goassist.status"))["index"][str(root.resolve())]  # type: ignore[no-any-return]
