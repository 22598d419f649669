"""Completion plugins that map <Tab> over ours, in the ways of nvim-cmp and blink.cmp, told by their sources.

The plugins themselves are in no registry of packages. Both map in the buffer when insert mode begins, keep the mapping
that was there, and fall back to it where they have nothing to do: nvim-cmp at once, blink.cmp behind the keys that have
come already.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gofile import go_file
from support.neovim import ENTER, TAB, Neovim, editing, go_project, packaged

WAYS = {
    "cmp": ("InsertEnter", "*", "before.callback()"),
    "blink.cmp": ("ModeChanged", "n:i", "vim.schedule(before.callback)"),
}


@pytest.fixture(params=list(WAYS))
def nvim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Neovim]:
    """An editor with ghost text, and a list plugin whose list opens and closes as `_G.open` says."""
    if not packaged():
        pytest.skip("there is no wheel of Neovim for Linux on ARM")
    event, pattern, fall_back = WAYS[request.param]
    before = f"""
      local function open() return _G.open end
      package.loaded['{request.param}'] = {{ visible = open, is_menu_visible = open }}
      vim.api.nvim_create_autocmd('{event}', {{ pattern = '{pattern}', callback = vim.schedule_wrap(function()
        local before = vim.fn.maparg('<Tab>', 'i', false, true)
        if before.desc == 'list' then return end
        _G.over = before.desc
        vim.keymap.set('i', '<Tab>', function()
          if open() then vim.api.nvim_feedkeys('LIST', 'in', false) else {fall_back} end
        end, {{ buffer = 0, desc = 'list' }})
      end) }})
    """
    path = go_project(tmp_path, go_file(say=["fmt.Println(1)"], **{"import": "fmt"}))
    with editing(packaged(), path, before=before) as editor:
        editor.until(editor.server_ready, "the server")
        editor.keys("5GA")
        editor.until_ghost("fmt.Println(1)")
        assert editor.lua("return _G.over") == "goassist: accept"
        yield editor
        assert editor.messages() == ""


def test_tab_comes_through_to_the_ghost_text_and_is_the_lists_while_that_is_open(nvim: Neovim) -> None:
    nvim.lua("_G.open = true")
    nvim.keys(TAB)
    nvim.until(lambda: nvim.line() == "\tLIST", "the list's own key")
    nvim.lua("_G.open = false")
    nvim.keys("\x17")
    nvim.until_ghost("fmt.Println(1)")
    nvim.keys(TAB)
    nvim.until_text("\tfmt.Println(1)\n")
    nvim.until_text('import "fmt"')


def test_a_tab_is_a_tab_where_neither_has_a_use_for_it(nvim: Neovim) -> None:
    nvim.lua("vim.b.goassist_paused = true")
    nvim.keys("a =")
    nvim.until_ghost(None)
    nvim.keys(TAB)
    nvim.until(lambda: nvim.line() == "\ta =\t", "a tab")
    nvim.keys(ENTER + "b")
    nvim.until_text("\ta =\t\n")
