"""A server of VS Code that takes its time to start: what is typed meanwhile is asked about when it answers."""

from __future__ import annotations

import shlex
from pathlib import Path

from support.gofile import HOLE, go_file
from support.lsp_client import FAKE_SERVER
from support.vscode import running

SLOW_S = 6


def test_what_was_typed_before_the_server_ran_is_answered_without_another_key(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    (tmp_path / "main.go").write_text(go_file(say=["println(1)"]))
    slow = tmp_path / "slow-server"
    slow.write_text(f"#!/bin/sh\nsleep {SLOW_S}\nexec {shlex.join(FAKE_SERVER)}\n")
    slow.chmod(0o755)
    with running(tmp_path, server=str(slow)) as code:
        code.show(tmp_path / "main.go", HOLE[0] + 1)
        code.type("x")
        code.press("Backspace")
        code.until_ghost("println(1)")
