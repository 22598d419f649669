"""The plugin in the real Neovim, with real keys: ghost text, its parts, imports and undo, commands, the server's death.

Each story runs in Neovim 0.11 and 0.12 with our own ghost text; those that need no more than Neovim's own, there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from support.gofile import go_file
from support.lsp_client import FAKE_SERVER
from support.neovim import (
    DISMISS,
    ENTER,
    LINE,
    NEXT,
    PLUGIN,
    PREVIOUS,
    REDO,
    REQUEST,
    TAB,
    UNDO,
    WORD,
    Neovim,
    editing,
    go_project,
    kill,
    newer,
    packaged,
)

Open = Callable[..., AbstractContextManager[Neovim]]

OWN = ("0.11", "0.12")
ALL = (*OWN, "0.12 native")
KEYWORDS = "\x0e"  # Ctrl+n: a list of the file's own words
THREE_LINES = "x := 1\n\ty := x + 2\n\tprintln(x, y)"


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens an editor on a file whose first line directs the fake server; its body is empty, in line 5."""
    kind: str = getattr(request, "param", "0.11")
    argv = packaged() if kind == "0.11" else newer()
    if not argv:
        pytest.skip(f"no Neovim {kind[:4]} for this machine (Debian and its apt have it: scripts/neovim_next.py)")

    def begin(text: str | None = None, setup: str = "{}", **more: Any) -> AbstractContextManager[Neovim]:
        options: dict[str, Any] = {key: more.pop(key) for key in ("before", "env", "server") if key in more}
        path = go_project(tmp_path, go_file(**more) if text is None else text)
        if kind == "0.12 native":
            setup = f"vim.tbl_extend('force', {setup}, {{ ghost = 'native' }})"
        return editing(argv, path, setup=setup, **options)

    return begin


def in_editors(*kinds: str) -> Any:
    return pytest.mark.parametrize("opened", kinds, indirect=True, ids=[kind.replace(" ", "-") for kind in kinds])


def at_the_hole(nvim: Neovim) -> None:
    """Wait for the server, then insert where the file has its hole."""
    nvim.until(nvim.server_ready, "the server")
    nvim.keys("5GA")
    nvim.until(lambda: nvim.mode == "i", "insert mode")


@pytest.fixture
def nvim(opened: Open) -> Iterator[Neovim]:
    """An editor that shows one suggestion of three lines."""
    with opened(say=[THREE_LINES]) as editor:
        at_the_hole(editor)
        editor.until(editor.ghost, "ghost text")
        yield editor


@in_editors(*ALL)
def test_ghost_text_is_drawn_in_its_place_and_the_buffer_stays_as_it_is(nvim: Neovim) -> None:
    nvim.until_shown("        x := 1")
    shown = nvim.shown()
    assert shown[4:7] == ["        x := 1", "        y := x + 2", "        println(x, y)"]
    assert shown[7] == "}"
    assert nvim.line() == "\t"
    typed, ghost = nvim.cells()[3][0], nvim.cells()[4][8]
    assert typed.fg != ghost.fg


@in_editors(*ALL)
def test_tab_takes_all_of_it(nvim: Neovim) -> None:
    nvim.keys(TAB)
    nvim.until_text("\tx := 1\n\ty := x + 2\n\tprintln(x, y)\n}")
    nvim.until(lambda: nvim.cursor() == (7, 14), "the cursor behind it")
    assert nvim.mode == "i"


@in_editors(*ALL)
def test_word_by_word_ends_at_the_accept_points(nvim: Neovim) -> None:
    for expected in ("\tx", "\tx := 1"):
        nvim.keys(WORD)
        nvim.until(lambda expected=expected: nvim.line() == expected, expected)
        nvim.until(nvim.ghost, "the rest as ghost text")
    assert nvim.text().count("\n") == go_file(say=[THREE_LINES]).count("\n") - 1


@in_editors(*ALL)
def test_line_by_line_ends_at_line_ends(nvim: Neovim) -> None:
    nvim.keys(LINE)
    nvim.until(lambda: nvim.line() == "\tx := 1", "the first line")
    nvim.until(nvim.ghost, "the rest as ghost text")
    nvim.keys(LINE)
    nvim.until_text("\tx := 1\n\ty := x + 2\n}")
    nvim.until(nvim.ghost, "the rest as ghost text")
    nvim.keys(LINE)
    nvim.until_text("\tx := 1\n\ty := x + 2\n\tprintln(x, y)\n}")


@in_editors(*OWN)
def test_next_and_previous_go_round_the_candidates(opened: Open) -> None:
    with opened(say=["println(1)", "println(2)", "println(3)"], setup="{ settings = { candidates = 3 } }") as nvim:
        at_the_hole(nvim)
        nvim.until_ghost("println(1)")
        nvim.keys(NEXT)
        nvim.until_ghost("println(2) 2/3")
        nvim.keys(NEXT)
        nvim.until_ghost("println(3) 3/3")
        nvim.keys(NEXT + PREVIOUS + PREVIOUS)
        nvim.until_ghost("println(2) 2/3")
        nvim.keys("print")
        nvim.until_ghost("ln(2) 2/3")
        nvim.keys(TAB)
        nvim.until_text("\tprintln(2)\n")


@in_editors(*ALL)
def test_imports_come_with_the_text_and_one_undo_takes_both_away(opened: Open) -> None:
    with opened(say=["fmt.Println(1)"], **{"import": "fmt"}) as nvim:
        at_the_hole(nvim)
        nvim.until_ghost("fmt.Println(1)")
        nvim.keys("fm")
        nvim.until_ghost("t.Println(1)")
        nvim.keys(TAB)
        nvim.until_text('import "fmt"')
        both = nvim.text()
        assert "\tfmt.Println(1)\n" in both
        nvim.until(lambda: nvim.cursor()[0] == 7, "the cursor in its line, two lines further down")
        nvim.escape()
        nvim.keys(UNDO)
        nvim.until(lambda: "\nimport" not in nvim.text(), "no import")
        assert "\tfm\n" in nvim.text()
        nvim.keys(REDO)
        nvim.until(lambda: nvim.text() == both, "both again")


@in_editors(*ALL)
def test_keys_before_and_behind_the_accept_key_at_once_are_neither_eaten_nor_doubled(opened: Open) -> None:
    with opened(say=["fmt.Println(1)"], **{"import": "fmt"}) as nvim:
        at_the_hole(nvim)
        nvim.until(nvim.ghost, "ghost text")
        nvim.keys("fm" + TAB)
        nvim.until_text("\tfmt.Println(1)\n")
        nvim.until_text('import "fmt"')


@in_editors(*OWN)
def test_keys_behind_the_accept_key_stand_behind_the_text(opened: Open) -> None:
    with opened(say=["fmt.Println(1)"], **{"import": "fmt"}) as nvim:
        at_the_hole(nvim)
        nvim.until(nvim.ghost, "ghost text")
        nvim.keys("f" + TAB + " // so" + ENTER + "x()")
        nvim.until_text("\tfmt.Println(1) // so\n")
        nvim.until_text("\tx()\n")
        nvim.until_text('import "fmt"')


@in_editors(*OWN)
def test_typing_through_shortens_the_ghost_text_without_a_moment_of_none(nvim: Neovim) -> None:
    # Seen behind our own handlers of the same event, at each key.
    nvim.lua("""
      _G.seen = {}
      vim.api.nvim_create_autocmd({'TextChangedI', 'CursorMovedI'}, {callback = function()
        table.insert(_G.seen, require('goassist.ghost').drawn(0) or 'NONE')
      end})
    """)
    for key in "x := ":
        before = len(nvim.lua("return _G.seen"))
        nvim.keys(key)
        nvim.until(lambda before=before: len(nvim.lua("return _G.seen")) > before, "the key")
    nvim.until(lambda: (nvim.ghost() or "").startswith("1\n"), "the rest")
    seen = nvim.lua("return _G.seen")
    assert "NONE" not in seen
    assert [len(one) for one in seen] == sorted((len(one) for one in seen), reverse=True)
    nvim.keys("2")
    nvim.until(lambda: "y := x" not in (nvim.ghost() or ""), "the ghost text that does not fit gone")


@in_editors(*OWN)
def test_what_was_dismissed_does_not_come_back_until_it_is_asked_for(nvim: Neovim) -> None:
    ghost = nvim.ghost()
    nvim.keys(DISMISS)
    nvim.until(lambda: nvim.ghost() is None, "no ghost text")
    asked = len(nvim.command("goassist.status")["log"])
    nvim.keys("x")
    nvim.until(lambda: len(nvim.command("goassist.status")["log"]) > asked + 1, "the key's own request")
    nvim.keys("\b")
    nvim.until(lambda: nvim.line() == "\t", "the key taken back")
    assert nvim.ghost() is None
    nvim.keys(REQUEST)
    nvim.until_ghost(ghost)


@in_editors(*ALL)
def test_leaving_insert_mode_takes_the_ghost_text_away(nvim: Neovim) -> None:
    nvim.escape()
    assert nvim.ghost() is None
    assert nvim.line() == "\t"


@in_editors(*ALL)
def test_tab_is_a_tab_where_there_is_nothing_to_take(opened: Open) -> None:
    with opened(say=["BAD()"]) as nvim:
        at_the_hole(nvim)
        nvim.keys("a" + TAB + "b")
        nvim.until(lambda: nvim.line() == "\ta\tb", "a tab")


@in_editors(*OWN)
def test_tab_goes_to_who_had_it_before(opened: Open) -> None:
    before = "vim.keymap.set('i', '<Tab>', function() return '<lt>mine>' end, {expr = true})"
    with opened(say=["BAD()"], before=before) as nvim:
        at_the_hole(nvim)
        nvim.keys("a" + TAB + "b")
        nvim.until(lambda: nvim.line() == "\ta<mine>b", "the user's own mapping")


@pytest.mark.parametrize("plugin", ["cmp", "blink.cmp"])
def test_tab_belongs_to_an_open_list_of_a_completion_plugin(opened: Open, plugin: str) -> None:
    # Both tell in this way whether their list is open; the mapping is what their users write.
    before = f"""
      local function open() return _G.open end
      package.loaded['{plugin}'] = {{ visible = open, is_menu_visible = open }}
      vim.keymap.set('i', '<Tab>', function() return 'LIST' end, {{expr = true}})
    """
    with opened(say=["println(1)"], before=before) as nvim:
        at_the_hole(nvim)
        nvim.until_ghost("println(1)")
        nvim.lua("_G.open = true")
        nvim.keys(TAB)
        nvim.until(lambda: nvim.line() == "\tLIST", "the list's own key")
        nvim.lua("_G.open = false")
        nvim.keys("\x17")
        nvim.until_ghost("println(1)")
        nvim.keys(TAB)
        nvim.until_text("\tprintln(1)\n")


@in_editors(*OWN)
def test_the_popup_menu_stays_beside_ghost_text_and_closes_when_that_is_taken(opened: Open) -> None:
    before = "vim.o.completeopt = 'menuone,noinsert,noselect'"
    with opened(say=["println(1)", "print(2)"], before=before) as nvim:
        at_the_hole(nvim)
        nvim.until_ghost("println(1)")
        nvim.keys("pri")
        nvim.until_ghost("ntln(1)")
        nvim.keys(KEYWORDS)
        nvim.until(lambda: nvim.lua("return vim.fn.pumvisible()") == 1, "a list")
        nvim.until_ghost("ntln(1)")
        nvim.keys(TAB)
        nvim.until_text("\tprintln(1)\n")
        assert nvim.lua("return vim.fn.pumvisible()") == 0


@in_editors(*OWN)
def test_a_tab_that_indents_takes_nothing(opened: Open) -> None:
    with opened(say=["println(1)"]) as nvim:
        nvim.until(nvim.server_ready, "the server")
        nvim.keys("5GS" + "\x15")
        nvim.until(lambda: nvim.line() == "", "an empty line")
        nvim.until(nvim.ghost, "ghost text")
        nvim.keys(TAB)
        nvim.until(lambda: nvim.line() == "\t", "an indentation")
        nvim.until_ghost("println(1)")
        nvim.keys(TAB)
        nvim.until_text("\tprintln(1)\n")


@in_editors("0.11", "0.12 native")
def test_explain_says_why_this_was_shown(nvim: Neovim) -> None:
    nvim.escape()
    nvim.keys(":GoAssist explain" + ENTER)
    nvim.until(lambda: nvim.lua("return vim.bo.filetype") == "markdown", "a text to read")
    assert "x := 1" in nvim.text()
    nvim.keys("q")
    nvim.until(lambda: nvim.lua("return vim.bo.filetype") == "go", "the file again")


@in_editors(*ALL)
def test_pause_silences_and_lets_go_again(nvim: Neovim) -> None:
    nvim.escape()
    nvim.keys(":GoAssist pause 10" + ENTER)
    nvim.until_shown("goassist: paused for 10 minutes")
    assert nvim.lua("return require('goassist').statusline()") == "goassist: paused"
    nvim.keys("A")
    nvim.until(lambda: nvim.mode == "i", "insert mode")
    nvim.until(
        lambda: nvim.command("goassist.status").get("skip_reason") == "completions are paused", "a silent answer"
    )
    assert nvim.ghost() is None
    nvim.escape()
    nvim.keys(":GoAssist pause" + ENTER)
    nvim.until_shown("goassist: suggestions again")
    nvim.keys("A")
    nvim.until(nvim.ghost, "ghost text again")


def test_pause_of_one_file(nvim: Neovim) -> None:
    nvim.escape()
    nvim.keys(":GoAssist pause file" + ENTER)
    nvim.until_shown("goassist: paused in this file")
    asked = len(nvim.command("goassist.status")["log"])
    nvim.keys("Aprint")
    nvim.until(lambda: len(nvim.command("goassist.status")["log"]) > asked, "the change told")
    assert nvim.ghost() is None
    nvim.escape()
    nvim.keys(":GoAssist pause file" + ENTER)
    nvim.until_shown("goassist: suggestions again")


def test_other_words_of_the_command(nvim: Neovim) -> None:
    nvim.escape()
    nvim.keys(":GoAssist reindex" + ENTER)
    nvim.until_shown("goassist: the workspaces were read anew")
    nvim.keys(":GoAssist dance" + ENTER)
    nvim.until_shown("there is no :GoAssist dance")
    nvim.keys(":GoAssist status" + ENTER)
    nvim.until_text("# goassist: ready")
    nvim.until_text("- model: fake, ready")
    nvim.keys("q:GoAssist log" + ENTER)
    nvim.until(lambda: nvim.lua("return vim.api.nvim_buf_get_name(0)").endswith("lsp.log"), "the log")
    assert nvim.lua("return vim.fn.getcompletion('GoAssist re', 'cmdline')") == ["reindex", "restart"]


def test_health_and_help_are_there(nvim: Neovim) -> None:
    nvim.escape()
    nvim.keys(":checkhealth goassist" + ENTER)
    nvim.until_text("goassist: server")
    nvim.until_text("It runs: version")
    assert "ERROR" not in nvim.text()
    nvim.lua("vim.cmd.helptags(vim.fn.fnameescape(...))", str(PLUGIN / "doc"))
    for tag in ("goassist", "goassist-keys", ":GoAssist", "goassist-settings"):
        nvim.lua("vim.cmd.help(...)", tag)
        assert nvim.lua("return vim.fn.expand('%:t')") == "goassist.txt"


@in_editors(*ALL)
def test_another_language_server_in_the_same_buffer_changes_nothing(opened: Open) -> None:
    argv = ", ".join(f"'{part}'" for part in FAKE_SERVER)
    before = f"""
      vim.api.nvim_create_autocmd('FileType', {{pattern = 'go', callback = function()
        local can = vim.lsp.protocol.make_client_capabilities()
        can.textDocument.inlineCompletion = vim.NIL
        vim.lsp.start({{ name = 'gopls', cmd = {{ {argv} }}, root_dir = vim.fn.getcwd(), capabilities = can }})
      end}})
    """
    with opened(say=["fmt.Println(1)"], before=before, **{"import": "fmt"}) as nvim:
        nvim.until(lambda: nvim.lua("return #vim.lsp.get_clients({bufnr = 0})") == 2, "both servers")
        at_the_hole(nvim)
        nvim.until_ghost("fmt.Println(1)")
        nvim.keys(TAB)
        nvim.until_text('import "fmt"')
        assert nvim.text().count("fmt.Println(1)") == 2  # the first line names it
        assert nvim.messages() == ""


@in_editors(*ALL)
def test_a_killed_server_comes_back_and_nobody_is_told(nvim: Neovim) -> None:
    pid = nvim.server_pid()
    assert pid is not None
    kill(pid)
    nvim.until(lambda: nvim.server_pid() not in (None, pid), "another server")
    nvim.until(nvim.server_ready, "the server")
    nvim.until(nvim.attached, "the file open in it")
    nvim.keys("x")
    nvim.until(nvim.ghost, "ghost text again")
    assert nvim.messages() == ""
