"""The buttons of the messages do mend what they are about: the server's own environment, its model, its age, Go."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goassist_index import gobuild
from support.gofile import go_file
from support.lsp_client import FAKE_SERVER
from support.vscode import VSCode, program, running
from support.vscode_pip import VERSION, index_of_one

FILE = go_file(say=["println(1)"])
DIALOG = ".monaco-dialog-box"
NO_MODEL = "There is no model. Run `goassist-lsp model pull`"
MODEL = {"name": "small", "title": "Small", "size_bytes": 491_400_000, "licence": "Apache-2.0", "default": True}
NO_LIBRARY = "The library is not installed. Build it with `goassist-lsp doctor --fix`"
# A server whose model is not there until it has been pulled, and its library until it has been built; FOLDER is where.
FETCHING = f"""
import json, os, pathlib, sys
here = pathlib.Path(FOLDER)
fetched, made = here / "fetched", here / "built"
if sys.argv[1:3] == ["model", "list"]:
    print(json.dumps([{MODEL!r} | {{"present": fetched.exists()}}]))
elif sys.argv[1:3] == ["model", "pull"]:
    print("100 of 491 MB", file=sys.stderr)
    fetched.write_text(sys.argv[3])
elif sys.argv[1:] == ["doctor", "--fix"]:
    made.write_text("")
    sys.exit(1)
else:
    if not fetched.exists():
        os.environ["FAKE_PROBLEM"] = {NO_MODEL!r}
    elif not made.exists():
        os.environ["FAKE_PROBLEM"] = {NO_LIBRARY!r}
    os.execv({FAKE_SERVER[0]!r}, {FAKE_SERVER!r})
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    """A window whose server is the one that a test puts at the setting's path; pip finds one package."""
    project = tmp_path_factory.mktemp("project")
    (project / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    env = index_of_one(tmp_path_factory.mktemp("index"), FAKE_SERVER)
    with running(project, server=str(project / "goassist-lsp"), env=env) as window:
        # The first start is over: who restarts before has two servers say the same, one after the other's button.
        window.open(FILE)
        message(window, "there is no server")
        window.run("notifications.clearAll")
        window.until(lambda: window.notifications() == [], "no message")
        yield window


def message(code: VSCode, part: str) -> None:
    """Wait for a message on the screen; there is one of it."""
    code.until(lambda: any(part in one for one in code.notifications()), f"a message with {part!r}")
    assert sum(part in one for one in code.notifications()) == 1


def ghost_in_a_new_file(code: VSCode) -> None:
    code.open(FILE)
    code.until(code.server_ready, "the server")
    code.type("x")
    code.press("Backspace")
    code.until_ghost("println(1)")


def answer(code: VSCode, button: str) -> str:
    """Press a button of the dialog; returns what the dialog said."""
    said = code.page.wait_for_selector(DIALOG, timeout=60_000).inner_text()
    code.page.click(f"{DIALOG} .monaco-button:has-text('{button}')")
    return said


def test_the_model_is_fetched_after_size_and_licence_were_named_and_the_library_built(
    code: VSCode, tmp_path: Path
) -> None:
    (tmp_path / "tool.py").write_text(FETCHING.replace("FOLDER", repr(str(tmp_path))))
    shell = program(code.project, [sys.executable, str(tmp_path / "tool.py")])
    shell.write_text(shell.read_text().rstrip() + ' "$@"\n')
    code.open(FILE)
    code.run("goassist.restart")
    message(code, "There is no model")
    code.click_button("Fetch the Model")
    said = answer(code, "Fetch")
    assert "491 MB" in said and "Apache-2.0" in said
    code.until(lambda: (tmp_path / "fetched").exists(), "the pull's end")
    assert (tmp_path / "fetched").read_text() == "small"
    message(code, "The library is not installed")
    code.click_button("Build It")
    code.until(lambda: (tmp_path / "built").exists(), "the build's end")
    ghost_in_a_new_file(code)
    assert not any("no model" in one for one in code.notifications())


def test_no_go_is_told_once_with_the_button_that_leads_to_it(code: VSCode) -> None:
    program(code.project, FAKE_SERVER, {"FAKE_PROBLEM": f"there is no Go toolchain on PATH. {gobuild._GO_CURE}"})
    code.open(FILE)
    code.run("goassist.restart")
    message(code, "no Go toolchain")
    code.click_button("Get Go")
    assert "go.dev" in answer(code, "Cancel")
    program(code.project, FAKE_SERVER)
    code.run("goassist.restart")
    ghost_in_a_new_file(code)


def test_a_server_that_is_too_old_is_named_and_its_button_installs_another_that_is_used(code: VSCode) -> None:
    program(code.project, FAKE_SERVER, {"FAKE_VERSION": "0.0.9"})
    code.open(FILE)
    code.run("goassist.restart")
    message(code, "server 0.0.9 is too old")
    code.click_button("Install…")
    said = answer(code, "Install")
    assert "an environment of its own" in said
    own = "return vscode.workspace.getConfiguration('goassist').get('server')"
    code.until(lambda: "globalStorage" in code.js(own), "the setting that names the new one")
    environment = Path(code.js(own)).parent.parent
    assert list(environment.glob(f"lib/python*/site-packages/goassist_lsp-{VERSION}.dist-info"))
    code.until(lambda: code.server_pid() is not None, "its process")
    ghost_in_a_new_file(code)
    assert not any("too old" in one for one in code.notifications())


def test_an_environment_that_cannot_be_made_is_told_and_leaves_nothing(code: VSCode, tmp_path: Path) -> None:
    own = "return vscode.workspace.getConfiguration('goassist').get('server')"
    environment = Path(code.js(own)).parent.parent
    settings = json.dumps(str(tmp_path / "nowhere"))
    code.js(f"await vscode.workspace.getConfiguration('goassist').update('server', {settings}, true)")
    message(code, "there is no server")
    code.js("process.env.PIP_FIND_LINKS = args[0]", str(tmp_path))
    code.click_button("Install…")
    answer(code, "Install")
    message(code, "installing did not work")
    assert not environment.exists()
    assert not any("client" in one for one in code.notifications())
    code.run("workbench.action.focusActiveEditorGroup")
    code.type("println(2)")
    code.until_line("\tprintln(2)")
