"""A server of VS Code that takes its time to start, ends, is started anew: what is typed meanwhile is asked about."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from support.gofile import HOLE, go_file
from support.lsp_client import FAKE_SERVER
from support.vscode import VSCode, kill, program, running, servers

SLOW_S = 6


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    return tmp_path


def test_what_was_typed_before_the_server_ran_is_answered_without_another_key(module: Path) -> None:
    (module / "main.go").write_text(go_file(say=["println(1)"]))
    slow = program(module, ["sh", "-c", f"sleep {SLOW_S}; exec {shlex.join(FAKE_SERVER)}"])
    with running(module, server=str(slow)) as code:
        code.show(module / "main.go", HOLE[0] + 1)
        code.type("x")
        code.press("Backspace")
        code.until_ghost("println(1)")


def test_what_was_typed_while_the_model_was_loaded_is_answered_without_another_key(module: Path) -> None:
    server = program(module, FAKE_SERVER, {"FAKE_LOADING_S": str(2 * SLOW_S)})
    with running(module, server=str(server)) as code:
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


def test_a_question_that_a_server_took_with_it_is_answered_by_the_next(module: Path) -> None:
    with running(module, server=str(program(module, FAKE_SERVER))) as code:
        code.open(go_file(say=["println(1)"], slow_s=2))
        code.until(code.server_ready, "the server")
        code.type("x")
        code.press("Backspace")
        code.until(lambda: asked(code), "the question")
        kill(code.server_pid() or 0)
        code.until_ghost("println(1)")


def test_of_restarts_at_once_one_server_is_left_and_it_answers(module: Path) -> None:
    (module / "new").mkdir()
    with running(module, server=str(program(module, FAKE_SERVER))) as code:
        code.open(go_file(say=["println(1)"]))
        code.until(code.server_ready, "the server")
        one = "vscode.commands.executeCommand('goassist.restart')"
        setting = "vscode.workspace.getConfiguration('goassist').update('server', args[0], true)"
        code.js(f"await Promise.all([{one}, {setting}, {one}, {one}])", str(program(module / "new", FAKE_SERVER)))
        code.type("x")
        code.press("Backspace")
        code.until_ghost("println(1)")
        assert len(list(servers(code.process.pid))) == 1
