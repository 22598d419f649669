"""What goes wrong around the plugin: a message once that says what to do, no stack trace, no lost text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from support.gofile import go_file
from support.lsp_client import FAKE_SERVER
from support.neovim import ENTER, TAB, Neovim, editing, go_project, packaged

Open = Callable[..., AbstractContextManager[Neovim]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    argv = packaged()
    if not argv:
        pytest.skip("there is no wheel of Neovim for Linux on ARM")

    def begin(text: str, **more: Any) -> AbstractContextManager[Neovim]:
        return editing(argv, go_project(tmp_path, text), **more)

    return begin


def ghost_at_the_hole(nvim: Neovim, text: str = "println(1)") -> None:
    nvim.until(nvim.server_ready, "the server")
    nvim.keys("5GA")
    nvim.until_ghost(text)


FILE = go_file(say=["println(1)"])


def test_a_missing_server_is_told_once_with_the_cure_and_started_when_it_is_there(opened: Open, tmp_path: Path) -> None:
    server = tmp_path / "goassist-lsp"
    with opened(FILE, server=str(server)) as nvim:
        nvim.until_shown("goassist: no server: pip install goassist-lsp, then :GoAssist")
        nvim.keys(f":e {tmp_path}/other.go" + ENTER + f":e {tmp_path}/main.go" + ENTER)
        nvim.keys(":GoAssist status" + ENTER)
        nvim.until_text(f"Looked for: {server}")
        nvim.keys("q")
        nvim.until(lambda: nvim.lua("return require('goassist').statusline()") == "goassist: missing", "the file again")
        assert nvim.messages().count("no server") == 1
        server.write_text(f"#!/bin/sh\nexec {' '.join(FAKE_SERVER)}\n")
        server.chmod(0o755)
        nvim.keys(":GoAssist restart" + ENTER)
        ghost_at_the_hole(nvim)


def test_a_server_that_dies_thrice_is_left_alone_and_that_is_said_once(opened: Open) -> None:
    with opened(FILE, server=[sys.executable, "-c", "raise SystemExit(3)"]) as nvim:
        nvim.until(lambda: "the server died 3 times (status 3)" in nvim.messages(), "a message")
        assert ":GoAssist restart" in nvim.messages()
        assert nvim.messages().count("\n") == 0
        nvim.keys("5GAprintln()")
        nvim.until(lambda: nvim.line() == "\tprintln()", "what is typed")


def test_a_server_that_is_too_old_is_named(opened: Open) -> None:
    before = (
        f"vim.opt.rtp:prepend('{Path(__file__).parents[2]}/editors/nvim')\nrequire('goassist.server').OLDEST = '9.0.0'"
    )
    with opened(FILE, before=before) as nvim:
        nvim.until(lambda: "9.0.0 is needed: pip install --upgrade goassist-lsp" in nvim.messages(), "it")


def test_a_problem_of_the_server_fits_the_screen_and_no_key_is_lost_to_it(opened: Open) -> None:
    problem = "The model is not there. " + "It is a long story. " * 20
    with opened(FILE, env={"FAKE_PROBLEM": problem}) as nvim:
        nvim.keys("5GA")
        nvim.until_shown("(:GoAssist status)")
        nvim.keys("println(2)")
        nvim.until(lambda: nvim.line() == "\tprintln(2)", "what is typed")
        nvim.escape()
        nvim.keys(":GoAssist status" + ENTER)
        nvim.until_text("Pull the model again")


def test_wrong_options_and_settings_are_named_and_the_defaults_used(opened: Open) -> None:
    setup = "{ ghost = 'pink', colour = 1, keys = { accept = 7, dance = '<F1>' }, settings = { threads = 'many' } }"
    with opened(FILE, setup=setup) as nvim:
        nvim.until(lambda: "goassist.threads" in nvim.messages(), "the server's word")
        said = nvim.messages()
        for part in ("option ghost was given", "no option colour", "option keys.accept", "no key named keys.dance"):
            assert part in said
        nvim.until(nvim.server_ready, "the server")
        while nvim.lua("return vim.api.nvim_get_mode().blocking"):
            nvim.keys(ENTER)
        ghost_at_the_hole(nvim)
        nvim.keys(TAB)
        nvim.until_text("\tprintln(1)\n")


def test_carriage_returns_stay_the_files_own(opened: Open, tmp_path: Path) -> None:
    text = go_file("\r\n", say=["x := 1\n\tprintln(x)"], **{"import": "fmt"})
    with opened(text) as nvim:
        nvim.until(nvim.server_ready, "the server")
        nvim.keys("5GA")
        nvim.until_ghost("x := 1\n        println(x)")
        nvim.keys(TAB)
        nvim.until_text("\tx := 1\n\tprintln(x)\n}")
        nvim.until_text('\nimport "fmt"\n')
        nvim.escape()
        nvim.keys(":w" + ENTER)
        nvim.until(lambda: b"println(x)\r\n" in (tmp_path / "main.go").read_bytes(), "the file written")
        data = (tmp_path / "main.go").read_bytes()
        assert data.count(b"\r\n") == data.count(b"\n") and b"\r\r" not in data


@pytest.mark.parametrize("before", ["  \t ", '\ts := "é😀" + ', '\tx := "日本語" + '])
def test_tabs_spaces_and_wide_characters_before_the_cursor(opened: Open, before: str) -> None:
    with opened(FILE.replace("\t", before)) as nvim:
        ghost_at_the_hole(nvim)
        nvim.keys("pr" + TAB)
        nvim.until(lambda: nvim.line() == before + "println(1)", "the text in its place")


def test_a_formatter_on_save_between_suggestion_and_acceptance(opened: Open) -> None:
    with opened(FILE) as nvim:
        ghost_at_the_hole(nvim)
        # The line is changed and others come in above it, as by gofmt on save; nothing is typed in between.
        nvim.lua("vim.api.nvim_buf_set_text(0, 4, 0, 4, 1, {'  '}); vim.api.nvim_buf_set_lines(0, 2, 2, false, {'//'})")
        changed = nvim.text()
        nvim.keys(TAB + "x")
        nvim.until(lambda: "x" in nvim.line(), "the keys behind it")
        assert nvim.text().replace(nvim.line(), "  ") == changed


def test_a_file_under_a_new_name_is_the_servers_under_that_name(opened: Open, tmp_path: Path) -> None:
    with opened(FILE) as nvim:
        ghost_at_the_hole(nvim)
        nvim.escape()
        nvim.keys(f":file {tmp_path}/renamed.go" + ENTER)
        nvim.until(lambda: ["opened", "renamed.go", FILE] in nvim.command("goassist.status")["log"], "the new name")
        assert ["closed", "main.go"] in nvim.command("goassist.status")["log"]
        (tmp_path / "main.go").unlink()
        ghost_at_the_hole(nvim)


def test_two_modules_are_served_by_one_server(opened: Open, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    path = go_project(other, FILE)
    with opened(FILE) as nvim:
        ghost_at_the_hole(nvim)
        nvim.escape()
        (other / "go.mod").rename(other / "go.mod.off")
        nvim.keys(f":e {path}" + ENTER)
        ghost_at_the_hole(nvim)
        assert nvim.lua("return #vim.lsp.get_clients()") == 1


def test_nothing_is_suggested_where_nothing_can_be_typed(opened: Open) -> None:
    with opened(FILE) as nvim:
        nvim.until(nvim.server_ready, "the server")
        nvim.keys(":set readonly" + ENTER + "5GA")
        nvim.until(lambda: nvim.mode == "i", "insert mode")
        nvim.keys("p")
        nvim.until(lambda: nvim.line() == "\tp", "the key")
        assert nvim.ghost() is None
        assert all(entry[0] != "complete" for entry in nvim.command("goassist.status")["log"])


def test_a_macro_is_played_without_a_word(opened: Open) -> None:
    with opened(FILE) as nvim:
        nvim.until(nvim.server_ready, "the server")
        nvim.lua("vim.fn.setreg('q', 'oprint' .. vim.keycode('<Tab>') .. vim.keycode('<Esc>'))")
        nvim.keys("4G20@q")
        nvim.until(lambda: nvim.text().count("print\t") == 20, "twenty lines")
        assert nvim.messages() == ""


def test_a_huge_file_is_edited_as_ever(opened: Open) -> None:
    # Neovim's own highlighting has its own word about such a file.
    with opened(FILE + "// filling filling filling\n" * 100_000, before="vim.cmd.syntax('off')") as nvim:
        nvim.until(nvim.server_ready, "the server")
        nvim.keys("5GAprintln(2)")
        nvim.until(lambda: nvim.line() == "\tprintln(2)", "what is typed")
        nvim.until(lambda: "file is larger" in nvim.command("goassist.explain"), "the server's reason")
        assert nvim.messages() == ""


def test_the_server_ends_with_the_editor(opened: Open) -> None:
    import psutil

    with opened(FILE) as nvim:
        ghost_at_the_hole(nvim)
        pid = nvim.server_pid()
        assert pid is not None
        nvim.escape()
        nvim.keys(":qa!" + ENTER)
        nvim.until(lambda: not psutil.pid_exists(pid), "the server's end")
