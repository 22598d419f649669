"""VS Code with the real server, model and Go toolchain: from a typed name to a package that compiles."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.gopls import gopls
from support.stack import GO_MOD, SERVER, STACK
from support.vscode import REDO, UNDO, running
from support.vscode_install import gopls_extension

MAIN = """package main

import "fmt"

func main() {
	s := &Stack{}
	for _, word := range []string{"a", "b"} {
		
	}
	fmt.Println(s.items)
}
"""


@pytest.mark.parametrize("beside", ["alone", "gopls"])
def test_from_a_typed_name_to_a_package_that_compiles(tmp_path: Path, beside: str) -> None:
    more: dict[str, Any] = {}
    if beside == "gopls":
        more = {"extensions": [gopls_extension()], "env": {"GOPLS": str(gopls())}}
    (tmp_path / "go.mod").write_text(GO_MOD)
    (tmp_path / "stack.go").write_text(STACK)
    with running(tmp_path, server=SERVER, **more) as code:
        main = code.open(MAIN, line=8, name="main.go")
        code.until(code.server_ready, "the model and the types")
        code.type("s.Pu")
        if beside == "gopls":
            # With its `Push()` selected in the list VS Code shows no text that puts something between the brackets.
            code.page.wait_for_selector(".suggest-widget.visible .monaco-list-row:has-text('Push')", timeout=60_000)
            code.press("Escape")
        code.until_ghost("sh(word)")
        code.press("Tab")
        code.until_line("\t\ts.Push(word)")
        code.press("Control+s")
        code.until(lambda: "s.Push(word)" in main.read_text(), "the file written")
        subprocess.run(["go", "vet", "./..."], cwd=tmp_path, check=True)
        code.press(UNDO)
        code.until_line("\t\ts.Pu")
        code.press(REDO)
        code.until_line("\t\ts.Push(word)")
        assert code.notifications() == []
