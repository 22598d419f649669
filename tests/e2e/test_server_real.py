"""The real server over its pipes, with the real model and the real Go toolchain: ghost text from key to answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lsp_client import LspClient, running
from support.stack import GO_MOD, SERVER, STACK

MAIN = """package main

import "fmt"

func main() {
	s := &Stack{}
	for _, word := range []string{"a", "b"} {
		s.Pu
	}
	fmt.Println(s.items)
}
"""
LINE, CHARACTER = 7, 6


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module of two files in a directory with a space in its name."""
    folder = tmp_path / "real module"
    folder.mkdir()
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "stack.go").write_text(STACK)
    (folder / "main.go").write_text(MAIN)
    return folder


async def last(client: LspClient) -> dict[str, object]:
    return (await client.command("goassist.status"))["last"]  # type: ignore[no-any-return]


async def test_ghost_text_type_checks_and_typing_through_it_asks_no_model(module: Path) -> None:
    uri = (module / "main.go").as_uri()
    async with running(SERVER) as client:
        await client.initialize([module])
        client.open(uri, MAIN)
        (item,) = await client.inline(uri, LINE, CHARACTER)
        assert item["insertText"] == "sh(word)"
        assert item["range"] == {
            "start": {"line": LINE, "character": CHARACTER},
            "end": {"line": LINE, "character": CHARACTER},
        }
        assert item["command"]["command"] == "goassist.accept"
        assert (await last(client))["generated_tokens"] != 0
        client.insert(uri, 2, LINE, CHARACTER, "s")
        (rest,) = await client.inline(uri, LINE, CHARACTER + 1)
        assert rest["insertText"] == "h(word)"
        assert (await last(client))["generated_tokens"] == 0
        assert await client.leave() == 0


async def test_unsaved_buffer_of_another_file_decides_what_is_shown(module: Path) -> None:
    uri, other = (module / "main.go").as_uri(), (module / "stack.go").as_uri()
    async with running(SERVER) as client:
        await client.initialize([module])
        client.open(other, STACK)
        client.open(uri, MAIN)
        assert [item["insertText"] for item in await client.inline(uri, LINE, CHARACTER)] == ["sh(word)"]
        # The method is renamed in a buffer that is not saved: what was right a moment ago is not shown any more.
        client.insert(other, 2, 4, len("func (s *Stack) "), "Force")
        assert all("sh(word)" not in item["insertText"] for item in await client.inline(uri, LINE, CHARACTER))
        rejected = (await last(client))["rejected"]
        assert any("Push" in entry["reason"] for entry in rejected)  # type: ignore[attr-defined]
        assert await client.leave() == 0


async def test_a_package_that_does_not_compile_elsewhere_still_gets_ghost_text(module: Path) -> None:
    (module / "broken.go").write_text("package main\n\nfunc broken( {\n\nvar x undefinedType = 3\n")
    uri = (module / "main.go").as_uri()
    async with running(SERVER) as client:
        await client.initialize([module])
        client.open(uri, MAIN)
        assert [item["insertText"] for item in await client.inline(uri, LINE, CHARACTER)] == ["sh(word)"]
        assert client.messages_shown() == []
        assert await client.leave() == 0


async def test_broken_go_mod_is_named_once_and_the_package_still_gets_ghost_text(module: Path) -> None:
    (module / "go.mod").write_text("modul example.com/stack\n")
    uri = (module / "main.go").as_uri()
    async with running(SERVER) as client:
        await client.initialize([module])
        client.open(uri, MAIN)
        for _ in range(2):
            assert [item["insertText"] for item in await client.inline(uri, LINE, CHARACTER)] == ["sh(word)"]
        (message,) = client.messages_shown()
        assert "go.mod" in message
        assert "unknown directive" in message
        assert await client.leave() == 0
