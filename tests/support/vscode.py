"""The real VS Code in a real browser: keys go in as the browser's own, what is drawn comes out of the page.

What cannot be seen (the document, the server's account) is asked through a small extension that listens on a socket.
Nothing here sleeps for a fixed time: `until` waits for a condition.
"""

from __future__ import annotations

import itertools
import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from playwright.sync_api import Page, sync_playwright

from support.lsp_client import FAKE_SERVER, TIMEOUT_S
from support.sockets import connected
from support.vscode_install import chromium, code_server, extension, probe

WORD, LINE = "Control+ArrowRight", "Control+ArrowDown"
NEXT, PREVIOUS, REQUEST = "Alt+]", "Alt+[", "Alt+\\"
UNDO, REDO = "Control+z", "Control+y"
WIDTH, HEIGHT = 1000, 640
# The most that one look at a condition counts for.
LOOK_S = 0.5

SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.tips.enabled": False,
    "workbench.colorTheme": "Default Dark Modern",
    "chat.disableAIFeatures": True,
    "git.enabled": False,
    "telemetry.telemetryLevel": "off",
    "extensions.autoUpdate": False,
    "extensions.ignoreRecommendations": True,
    "editor.fontFamily": "DejaVu Sans Mono, monospace",
    "editor.minimap.enabled": False,
    # A model of the text knows neither of them.
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.autoIndent": "none",
    "editor.trimAutoWhitespace": False,
    "editor.autoSurround": "never",
    "editor.formatOnType": False,
    "editor.wordBasedSuggestions": "off",
    "files.autoSave": "off",
}

# The first line and those below it are drawn apart from each other, and in pieces.
_GHOST = """() => {
  const editor = document.querySelector('.editor-group-container.active .monaco-editor') ?? document;
  const all = selector => [...editor.querySelectorAll(selector)].map(part => part.textContent);
  const first = all('.view-lines .ghost-text-decoration, .view-lines .ghost-text-decoration-preview').join('');
  const below = all('.suggest-preview-text .view-line, .ghost-text .view-line');
  return first || below.length ? [first, ...below] : null;
}"""


class Probe:
    """JavaScript in the editor's extension host, one question at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = self._socket.makefile("r")

    def ask(self, body: str, args: Sequence[Any]) -> Any:
        self._socket.sendall(json.dumps({"body": body, "args": args}).encode() + b"\n")
        answer = json.loads(self._lines.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class VSCode:
    """One window. `text()` and the like speak of the document that is being edited."""

    def __init__(self, page: Page, process: subprocess.Popen[bytes], probe_path: str, project: Path) -> None:
        self.page = page
        self.process = process
        self.project = project
        self._probe = Probe(self.until(lambda: connected(probe_path), "the probe"))
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self._probe.close()

    # Keys and the page.

    def type(self, text: str) -> None:
        """Press the keys of a text, one after the other."""
        for key in text:
            if key == "\n":
                self.page.keyboard.press("Enter")
            elif key == "\t":
                self.page.keyboard.press("Tab")
            elif key.isascii():
                self.page.keyboard.press(key if key != " " else "Space")
            else:
                self.page.keyboard.insert_text(key)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait for a condition and return its value; the failure shows what is drawn."""
        waited_s, seen = 0.0, time.monotonic()
        while True:
            if value := holds():
                return value
            # A process that was stopped meanwhile, or a look that took long, has not waited for so long.
            now = time.monotonic()
            waited_s, seen = waited_s + min(now - seen, LOOK_S), now
            if waited_s > TIMEOUT_S:
                shown = self.page.inner_text("body")
                raise AssertionError(f"waited in vain for {what}; the page:\n{shown[-3000:]}")
            self.page.wait_for_timeout(15)

    def ghost(self) -> str | None:
        """The ghost text that is drawn."""
        parts = self.page.evaluate(_GHOST)
        return None if parts is None else "\n".join(parts).replace("\xa0", " ").replace("\u200c", "")

    def until_ghost(self, text: str | None) -> None:
        self.until(lambda: self.ghost() == text, f"ghost text {text!r}, not {self.ghost()!r},")

    def status_bar(self) -> str:
        """What goassist's item in the status bar says to those who read it aloud."""
        found = self.page.query_selector("[id='goassist.goassist.goassist'] a")
        return (found.get_attribute("aria-label") or "") if found else ""

    def notifications(self) -> list[str]:
        """Texts of the messages on the screen."""
        return [one.inner_text() for one in self.page.query_selector_all(".notification-list-item-message")]

    def click_button(self, label: str) -> None:
        """A button of a message or a dialog."""
        self.page.click(f".monaco-button:has-text('{label}')", timeout=TIMEOUT_S * 1000)

    # Inside.

    def js(self, body: str, *args: Any) -> Any:
        """Run the body of an asynchronous function with `vscode` and `args` in the extension host."""
        return self._probe.ask(body, args)

    def run(self, command: str, *args: Any) -> Any:
        """Run one of the editor's commands."""
        return self.js("return await vscode.commands.executeCommand(args[0], ...args[1])", command, args)

    def set(self, name: str, value: Any) -> None:
        """One of goassist's settings; None takes it back."""
        code = "await vscode.workspace.getConfiguration('goassist').update(args[0], args[1] ?? undefined, true)"
        self.js(code, name, value)

    def text(self) -> str:
        return str(self.js("return vscode.window.activeTextEditor.document.getText()"))

    def line(self) -> str:
        code = "const e = vscode.window.activeTextEditor; return e.document.lineAt(e.selection.active.line).text"
        return str(self.js(code))

    def cursor(self) -> tuple[int, int]:
        """Line and column from 0."""
        code = "const p = vscode.window.activeTextEditor.selection.active; return [p.line, p.character]"
        row, column = self.js(code)
        return row, column

    def until_text(self, part: str) -> None:
        self.until(lambda: part in self.text(), f"{part!r} in the document")

    def until_line(self, line: str) -> None:
        self.until(lambda: self.line() == line, f"the line {line!r}")

    def command(self, name: str, *arguments: Any) -> Any:
        """The server's answer to one of its commands; None while it does not run."""
        code = """
          try {
            return await vscode.commands.executeCommand(args[0], ...args[1]);
          } catch (error) {
            if (/not found|not running|disposed/.test(error.message)) return null;
            throw error;
          }
        """
        return self.js(code, name, arguments)

    def server_ready(self) -> bool:
        status = self.command("goassist.status")
        return bool(status and status.get("engine_ready") and status.get("types_ready"))

    def log(self) -> list[list[Any]]:
        """What the fake server's assistant was told."""
        return self.command("goassist.status")["log"]  # type: ignore[no-any-return]

    def server_pid(self) -> int | None:
        """Process of the server: a child of the extension host that is one of ours."""
        return next(iter(servers(self.process.pid)), None)

    def open(self, text: str, line: int = 5, name: str | None = None) -> Path:
        """A new Go file alone in the window, with the keys going to the end of a line (from 1)."""
        path = self.project / (name or f"file{next(self._numbers)}.go")
        path.write_bytes(text.encode())
        self.show(path, line)
        return path

    def show(self, path: Path, line: int = 5) -> None:
        # Closing what is not saved would ask.
        self.run("workbench.action.files.saveAll")
        self.run("workbench.action.closeAllEditors")
        code = """
          const document = await vscode.workspace.openTextDocument(vscode.Uri.file(args[0]));
          const editor = await vscode.window.showTextDocument(document, { preview: false });
          const end = document.lineAt(args[1] - 1).range.end;
          editor.selection = new vscode.Selection(end, end);
        """
        self.js(code, str(path), line)
        self.until(lambda: self.js("return vscode.window.activeTextEditor?.document.uri.fsPath") == str(path), "it")
        self.page.wait_for_selector(f".monaco-editor[data-uri*='{path.name}'] .view-lines", timeout=TIMEOUT_S * 1000)
        self.run("workbench.action.focusActiveEditorGroup")
        self.until(
            lambda: self.page.evaluate(
                "name => document.activeElement?.closest('.monaco-editor')?.dataset.uri?.includes(name) ?? false",
                path.name,
            ),
            "the keyboard in the editor",
        )


def servers(pid: int) -> Iterator[int]:
    """Processes of ours below another."""
    try:
        for child in psutil.Process(pid).children(recursive=True):
            if any("fake_server" in part or "goassist_lsp" in part for part in child.cmdline()):
                yield child.pid
    except psutil.NoSuchProcess:
        return


def kill(pid: int) -> None:
    """End a process as a crash would."""
    os.kill(pid, signal.SIGKILL)


def program(folder: Path, argv: Sequence[str], env: dict[str, str] | None = None) -> Path:
    """A program that runs a command, whatever it is given."""
    path = folder / "goassist-lsp"
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (env or {}).items())
    path.write_text(f"#!/bin/sh\n{exports}exec {shlex.join(argv)}\n")
    path.chmod(0o755)
    return path


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(
    project: Path,
    *,
    server: Sequence[str] | str | None = FAKE_SERVER,
    server_env: dict[str, str] | None = None,
    settings: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
    extensions: Sequence[Path] = (),
    trusted: bool = True,
    workspace: Path | None = None,
    package: Path | None = None,
) -> Iterator[VSCode]:
    """A window on `project`, or a `workspace` file in it, with the packaged extension; ended when the block is left.

    `server` is a command, or the setting as it is; None leaves the setting alone. `package` is another .vsix than the
    one made of this checkout.
    """
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        # A program's path is a setting of the machine's, the rest are the user's.
        machine = {}
        if server is not None:
            machine["goassist.server"] = server if isinstance(server, str) else str(program(folder, server, server_env))
        for name, values in {"User": {**SETTINGS, **(settings or {})}, "Machine": machine}.items():
            (folder / "data" / name).mkdir(parents=True)
            (folder / "data" / name / "settings.json").write_text(json.dumps(values))
        (folder / "config.yaml").write_text("")
        places = [f"--config={folder}/config.yaml", f"--user-data-dir={folder}/data", f"--extensions-dir={folder}/ext"]
        # VSCODE_CLI: the environment is the one given here, not a login shell's.
        own = {"HOME": home, "PROBE_SOCKET": f"{folder}/probe", "VSCODE_CLI": "1"}
        everything = {**os.environ, **own, **(env or {})}
        # The models are where they were.
        everything.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        paths = [package or extension(), probe(), *extensions]
        packages = [part for path in paths for part in ("--install-extension", str(path))]
        done = subprocess.run(
            [*code_server(), *places, *packages], env=everything, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or "Failed" in done.stderr:
            raise RuntimeError(f"the extensions could not be installed: {done.stdout}{done.stderr}")
        port = _free_port()
        flags = ["--auth=none", "--disable-telemetry", "--disable-update-check", "--reconnection-grace-time=3"]
        flags += ["--disable-getting-started-override", *([] if not trusted else ["--disable-workspace-trust"])]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [*code_server(), *places, *flags, f"--bind-addr=127.0.0.1:{port}", str(project)],
                env=everything,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            with browsing() as page:
                _wait_for(port, process, folder / "log")
                where = f"folder={quote(str(project))}" if workspace is None else f"workspace={quote(str(workspace))}"
                page.goto(f"http://127.0.0.1:{port}/?{where}", timeout=TIMEOUT_S * 1000)
                page.wait_for_selector(".monaco-workbench .statusbar", timeout=TIMEOUT_S * 1000)
                window = VSCode(page, process, f"{folder}/probe", project)
                try:
                    yield window
                finally:
                    window.close()
        finally:
            _end(process)


@contextmanager
def browsing() -> Iterator[Page]:
    """A page of the browser."""
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(program),
            env={**os.environ, "LD_LIBRARY_PATH": str(program.parent / "lib")},
            args=["--no-sandbox", "--disable-gpu", "--headless=old"],
        )
        try:
            yield browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        finally:
            browser.close()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"VS Code's server does not listen:\n{log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """It and all its children: extension hosts outlive it otherwise."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    for child in children:
        try:
            child.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs([*children], timeout=5)
    for child in alive:
        child.kill()
    process.wait(10)
