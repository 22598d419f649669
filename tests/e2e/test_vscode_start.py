"""A server of VS Code that takes its time to start, ends, is started anew: what is typed meanwhile is asked about."""

from __future__ import annotations

import shlex
from pathlib import Path

from support.gofile import HOLE, go_file
from support.lsp_client import FAKE_SERVER
from support.vscode import VSCode, kill, program, running, servers

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


def test_what_was_typed_while_the_model_was_loaded_is_answered_without_another_key(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    server = program(tmp_path, FAKE_SERVER, {"FAKE_LOADING_S": str(2 * SLOW_S)})
    with running(tmp_path, server=str(server)) as code:
        code.open(go_file(say=["println(1)"]))
        code.type("x")
        code.press("Backspace")
        code.until(lambda: asked(code) and not code.server_ready(), "a question before the model is there")
        code.until_ghost("println(1)")
        assert asked(code) > 1


def asked(code: VSCode) -> int:
    """How many questions the server has got."""
    status = code.command("goassist.status") or {}
    return sum(what == "complete" for what, *_ in status.get("log", []))


def test_a_question_that_a_server_took_with_it_is_answered_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    with running(tmp_path, server=str(program(tmp_path, FAKE_SERVER))) as code:
        code.open(go_file(say=["println(1)"], slow_s=2))
        code.until(code.server_ready, "the server")
        code.type("x")
        code.press("Backspace")
        code.until(lambda: any(what == "complete" for what, *_ in code.log()), "the question")
        kill(code.server_pid() or 0)
        code.until_ghost("println(1)")


def test_of_restarts_at_once_one_server_is_left_and_it_answers(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    (tmp_path / "new").mkdir()
    with running(tmp_path, server=str(program(tmp_path, FAKE_SERVER))) as code:
        code.open(go_file(say=["println(1)"]))
        code.until(code.server_ready, "the server")
        one = "vscode.commands.executeCommand('goassist.restart')"
        setting = "vscode.workspace.getConfiguration('goassist').update('server', args[0], true)"
        code.js(f"await Promise.all([{one}, {setting}, {one}, {one}])", str(program(tmp_path / "new", FAKE_SERVER)))
        code.type("x")
        code.press("Backspace")
        code.until_ghost("println(1)")
        assert len(list(servers(code.process.pid))) == 1
