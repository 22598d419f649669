"""Neovim with the real server, model and Go toolchain: from a typed name to a package that compiles."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.neovim import ENTER, TAB, UNDO, editing, packaged
from support.stack import GO_MOD, SERVER, STACK

MAIN = """package main

import "fmt"

func main() {
	s := &Stack{}
	for _, word := range []string{"a", "b"} {
	}
	fmt.Println(s.items)
}
"""


def test_from_a_typed_name_to_a_package_that_compiles(tmp_path: Path) -> None:
    if not packaged():
        pytest.skip("there is no wheel of Neovim for Linux on ARM")
    (tmp_path / "go.mod").write_text(GO_MOD)
    (tmp_path / "stack.go").write_text(STACK)
    main = tmp_path / "main.go"
    main.write_text(MAIN)
    with editing(packaged(), main, server=SERVER) as nvim:
        nvim.until(nvim.server_ready, "the model and the types")
        nvim.keys("7Go")
        nvim.until(lambda: nvim.line() == "\t\t", "the line with its indentation")
        nvim.keys("s.Pu")
        nvim.until_ghost("sh(word)")
        nvim.until_shown("                s.Push(word)")
        nvim.keys(TAB)
        nvim.until(lambda: nvim.line() == "\t\ts.Push(word)", "the call")
        nvim.escape()
        nvim.keys(":w" + ENTER)
        nvim.until(lambda: "s.Push(word)" in main.read_text(), "the file written")
        subprocess.run(["go", "vet", "./..."], cwd=tmp_path, check=True)
        nvim.keys(UNDO)
        nvim.until(lambda: nvim.line() == "\t\ts.Pu", "what was typed")
        assert "Error" not in nvim.messages()
