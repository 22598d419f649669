"""The extension in the real VS Code, in a browser with real keys: ghost text, its parts, imports and undo, commands.

One window serves the whole module: each test has a Go file of its own in it, whose first line directs the fake server.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.gofile import go_file
from support.vscode import LINE, NEXT, PREVIOUS, REDO, UNDO, WORD, VSCode, kill, running

THREE_LINES = "x := 1\n\ty := x + 2\n\tprintln(x, y)"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    project = tmp_path_factory.mktemp("project")
    (project / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    with running(project) as code:
        code.open(go_file())
        yield code


@pytest.fixture
def code(window: VSCode) -> VSCode:
    """The window as if nothing had happened in it."""
    window.until(window.server_ready, "the server")
    window.run("notifications.clearAll")
    return window


@pytest.fixture
def three(code: VSCode) -> VSCode:
    """One suggestion of three lines, shown behind a typed "x"."""
    code.open(go_file(say=[THREE_LINES]))
    code.type("x")
    code.press("Backspace")
    code.until(code.ghost, "ghost text")
    return code


def test_ghost_text_is_drawn_in_its_place_and_the_document_stays_as_it_is(three: VSCode) -> None:
    three.until_ghost("x := 1\n    y := x + 2\n    println(x, y)")
    assert three.line() == "\t"


def test_tab_takes_all_of_it(three: VSCode) -> None:
    three.press("Tab")
    three.until_text("\tx := 1\n\ty := x + 2\n\tprintln(x, y)\n}")
    assert three.cursor() == (6, 14)


def test_imports_come_with_the_text_and_one_undo_takes_both_away(code: VSCode) -> None:
    code.open(go_file(say=["fmt.Println(1)"], **{"import": "fmt"}))
    code.type("f")
    code.press("Backspace")
    code.until_ghost("fmt.Println(1)")
    code.type("fm")
    code.until_ghost("t.Println(1)")
    code.press("Tab")
    code.until_text('import "fmt"')
    both = code.text()
    assert "\tfmt.Println(1)\n" in both
    assert code.cursor() == (6, 15)
    code.press(UNDO)
    code.until(lambda: "\nimport" not in code.text(), "no import")
    assert "\tfm\n" in code.text()
    code.press(REDO)
    code.until(lambda: code.text() == both, "both again")


def test_word_by_word_ends_at_the_accept_points(three: VSCode) -> None:
    for expected in ("\tx", "\tx := 1"):
        three.press(WORD)
        three.until_line(expected)
        three.until(three.ghost, "the rest as ghost text")


def test_line_by_line_ends_at_line_ends(three: VSCode) -> None:
    for expected in ("\tx := 1\n}", "\tx := 1\n\ty := x + 2\n}", "\tx := 1\n\ty := x + 2\n\tprintln(x, y)\n}"):
        three.until(three.ghost, "ghost text")
        three.press(LINE)
        three.until_text(expected)


def test_next_and_previous_go_round_the_candidates(code: VSCode) -> None:
    code.js("await vscode.workspace.getConfiguration('goassist').update('candidates', 3, true)")
    code.open(go_file(say=["println(1)", "println(2)", "println(3)"]))
    code.type("x")
    code.press("Backspace")
    code.until_ghost("println(1)")
    for key, expected in [(NEXT, "println(2)"), (NEXT, "println(3)"), (NEXT, "println(1)"), (PREVIOUS, "println(3)")]:
        code.press(key)
        code.until_ghost(expected)
    code.press(WORD)
    code.until_text("\tprintln\n")
    code.until_ghost("(3)")


def test_a_killed_server_comes_back_and_nobody_is_told(three: VSCode) -> None:
    pid = three.server_pid()
    assert pid is not None
    kill(pid)
    three.until(lambda: three.server_pid() not in (None, pid), "another server")
    three.until(three.server_ready, "the server")
    three.press("Escape")
    three.type("x")
    three.until(three.ghost, "ghost text again")
    assert three.notifications() == []
