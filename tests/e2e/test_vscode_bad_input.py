"""What goes wrong around the extension: a message once, with a button that mends it; no text lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from support.gofile import go_file
from support.lsp_client import FAKE_SERVER
from support.vscode import VSCode, program, running

FILE = go_file(say=["println(1)"])


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    """A window whose server is not there yet: at the path that the setting names."""
    project = tmp_path_factory.mktemp("project")
    (project / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    with running(project, server=str(project / "goassist-lsp")) as window:
        yield window


@pytest.fixture(autouse=True)
def nothing_said(code: VSCode) -> None:
    """What the test before was told is off the screen."""
    code.run("notifications.clearAll")


def message(code: VSCode, part: str) -> str:
    """Wait for a message on the screen; there is one of it."""
    code.until(lambda: any(part in one for one in code.notifications()), f"a message with {part!r}")
    found = [one for one in code.notifications() if part in one]
    assert len(found) == 1
    return found[0]


def ghost_at_the_hole(code: VSCode, text: str = "println(1)") -> None:
    code.until(code.server_ready, "the server")
    code.type("x")
    code.press("Backspace")
    code.until_ghost(text)


def test_a_missing_server_is_told_once_and_started_when_it_is_there(code: VSCode) -> None:
    code.open(FILE)
    assert str(code.project / "goassist-lsp") in message(code, "there is no server (pip install goassist-lsp)")
    assert code.page.query_selector(".monaco-button:has-text('Install…')")
    code.until(lambda: code.status_bar() == "goassist: the server is not installed", "the word in the status bar")
    program(code.project, FAKE_SERVER)
    code.run("notifications.clearAll")
    code.run("goassist.restart")
    ghost_at_the_hole(code)


def test_a_server_that_dies_thrice_is_left_alone_and_a_button_starts_it_again(code: VSCode) -> None:
    program(code.project, [sys.executable, "-c", "raise SystemExit(3)"])
    code.open(FILE)
    code.run("goassist.restart")
    message(code, "the server died 3 times")
    assert len(code.notifications()) == 1
    code.type("println()")
    code.until_line("\tprintln()")
    program(code.project, FAKE_SERVER)
    code.click_button("Restart")
    code.open(FILE)
    ghost_at_the_hole(code)


def test_a_model_that_is_missing_is_told_once_with_the_button_that_fetches_it(code: VSCode) -> None:
    program(code.project, FAKE_SERVER, {"FAKE_PROBLEM": "There is no model. Run `goassist-lsp model pull`"})
    code.open(FILE)
    code.run("goassist.restart")
    message(code, "There is no model")
    assert code.page.query_selector(".monaco-button:has-text('Fetch the Model…')")
    program(code.project, FAKE_SERVER)
    code.run("notifications.clearAll")
    code.run("goassist.restart")


def test_a_wrong_setting_is_named_and_the_default_used(code: VSCode) -> None:
    code.open(FILE)
    code.set("threads", "many")
    message(code, "goassist.threads")
    code.set("threads", None)
    ghost_at_the_hole(code)


def test_carriage_returns_stay_the_files_own(code: VSCode) -> None:
    path = code.open(go_file("\r\n", say=["x := 1\n\tprintln(x)"], **{"import": "fmt"}))
    code.until(code.server_ready, "the server")
    code.type("x")
    code.press("Backspace")
    code.until(code.ghost, "ghost text")
    code.press("Tab")
    code.until_text('import "fmt"')
    code.press("Control+s")
    code.until(lambda: b"x := 1\r\n" in path.read_bytes(), "the file written")
    data = path.read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") and b"\r\r" not in data


@pytest.mark.parametrize("before", ["  \t ", '\ts := "é😀" + ', '\tx := "日本語" + '])
def test_tabs_spaces_and_wide_characters_before_the_cursor(code: VSCode, before: str) -> None:
    code.open(FILE.replace("\t", before))
    ghost_at_the_hole(code)
    code.press("Control+ArrowRight")
    code.until_line(before + "println")


def test_a_file_under_a_new_name_is_the_servers_under_that_name(code: VSCode) -> None:
    path = code.open(FILE)
    ghost_at_the_hole(code)
    code.press("Escape")
    code.run("workbench.action.files.save")
    path.rename(path.with_name("renamed.go"))
    code.show(path.with_name("renamed.go"))
    code.until(lambda: ["opened", "renamed.go", FILE] in code.log(), "the new name")
    ghost_at_the_hole(code)


def test_a_file_deleted_under_the_cursor_is_edited_on_and_saved_again(code: VSCode) -> None:
    path = code.open(FILE)
    ghost_at_the_hole(code)
    code.type("p")
    path.unlink()
    code.page.wait_for_selector(".tab.active .strikethrough")
    code.until_ghost("rintln(1)")
    code.press("Tab")
    code.until_line("\tprintln(1)")
    code.press("Control+s")
    code.until(lambda: path.exists() and "\tprintln(1)\n" in path.read_text(), "the file, back with all that was typed")
    assert code.notifications() == []


def test_nothing_is_asked_in_a_file_that_is_read_only(code: VSCode) -> None:
    code.js("await vscode.workspace.getConfiguration('files').update('readonlyInclude', {'**/fixed*.go': true}, true)")
    code.open(FILE, name="fixed.go")
    code.until(code.server_ready, "the server")
    asked = len(code.log())
    code.type("x")
    code.run("editor.action.inlineSuggest.trigger")
    assert code.ghost() is None
    assert code.text() == FILE
    code.open(FILE)
    ghost_at_the_hole(code)
    told = [entry[0] for entry in code.log()[asked:]]
    assert "complete" not in told[: told.index("opened")]
    assert code.notifications() == []


def test_a_generated_file_is_left_alone_and_the_status_bar_says_so(code: VSCode) -> None:
    code.open(FILE.replace("package", "// Code generated by a tool. DO NOT EDIT.\n\npackage"), line=7)
    code.until(code.server_ready, "the server")
    code.type("p")
    code.until(lambda: code.status_bar() == "goassist: silent: generated file", "the reason")
    assert code.ghost() is None


def test_a_huge_file_is_edited_as_ever(code: VSCode) -> None:
    code.open(FILE + "// filling filling filling\n" * 100_000)
    code.until(code.server_ready, "the server")
    code.type("println(2)")
    code.until_line("\tprintln(2)")
    code.until(lambda: "file is larger" in code.status_bar(), "the server's reason")
    assert code.notifications() == []
