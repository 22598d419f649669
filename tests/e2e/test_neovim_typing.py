"""Nothing typed is lost or doubled: a minute of keys, and random edits against a model of the text.

TYPING_S and RANDOM_EDITS make both longer: CI types for a part of the minute, and makes the 1,000 edits in one editor.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.gofile import go_file
from support.neovim import ENTER, LINE, REDO, TAB, UNDO, WORD, Neovim, editing, go_project, newer, packaged

TYPING_S = float(os.environ.get("TYPING_S", "12"))
KEY_INTERVAL_S = 0.06

# The model of the text knows no automatic indentation.
PLAIN = """
vim.api.nvim_create_autocmd('FileType', {callback = function()
  vim.bo.indentexpr, vim.bo.autoindent, vim.bo.formatoptions = '', false, ''
end})
"""
EDITORS = [pytest.param(packaged, id="0.11"), pytest.param(newer, id="0.12")]


def command(editor: Callable[[], list[str]]) -> list[str]:
    argv = editor()
    if not argv:
        pytest.skip("no such Neovim for this machine (Debian and its apt have 0.12: scripts/neovim_next.py)")
    return argv


@pytest.mark.parametrize("editor", EDITORS)
def test_keys_typed_fast_are_neither_dropped_nor_doubled(editor: Callable[[], list[str]], tmp_path: Path) -> None:
    before = go_file(say=["println(1)\n\tprintln(2)"])
    # Indented by hand: no Tab in front of a line's first character takes a suggestion.
    lines = ["\tprintln(1)", "\tif x := f(); x {", "\t\tpri(äöü, 😀)", "\t}", "\tprintln(1)", "\tprintln(2)", ""]
    rest = iter(("\n".join(lines)) * 1000)
    typed = ""
    with editing(command(editor), go_project(tmp_path, before), before=PLAIN) as nvim:
        nvim.until(nvim.server_ready, "the server")
        nvim.keys("5GS")
        nvim.until(lambda: nvim.line() == "" and nvim.mode == "i", "an empty line")
        end = time.monotonic() + TYPING_S
        seen = 0
        while time.monotonic() < end:
            key = next(rest)
            nvim.keys(ENTER if key == "\n" else key)
            typed += key
            time.sleep(KEY_INTERVAL_S)
            seen += nvim.ghost() is not None
        expected = before.replace("\t", typed).rstrip("\n")
        nvim.until(lambda: nvim.text() == expected, "what was typed, and nothing else")
        assert seen > 0
        assert nvim.messages() == ""
        assert nvim.mode == "i"


class Model:
    """The text as it must be, with its steps of undo. The cursor's line is `row`, from 0; edits are at its end."""

    def __init__(self, text: str) -> None:
        self.steps = [text]
        self.now = 0
        self.row = 4

    @property
    def text(self) -> str:
        return self.steps[self.now]

    def lines(self) -> list[str]:
        return self.text.split("\n")

    def step(self, text: str) -> None:
        """A change that one undo takes back."""
        if text != self.text:
            self.steps[self.now + 1 :] = [text]
            self.now += 1

    def appended(self, part: str) -> str:
        """The text with something behind the end of the line."""
        lines = self.lines()
        lines[self.row] += part
        return "\n".join(lines)


IMPORT = '\nimport "fmt"\n'


def imported(text: str) -> str:
    """What the fake server's import edit makes of a text."""
    head, package, rest = text.partition("package main\n")
    return f"{head}{package}{IMPORT}{rest}"


class Editing:
    """Random doings, each made in the editor and in the model."""

    def __init__(self, nvim: Neovim, model: Model, dice: random.Random) -> None:
        self.nvim = nvim
        self.model = model
        self.dice = dice
        self.taken = 0

    def at_end_of_some_line(self) -> None:
        """Insert mode at the end of a line of the body: never in the first line, which directs the fake server."""
        lines = self.model.lines()
        first = next(row for row, line in enumerate(lines) if line.startswith("func main"))
        last = max(row for row, line in enumerate(lines) if line == "}")
        self.model.row = self.dice.randrange(first, last)
        self.nvim.keys(f"{self.model.row + 1}GA")
        self.nvim.until(lambda: self.nvim.mode == "i", "insert mode")

    def check(self, what: str) -> None:
        self.nvim.until(lambda: self.nvim.text() == self.model.text, f"{what}; it should be:\n{self.model.text}\n")

    def typing(self) -> str:
        """A few keys; returns what they make."""
        made = ""
        for _ in range(self.dice.randrange(1, 8)):
            made += self.dice.choice(["a", "x", "f", "fm", "(", ")", " ", "1", "é", "😀", "\n", "fmt.P"])
        self.nvim.keys(made.replace("\n", ENTER))
        return made

    def type(self) -> None:
        self.at_end_of_some_line()
        self.model.step(self.model.appended(self.typing()))
        self.nvim.escape()
        self.check("what was typed")

    def take(self) -> None:
        """Something typed, perhaps, and then all of the ghost text or a part of it, if there is any."""
        self.at_end_of_some_line()
        if self.dice.random() < 0.4:
            made = self.typing()
            self.model.step(self.model.appended(made))
            self.model.row += made.count("\n")
        self.nvim.until(lambda: not self.nvim.lua("return require('goassist.suggest').waiting()"), "an answer")
        self.check("what was typed")
        shown = self.nvim.lua("return require('goassist.suggest').current()")
        if shown is not None:
            key = self.dice.choice([TAB, WORD, LINE])
            data = shown["text"].encode()
            rest = data[shown["typed"] :].decode()
            self.nvim.keys(key)
            # In front of a line's first character it may be an indentation.
            blank = key == TAB and not self.model.lines()[self.model.row].strip()
            outcomes = {self.model.appended("\t")} if blank else set()
            for end in [len(rest)] if key == TAB else range(1, len(rest) + 1):
                # Imports come with the whole, and with a part in which a package may be named.
                text, taken = self.model.appended(rest[:end]), data[: shown["typed"]].decode() + rest[:end]
                needs = end == len(rest) or re.search(r"[A-Za-z_]\w*\.", taken)
                outcomes.add(imported(text) if needs else text)
            self.nvim.until(lambda: self.nvim.text() in outcomes, f"ghost text {rest!r} taken by {key!r}")
            self.model.step(self.nvim.text())
            self.taken += 1
        self.nvim.escape()
        self.check("what was taken")

    def hurry(self) -> None:
        """The accept key right behind other keys: it takes what fits, or is a tab; what was typed stays typed."""
        self.at_end_of_some_line()
        self.nvim.until(lambda: not self.nvim.lua("return require('goassist.suggest').waiting()"), "an answer")
        typed = self.model.appended("x :")
        lines = typed.split("\n")
        before, behind = "\n".join(lines[: self.model.row + 1]), "\n" + "\n".join(lines[self.model.row + 1 :])
        self.nvim.keys("x :" + TAB)

        def made() -> bool:
            text = self.nvim.text()
            taken = text.startswith(imported(before)) and len(text) > len(imported(before) + behind)
            return text == before + "\t" + behind or (taken and text.endswith(behind))

        self.nvim.until(made, "what Tab made behind 'x :'")
        text = self.nvim.text()
        if text != before + "\t" + behind:
            self.model.step(typed)
        self.model.step(text)
        self.nvim.escape()
        self.check("what was made in a hurry")

    def undo(self) -> None:
        self.nvim.keys(UNDO)
        self.model.now = max(0, self.model.now - 1)
        self.check("one step back")

    def redo(self) -> None:
        self.nvim.keys(REDO)
        self.model.now = min(len(self.model.steps) - 1, self.model.now + 1)
        self.check("one step on")

    def cut_line(self) -> None:
        lines = self.model.lines()
        row = self.dice.randrange(1, len(lines))
        if lines[row].startswith(("package", "func", "}", "import")) or row == 0:
            return
        self.nvim.keys(f"{row + 1}Gdd")
        self.model.step("\n".join(lines[:row] + lines[row + 1 :]))
        self.check("a line cut")


@pytest.mark.parametrize(
    ("editor", "edits"), [pytest.param(packaged, 1000, id="0.11"), pytest.param(newer, 250, id="0.12")]
)
def test_random_edits_leave_editor_server_and_model_with_one_text(
    editor: Callable[[], list[str]], edits: int, tmp_path: Path
) -> None:
    edits = int(os.environ.get("RANDOM_EDITS", edits))
    before = go_file(say=["x := 1\n\tfmt.Println(x)\n\ty := x"], **{"import": "fmt"})
    path = go_project(tmp_path, before)
    with editing(command(editor), path, before=PLAIN, env={"FAKE_LOG_ENTRIES": "20"}) as nvim:
        nvim.until(nvim.server_ready, "the server")
        model = Model(before.rstrip("\n"))
        hands = Editing(nvim, model, random.Random(9))
        doings = [hands.type, hands.take, hands.take, hands.hurry, hands.undo, hands.redo, hands.cut_line]
        for number in range(edits):
            hands.dice.choice(doings)()
            if number % 10 == 9 or number == edits - 1:
                nvim.until(lambda: server_text(nvim) in (None, model.text + "\n"), "the same text in the server")
        assert server_text(nvim) == model.text + "\n"
        # Of two doings in seven that try, those that find something on display: how many hangs on the machine.
        assert hands.taken > edits / 50


def server_text(nvim: Neovim) -> str | None:
    """The document as the assistant was told last; None if it has been told nothing lately."""
    log = nvim.command("goassist.status")["log"]
    return next((entry[2] for entry in reversed(log) if entry[0] in ("changed", "opened")), None)
