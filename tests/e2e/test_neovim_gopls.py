"""gopls beside the plugin in the real Neovim: its list, its diagnostics, its formatting on save, and our ghost text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from support.gofile import go_file
from support.gopls import gopls
from support.neovim import ENTER, REDO, TAB, UNDO, Neovim, editing, go_project, newer, packaged

OMNI = "\x18\x0f"  # Ctrl+x Ctrl+o: the list of the language servers


def beside(program: Path) -> str:
    """A configuration with gopls, a list that does not choose by itself, and formatting on save."""
    return f"""
      vim.o.completeopt = 'menuone,noinsert,noselect'
      vim.api.nvim_create_autocmd('FileType', {{ pattern = 'go', callback = function()
        vim.lsp.start({{ name = 'gopls', cmd = {{ {json.dumps(str(program))} }}, root_dir = vim.fs.root(0, 'go.mod') }})
      end }})
      vim.api.nvim_create_autocmd('BufWritePre', {{ pattern = '*.go', callback = function()
        vim.lsp.buf.format({{ name = 'gopls', timeout_ms = 60000 }})
      end }})
    """


Open = Callable[..., AbstractContextManager[Neovim]]


@pytest.fixture(params=[pytest.param(packaged, id="0.11"), pytest.param(newer, id="0.12")])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens an editor on a file that gopls has read, with ghost text in its hole."""
    editor: Callable[[], list[str]] = request.param
    if not editor():
        pytest.skip("no such Neovim for this machine (Debian and its apt have 0.12: scripts/neovim_next.py)")

    @contextmanager
    def begin(say: str, **more: str) -> Iterator[Neovim]:
        # The first line as a comment of its own: gofmt puts those of packages in shape.
        text = go_file(say=[say], **more).replace("package main\n", "\npackage main\n")
        with editing(editor(), go_project(tmp_path, text), before=beside(gopls())) as nvim:
            nvim.until(lambda: nvim.lua("return #vim.lsp.get_clients({bufnr = 0})") == 2, "both servers")
            nvim.until(nvim.server_ready, "the server")
            nvim.until(lambda: outline(nvim) == ["main"], "gopls's outline")
            nvim.keys("6GA")
            nvim.until_ghost(say)
            yield nvim
            assert "Error" not in nvim.messages()

    return begin


def outline(nvim: Neovim) -> list[str]:
    """Names that gopls finds in the file."""
    code = """
      local gopls = vim.lsp.get_clients({ name = 'gopls', bufnr = 0 })[1]
      local params = { textDocument = vim.lsp.util.make_text_document_params() }
      local answer = gopls and gopls:request_sync('textDocument/documentSymbol', params, 60000)
      return vim.tbl_map(function(one) return one.name end, answer and answer.result or {})
    """
    return nvim.lua(code)  # type: ignore[no-any-return]


def complaints(nvim: Neovim) -> list[str]:
    """What gopls finds wrong with the file."""
    return nvim.lua("return vim.tbl_map(function(one) return one.message end, vim.diagnostic.get(0))")  # type: ignore[no-any-return]


def test_text_and_import_are_one_step_and_gopls_sees_both_come_and_go(opened: Open) -> None:
    with opened("fmt.Println(1)", **{"import": "fmt"}) as nvim:
        before = nvim.text()
        nvim.keys(TAB)
        nvim.until_text('import "fmt"')
        nvim.until_text("\tfmt.Println(1)\n")
        both = nvim.text()
        nvim.escape()
        nvim.until(lambda: complaints(nvim) == [], "nothing to complain of")
        nvim.keys(UNDO)
        nvim.until(lambda: nvim.text() == before, "neither")
        nvim.keys(REDO)
        nvim.until(lambda: nvim.text() == both, "both again")
        nvim.keys("8Goundefined()")
        nvim.escape()
        nvim.until(lambda: any("undefined: undefined" in one for one in complaints(nvim)), "gopls's own complaint")


def test_the_list_of_gopls_stays_beside_the_ghost_text_until_one_of_them_is_taken(opened: Open) -> None:
    with opened("println(1)") as nvim:
        nvim.keys("prin")
        nvim.until_ghost("tln(1)")
        nvim.keys(OMNI)
        nvim.until_shown(" print ")
        nvim.until_ghost("tln(1)")
        nvim.keys(TAB)
        nvim.until_text("\tprintln(1)\n")
        assert nvim.lua("return vim.fn.pumvisible()") == 0


def test_gopls_formats_on_save_between_suggestion_and_acceptance(opened: Open, tmp_path: Path) -> None:
    with opened("fmt.Println(1)", **{"import": "fmt"}) as nvim:
        nvim.escape()
        nvim.keys("3Govar   s   =   1")
        nvim.escape()
        nvim.keys("7GA")
        nvim.until_ghost("fmt.Println(1)")
        nvim.keys("f")
        nvim.until_ghost("mt.Println(1)")
        # Saved in the middle of typing, as by a key of the user's: a line above is put in shape.
        nvim.keys("\x0f:w" + ENTER)
        nvim.until(lambda: "var s = 1" in (tmp_path / "main.go").read_text(), "the formatted file written")
        # Asked for anew in the changed file, where the fake model says all of it again.
        nvim.until_ghost("fmt.Println(1)")
        nvim.keys(TAB)
        nvim.until_text("\tffmt.Println(1)\n}")
        nvim.until_text('import "fmt"')
        nvim.until_text("var s = 1")
