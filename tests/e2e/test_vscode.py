"""The extension in the real VS Code, in a browser with real keys: ghost text, its parts, imports and undo, commands.

One window serves the whole module: each test has a Go file of its own in it, whose first line directs the fake server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.gofile import go_file
from support.vscode import LINE, NEXT, PREVIOUS, REDO, REQUEST, UNDO, WORD, VSCode, kill, running
from support.vscode_install import manifest_alone

THREE_LINES = "x := 1\n\ty := x + 2\n\tprintln(x, y)"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    project = tmp_path_factory.mktemp("project")
    (project / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    # Its presence is all that counts: see the test of it.
    other = manifest_alone(tmp_path_factory.mktemp("other"), "TabNine", "tabnine-vscode")
    with running(project, extensions=[other]) as code:
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
    at_the_hole(code, say=[THREE_LINES])
    code.until(code.ghost, "ghost text")
    return code


def at_the_hole(code: VSCode, **directions: Any) -> None:
    """A new file, and a key typed and taken back in its hole: the editor asks for nothing before one."""
    code.open(go_file(**directions))
    code.type("x")
    code.press("Backspace")


def test_ghost_text_is_drawn_in_its_place_and_the_document_stays_as_it_is(three: VSCode) -> None:
    three.until_ghost("x := 1\n    y := x + 2\n    println(x, y)")
    assert three.line() == "\t"


def test_tab_takes_all_of_it(three: VSCode) -> None:
    three.press("Tab")
    three.until_text("\tx := 1\n\ty := x + 2\n\tprintln(x, y)\n}")
    assert three.cursor() == (6, 14)


def test_imports_come_with_the_text_and_one_undo_takes_both_away(code: VSCode) -> None:
    at_the_hole(code, say=["fmt.Println(1)"], **{"import": "fmt"})
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
    code.set("candidates", 3)
    at_the_hole(code, say=["println(1)", "println(2)", "println(3)"])
    code.until_ghost("println(1)")
    for key, expected in [(NEXT, "println(2)"), (NEXT, "println(3)"), (NEXT, "println(1)"), (PREVIOUS, "println(3)")]:
        code.press(key)
        code.until_ghost(expected)
    code.press(WORD)
    code.until_text("\tprintln\n")
    code.until_ghost("(3)")
    code.set("candidates", None)


def test_keys_before_and_behind_the_accept_key_at_once_are_neither_eaten_nor_doubled(code: VSCode) -> None:
    at_the_hole(code, say=["fmt.Println(1)"], **{"import": "fmt"})
    code.until_ghost("fmt.Println(1)")
    code.type("fm\t // so\nx()")
    code.until_text("\tfmt.Println(1) // so\nx()\n")
    code.until_text('import "fmt"')


def test_typing_through_shortens_the_ghost_text(three: VSCode) -> None:
    for key, rest in zip("x :=", [" := 1", ":= 1", "= 1", " 1"], strict=True):
        three.type(key)
        three.until(lambda rest=rest: (three.ghost() or "").startswith(rest + "\n"), f"the rest {rest!r}")
    three.type("2")
    three.until(lambda: "y := x" not in (three.ghost() or ""), "the ghost text that does not fit gone")


def test_what_was_dismissed_does_not_come_back_until_it_is_asked_for(three: VSCode) -> None:
    ghost = three.ghost()
    three.press("Escape")
    three.until_ghost(None)
    asked = len(three.log())
    three.type("x")
    three.until(lambda: len(three.log()) > asked + 1, "the key's own request")
    three.press("Backspace")
    three.until(lambda: last_asked(three) == "\t", "the request without it")
    three.until_line("\t")
    assert three.ghost() is None
    three.press(REQUEST)
    three.until_ghost(ghost)


def last_asked(code: VSCode) -> str | None:
    """The line before the cursor at the last request that came as far as the assistant."""
    return next((entry[1] for entry in reversed(code.log()) if entry[0] == "complete"), None)


def test_the_list_and_the_ghost_text_stay_beside_each_other_and_escape_closes_one_at_a_time(code: VSCode) -> None:
    # As gopls's: a list that opens by itself while one types.
    code.js("""
      globalThis.list = vscode.languages.registerCompletionItemProvider("go", {
        provideCompletionItems: () => [new vscode.CompletionItem("println")],
      });
    """)
    try:
        at_the_hole(code, say=["println(1)"])
        code.until_ghost("println(1)")
        code.type("pri")
        code.page.wait_for_selector(".suggest-widget.visible")
        code.until(lambda: code.ghost() is not None, "ghost text beside the list")
        code.press("Escape")
        code.page.wait_for_selector(".suggest-widget.visible", state="hidden")
        code.until_ghost("ntln(1)")
        code.press("Escape")
        code.until_ghost(None)
        assert code.line() == "\tpri"
    finally:
        code.js("globalThis.list.dispose()")


def test_another_extensions_ghost_text_stands_first_and_ours_is_the_next(code: VSCode) -> None:
    code.js("""
      globalThis.other = vscode.languages.registerInlineCompletionItemProvider({ pattern: "**" }, {
        provideInlineCompletionItems: () => [new vscode.InlineCompletionItem("others()")],
      });
    """)
    try:
        at_the_hole(code, say=["println(1)"])
        code.until_ghost("others()")
        code.press(NEXT)
        code.until_ghost("println(1)")
        code.press("Tab")
        code.until_line("\tprintln(1)")
    finally:
        code.js("globalThis.other.dispose()")


def test_a_tab_that_indents_takes_nothing(code: VSCode) -> None:
    code.open(go_file(say=["println(1)"]))
    code.press("Home", "Home", "Delete")
    code.until_line("")
    code.until(code.ghost, "ghost text")
    code.press("Tab")
    code.until_line("\t")
    code.until_ghost("println(1)")


def test_tab_is_a_tab_where_there_is_nothing_to_take(code: VSCode) -> None:
    code.open(go_file(say=["BAD()"]))
    code.type("a\tb")
    code.until(lambda: code.line().split() == ["a", "b"], "a tab")


def test_nothing_is_asked_while_text_is_selected(three: VSCode) -> None:
    three.type("y")
    three.press("Shift+Home")
    three.until_ghost(None)
    asked = len(three.log())
    three.press(REQUEST)
    three.type("z")
    three.until_line("\tz")
    three.until(lambda: len(three.log()) > asked, "the key told")
    assert ["complete", "\ty", True] not in three.log()


def test_explain_says_why_this_was_shown_in_a_document_to_read(three: VSCode) -> None:
    three.run("goassist.why")
    frame = three.page.frame_locator("iframe.webview").frame_locator("#active-frame")
    frame.get_by_text("y := x + 2").wait_for()
    assert "Shown 1" in frame.locator("body").inner_text()


def test_pause_for_ten_minutes_silences_and_lets_go_again_from_the_menu(three: VSCode) -> None:
    choose(three, "Pause for 10 minutes")
    three.until_ghost(None)
    three.until(lambda: three.status_bar() == "goassist: paused", "the word in the status bar")
    assert three.command("goassist.status")["paused"]
    three.type("x")
    three.until(lambda: three.command("goassist.status")["skip_reason"] == "completions are paused", "a silent answer")
    assert three.ghost() is None
    choose(three, "Suggest again")
    three.until(three.ghost, "ghost text again")
    three.until(lambda: three.status_bar() == "goassist: ready", "the word in the status bar")


@pytest.mark.parametrize("what", ["Pause in this file", "Pause in all Go files"])
def test_pause_of_one_file_or_of_the_language(three: VSCode, what: str) -> None:
    choose(three, what)
    three.until_ghost(None)
    three.until(lambda: three.status_bar().startswith("goassist: paused"), "the word in the status bar")
    asked = len(three.log())
    three.type("print")
    three.until(lambda: len(three.log()) > asked, "the change told")
    assert all(entry[0] != "complete" for entry in three.log()[asked:])
    choose(three, "Suggest again")
    three.until(three.ghost, "ghost text again")


def choose(code: VSCode, label: str) -> None:
    """An entry of the menu, which a click in the status bar opens."""
    code.page.click("[id='goassist.goassist.goassist'] a")
    code.page.click(f".quick-input-list .monaco-list-row:has-text('{label}')")


def test_a_silence_says_its_reason_in_the_status_bar(code: VSCode) -> None:
    at_the_hole(code, say=["BAD()"])
    code.until(lambda: code.status_bar().startswith("goassist: silent: "), "a reason")


def test_log_and_doctor_are_a_click_away(three: VSCode) -> None:
    choose(three, "Log")
    three.page.wait_for_selector(".part.panel .output-view-container, .part.panel [id='workbench.panel.output']")
    three.run("workbench.action.closePanel")
    choose(three, "Doctor")
    frame = three.page.frame_locator("iframe.webview").frame_locator("#active-frame")
    frame.get_by_text("goassist: doctor").wait_for()


def test_the_walkthrough_has_three_steps(code: VSCode) -> None:
    code.run("workbench.action.openWalkthrough", "goassist.goassist#start")
    code.page.wait_for_selector(".getting-started-step")
    assert len(code.page.query_selector_all(".getting-started-step")) == 3


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
