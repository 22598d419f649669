"""gopls beside the extension in the real VS Code: its list, diagnostics and formatting on save, and our ghost text."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gofile import go_file
from support.gopls import gopls
from support.vscode import LINE, REDO, UNDO, WORD, VSCode, running
from support.vscode_install import gopls_extension

LIST = ".suggest-widget.visible"
ROWS = f"{LIST} .monaco-list-row"
ON_SAVE = {"editor.formatOnSave": True, "editor.codeActionsOnSave": {"source.organizeImports": "explicit"}}


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    project = tmp_path_factory.mktemp("project")
    (project / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    env = {"GOPLS": str(gopls())}
    with running(project, extensions=[gopls_extension()], env=env, settings={"[go]": ON_SAVE}) as code:
        code.open(go_file())
        code.until(code.server_ready, "the server")
        yield code


@pytest.fixture
def code(window: VSCode) -> Iterator[VSCode]:
    yield window
    assert window.notifications() == []


def opened(code: VSCode, text: str, line: int) -> Path:
    """A package of its own with one file, which gopls has read."""
    folder = Path(tempfile.mkdtemp(dir=code.project))
    path = code.open(text, line=line, name=f"{folder.name}/main.go")
    code.until(lambda: "main" in symbols(code, str(path)), "gopls's outline")
    return path


def at_the_hole(code: VSCode, **directions: object) -> None:
    """A new file, and a key typed and taken back in its hole."""
    opened(code, go_file(**directions), 5)
    code.type("x")
    code.press("Backspace")


def symbols(code: VSCode, path: str) -> list[str]:
    """Names that gopls finds in a file; none before it runs."""
    body = """
      const uri = vscode.Uri.file(args[0]);
      const found = await vscode.commands.executeCommand("vscode.executeDocumentSymbolProvider", uri);
      return (found ?? []).map((one) => one.name);
    """
    return code.js(body, path)  # type: ignore[no-any-return]


def complaints(code: VSCode) -> list[str]:
    """What gopls finds wrong with the file."""
    body = """
      const uri = vscode.window.activeTextEditor.document.uri;
      return vscode.languages.getDiagnostics(uri).map((one) => one.message);
    """
    return code.js(body)  # type: ignore[no-any-return]


def test_the_list_of_gopls_stays_beside_the_ghost_text_and_escape_closes_one_at_a_time(code: VSCode) -> None:
    at_the_hole(code, say=["println(1)"])
    code.until_ghost("println(1)")
    code.type("prin")
    code.until(lambda: listed(code), "gopls's list")
    # The editor has us go on from the item that is selected in the list, which gopls ends with brackets.
    code.until_ghost("t()println(1)")
    code.press("Escape")
    code.page.wait_for_selector(LIST, state="hidden")
    code.until_ghost("tln(1)")
    code.press("Escape")
    code.until_ghost(None)
    assert code.line() == "\tprin"


def listed(code: VSCode) -> bool:
    """Whether gopls's completion of the name stands in the list."""
    return any("println" in row.inner_text() for row in code.page.query_selector_all(ROWS))


def test_gopls_sees_text_and_import_come_and_go(code: VSCode) -> None:
    at_the_hole(code, say=["fmt.Println(1)"], **{"import": "fmt"})
    code.until_ghost("fmt.Println(1)")
    before = code.text()
    code.press("Tab")
    code.until_text('import "fmt"')
    both = code.text()
    code.until(lambda: complaints(code) == [], "nothing to complain of")
    code.press(UNDO)
    code.until(lambda: 'import "fmt"' not in code.text(), "no import")
    assert code.text() == before
    code.press(REDO)
    code.until(lambda: 'import "fmt"' in code.text(), "the import again")
    assert code.text() == both
    code.until(lambda: complaints(code) == [], "nothing to complain of")
    code.type("\nundefined()")
    code.until(lambda: any("undefined: undefined" in one for one in complaints(code)), "gopls's own complaint")


def test_by_word_and_by_line(code: VSCode) -> None:
    at_the_hole(code, say=["x := 1\n\ty := x + 2\n\tprintln(x, y)"])
    code.until(code.ghost, "ghost text")
    code.press(WORD)
    code.until_line("\tx")
    code.until(code.ghost, "the rest")
    code.press(LINE)
    code.until_line("\tx := 1")
    code.until(code.ghost, "the rest")
    code.press("Tab")
    code.until_text("\tx := 1\n\ty := x + 2\n\tprintln(x, y)\n}")


def test_gopls_formats_on_save_between_suggestion_and_acceptance(code: VSCode) -> None:
    # The first line as a comment of its own: gofmt puts those of packages in shape.
    text = go_file(say=["println(1)"]).replace("package main\n", "\npackage main\n\nvar  s =strings.ToUpper(`a`)\n")
    path = opened(code, text, 8)
    code.type("x")
    code.press("Backspace")
    code.until_ghost("println(1)")
    code.press("Control+s")
    # An import comes in above, the lines move, and the hole's indentation is taken away as trailing space.
    code.until_text('import "strings"')
    code.until(lambda: "var s = strings" in path.read_text(), "the formatted file written")
    formatted = code.text()
    row = code.cursor()[0]
    code.press("Tab")
    code.type("//")
    code.until(lambda: code.text().split("\n")[row].endswith("//"), "the keys")
    lines = code.text().split("\n")
    assert lines[row] in ("\t//", "\tprintln(1)//", "println(1)//")
    assert lines[:row] + lines[row + 1 :] == formatted.split("\n")[:row] + formatted.split("\n")[row + 1 :]
