"""Nothing typed in VS Code is lost or doubled: keys at speed, and random edits against a model of the text.

TYPING_S, HURRIES and RANDOM_EDITS make them longer: CI types for a part of the minute, makes a part of the 1,000 edits.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator

import pytest

from support.gofile import go_file
from support.vscode import LINE, REDO, UNDO, WORD, VSCode, running

TYPING_S = float(os.environ.get("TYPING_S", "8"))
RANDOM_EDITS = int(os.environ.get("RANDOM_EDITS", "60"))
KEY_INTERVAL_S = 0.06
# How many accepts right behind another key, and the most that lies between the two.
HURRIES = int(os.environ.get("HURRIES", "8"))
HURRY_MS = 50
SAID = "x := 1\n\tfmt.Println(x)\n\ty := x"
# Imports come with the first part in which a package may be named, and with the whole.
QUALIFIED = re.compile(r"[A-Za-z_]\w*\.")
IMPORT = '\nimport "fmt"\n'


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    project = tmp_path_factory.mktemp("project")
    (project / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    with running(project, server_env={"FAKE_LOG_ENTRIES": "20"}) as window:
        window.open(go_file())
        window.until(window.server_ready, "the server")
        yield window


def test_keys_typed_fast_are_neither_dropped_nor_doubled(code: VSCode) -> None:
    before = go_file(say=["println(1)\n\tprintln(2)"])
    code.open(before)
    # No Tab: it would take what is shown.
    lines = ["println(1)", "if x := f(); x {", " pri(1, 2)", "}", "println(1)", "println(2)", ""]
    rest = iter("\n".join(lines) * 1000)
    typed = ""
    seen = 0
    end = time.monotonic() + TYPING_S
    while time.monotonic() < end:
        key = next(rest)
        code.type(key)
        typed += key
        code.page.wait_for_timeout(KEY_INTERVAL_S * 1000)
        seen += code.ghost() is not None
    expected = before.replace("\t", "\t" + typed)
    code.until(lambda: code.text() == expected, "what was typed, and nothing else")
    assert seen > 0
    assert code.notifications() == []


@pytest.mark.parametrize("key", ["Tab", WORD, LINE])
def test_an_accept_key_within_50_ms_of_another_key_eats_and_doubles_nothing(code: VSCode, key: str) -> None:
    said, taken = "println(1)\n\tprintln(2)", 0
    for number in range(HURRIES):
        code.open(go_file(say=[said]))
        code.type("x")
        code.press("Backspace")
        code.until_ghost(said.replace("\t", "    "))
        before, behind = code.text().split("\t\n")
        typed = said[: 1 + number % 7]
        code.type(typed)
        code.page.wait_for_timeout(HURRY_MS * number / HURRIES)
        code.press(key)
        # Behind Tab, which is the window's own, keys at once; parts are taken in the extension, and what is typed until
        # then stands before them.
        behind_it = "//" if key == "Tab" else ""
        code.type(behind_it)
        settle(code)
        text, start, end = code.text(), f"{before}\t{typed}", f"{behind_it}\n{behind}"
        assert text.startswith(start) and text.endswith(end) and len(text) >= len(start) + len(end)
        made = text[len(start) : len(text) - len(end)]
        assert made == "\t" or said[len(typed) :].startswith(made), made
        taken += made not in ("", "\t")
    assert taken > HURRIES / 2


def settle(code: VSCode) -> None:
    """Wait until nothing is on its way any more: the text outlives a few questions to window and server."""
    body = """
      const document = vscode.window.activeTextEditor.document;
      for (let same = 0, version = -1; same < 6; same = version === document.version ? same + 1 : 0) {
        version = document.version;
        // To the window and back, to the server and back: behind whatever is on its way between them.
        await vscode.commands.executeCommand("setContext", "tests.settled", same);
        await vscode.commands.executeCommand("goassist.status");
      }
    """
    code.js(body)


def imported(text: str) -> str:
    """What the fake server's import edit makes of a text."""
    head, package, rest = text.partition("package main\n")
    return f"{head}{package}{IMPORT}{rest}"


class Editing:
    """Random doings, each made in the editor and in the model, which is the text as it must be."""

    def __init__(self, code: VSCode, text: str, dice: random.Random) -> None:
        self.code = code
        self.text = text
        self.dice = dice
        self.row = 4
        self.taken = 0

    def check(self, what: str) -> None:
        try:
            self.code.until(lambda: self.code.text() == self.text, what)
        except AssertionError:
            assert self.code.text() == self.text, what
            raise

    def appended(self, part: str) -> str:
        """The text with something behind the end of the line."""
        lines = self.text.split("\n")
        lines[self.row] += part
        return "\n".join(lines)

    def at_end_of_some_line(self) -> None:
        """A line of the body: never the first, which directs the fake server."""
        lines = self.text.split("\n")
        first = next(row for row, line in enumerate(lines) if line.startswith("func main"))
        last = max(row for row, line in enumerate(lines) if line == "}")
        self.row = self.dice.randrange(first, last)
        code = """
          const editor = vscode.window.activeTextEditor, end = editor.document.lineAt(args[0]).range.end;
          editor.selection = new vscode.Selection(end, end);
          // Carried out in the window behind the selection: the keys come after both.
          await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
        """
        self.code.js(code, self.row)

    def type(self) -> None:
        self.at_end_of_some_line()
        keys = ["a", "x", "f", "fm", "(", ")", " ", "1", "é", "😀", "\n", "fmt.P"]
        made, before = "", self.text.split("\n")[self.row]
        for _ in range(self.dice.randrange(1, 8)):
            key = self.dice.choice(keys)
            # As the first of a line VS Code puts a bracket under the one that it closes.
            made += "a" if key == ")" and not (before + made).rpartition("\n")[2].strip() else key
        self.code.type(made)
        self.text = self.appended(made)
        self.row += made.count("\n")
        self.check("what was typed")

    def take(self) -> None:
        """All of the ghost text or a part of it; then one step back, and on again."""
        self.type()
        line = self.text.split("\n")[self.row]
        self.code.until(lambda: self.code.ghost() or ["complete", line, False] in self.code.log(), "a request")
        settle(self.code)
        if self.code.ghost() is None:
            return
        before, key = self.text, self.dice.choice(["Tab", WORD, LINE])
        lines = before.split("\n")
        head, tail = "\n".join(lines[: self.row + 1]), "\n" + "\n".join(lines[self.row + 1 :])
        self.code.press(key)

        def made() -> str | None:
            """What came in behind the line, and the import with it if it was to; None while it may be to come."""
            text = self.code.text()
            for front in (imported(head), head):
                if text.startswith(front) and text.endswith(tail):
                    part = text[len(front) : len(text) - len(tail)]
                    if front != head or not (part.strip() and (key == "Tab" or QUALIFIED.search(part))):
                        return part or None
            return None

        self.code.until(made, f"what {key} makes of it")
        settle(self.code)
        self.text = self.code.text()
        if self.text == head + "\t" + tail:  # in front of an indentation that is still to come
            return
        self.taken += 1
        self.code.press(UNDO)
        self.code.until(lambda: self.code.text() == before, f"one step back to:\n{before}\n")
        self.code.press(REDO)
        self.check("one step on")

    def back_and_on(self) -> None:
        """Some steps back and as many on are none."""
        steps = self.dice.randrange(1, 4)
        for key in (UNDO, REDO):
            for _ in range(steps):
                self.code.press(key)
        self.check(f"{steps} steps back and on")


def test_random_edits_leave_editor_server_and_model_with_one_text(code: VSCode) -> None:
    text = go_file(say=[SAID], **{"import": "fmt"})
    code.open(text)
    hands = Editing(code, text, random.Random(9))
    for number in range(RANDOM_EDITS):
        hands.dice.choice([hands.type, hands.take, hands.take, hands.back_and_on])()
        if number % 10 == 9 or number == RANDOM_EDITS - 1:
            code.until(lambda: server_text(code) in (None, hands.text), "the same text in the server")
    assert server_text(code) == hands.text
    assert hands.taken > RANDOM_EDITS / 20


def server_text(code: VSCode) -> str | None:
    """The document as the assistant was told last; None if it has been told nothing lately."""
    return next((entry[2] for entry in reversed(code.log()) if entry[0] in ("changed", "opened")), None)
