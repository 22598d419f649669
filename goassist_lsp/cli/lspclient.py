"""A small language client over a child process's pipes: what an editor does, for benches and end-to-end tests.

Positions are UTF-16 (line, character) as most editors have them; texts are str. Requests that the server makes of
its client are answered as a plain editor would answer them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError

CLIENT_CAPABILITIES: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"inlineCompletion": {}, "synchronization": {}},
    "window": {"workDoneProgress": True},
    "workspace": {"applyEdit": True, "configuration": False, "didChangeWatchedFiles": {}},
}
_ERROR_MESSAGE = 1


class ResponseError(GoassistError):
    """An error response: `code` as the protocol numbers it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the server answers error {code} ({message})")
        self.code = code


class LspClient:
    """One server process and the talk with it. Make it with `start`, end it with `close`.

    `complaints` gathers what should never come: error messages logged or shown, stderr lines of level ERROR and
    above or tracebacks. `edits` gathers the server's workspace/applyEdit parameters, all of them accepted.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: Path | None) -> None:
        self.process = process
        self.complaints: list[str] = []
        self.edits: list[dict[str, Any]] = []
        self._log = log.open("w", encoding="utf-8") if log is not None else None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._ended = False
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_stderr())]

    @classmethod
    async def start(
        cls, command: Sequence[str] = (), environment: Mapping[str, str] | None = None, log: Path | None = None
    ) -> LspClient:
        """Start `command`, by default this interpreter's `goassist-lsp --stdio`; `log` gets its standard error."""
        process = await asyncio.create_subprocess_exec(
            *(command or (sys.executable, "-m", "goassist_lsp.cli", "--stdio")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        return cls(process, log)

    async def initialize(
        self,
        root: Path,
        options: Mapping[str, Any] | None = None,
        capabilities: Mapping[str, Any] = CLIENT_CAPABILITIES,
    ) -> dict[str, Any]:
        """Do the handshake for one workspace folder; returns the server's answer to `initialize`."""
        folder = {"uri": root.as_uri(), "name": root.name}
        answer: dict[str, Any] = await self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root.as_uri(),
                "capabilities": dict(capabilities),
                "initializationOptions": dict(options or {}),
                "workspaceFolders": [folder],
            },
        )
        self.notify("initialized", {})
        return answer

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def post(self, method: str, params: object) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; returns its id and the future of its result (ResponseError for an error response)."""
        number = next(self._ids)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # A caller may stop caring (cancel); its error is then nobody's.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self._ended:
            future.set_exception(_gone())
            return number, future
        self._waiting[number] = future
        self._send({"id": number, "method": method, "params": params})
        return number, future

    async def request(self, method: str, params: object, timeout_s: float = 120) -> Any:
        """Send a request and wait for its result. Raises ResponseError, or GoassistError when none comes."""
        _, future = self.post(method, params)
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError as error:
            raise GoassistError(f"the server does not answer {method} within {timeout_s:.0f} s") from error

    def cancel(self, number: int) -> None:
        """Tell the server that nobody waits for this request any more."""
        self.notify("$/cancelRequest", {"id": number})

    def open(self, path: Path, text: str, version: int = 1) -> None:
        """Open a document with this text, whatever stands on disk."""
        item = {"uri": path.as_uri(), "languageId": "go", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, path: Path, version: int, start: dict[str, int], end: dict[str, int], text: str) -> None:
        """Replace one range of an open document."""
        changes = [{"range": {"start": start, "end": end}, "text": text}]
        params = {"textDocument": {"uri": path.as_uri(), "version": version}, "contentChanges": changes}
        self.notify("textDocument/didChange", params)

    def replace(self, path: Path, version: int, text: str) -> None:
        """Replace the whole text of an open document, for servers that do not take ranges."""
        params = {"textDocument": {"uri": path.as_uri(), "version": version}, "contentChanges": [{"text": text}]}
        self.notify("textDocument/didChange", params)

    def close_document(self, path: Path) -> None:
        """Close a document."""
        self.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})

    def post_inline(
        self, path: Path, position: dict[str, int], *, invoked: bool = False
    ) -> tuple[int, asyncio.Future[Any]]:
        """Ask for ghost text, as while typing or (`invoked`) on demand."""
        params = {
            "textDocument": {"uri": path.as_uri()},
            "position": position,
            "context": {"triggerKind": 1 if invoked else 2},
        }
        return self.post("textDocument/inlineCompletion", params)

    async def command(self, name: str, *arguments: object, timeout_s: float = 120) -> Any:
        """Run a command of the server."""
        params = {"command": name, "arguments": list(arguments)}
        return await self.request("workspace/executeCommand", params, timeout_s)

    async def status(self) -> dict[str, Any]:
        """State of the server, by `goassist.status`."""
        answer: dict[str, Any] = await self.command("goassist.status")
        return answer

    async def until_ready(self, timeout_s: float = 300, *, engine: bool = True) -> dict[str, Any]:
        """Wait for model and type service (or the latter alone). Raises GoassistError with the server's problems."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            status = await self.status()
            if status.get("types_ready") and (status.get("engine_ready") or not engine):
                return status
            if asyncio.get_running_loop().time() > deadline:
                problems = "; ".join(status.get("problems", ())) or "no problem named"
                raise GoassistError(f"the server is not ready after {timeout_s:.0f} s ({problems})")
            await asyncio.sleep(0.05)

    async def close(self, timeout_s: float = 15) -> int:
        """Shut the server down as the protocol has it, by force when that takes too long; returns its status."""
        if self.process.returncode is None:
            try:
                await self.request("shutdown", None, timeout_s)
                self.notify("exit", None)
                await asyncio.wait_for(self.process.wait(), timeout_s)
            except (GoassistError, TimeoutError, ConnectionError):
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
                await self.process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._log is not None:
            self._log.close()
        return self.process.returncode or 0

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while header := await self.process.stdout.readline():
                length = 0
                while header.strip():
                    name, _, value = header.partition(b":")
                    if name.strip().lower() == b"content-length":
                        length = int(value)
                    header = await self.process.stdout.readline()
                self._take(json.loads(await self.process.stdout.readexactly(length)))
        except (asyncio.IncompleteReadError, ValueError) as error:
            self.complaints.append(f"malformed output: {error}")
        finally:
            self._ended = True
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(_gone())
            self._waiting.clear()

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            future = self._waiting.pop(message.get("id", -1), None)
            if future is None or future.done():
                return
            if "error" in message:
                future.set_exception(ResponseError(message["error"]["code"], message["error"]["message"]))
            else:
                future.set_result(message.get("result"))
            return
        params = message.get("params") or {}
        if method in ("window/logMessage", "window/showMessage") and params.get("type") == _ERROR_MESSAGE:
            self.complaints.append(f"{method}: {params.get('message')}")
        if "id" in message:
            self._send({"id": message["id"], "result": self._reply(method, params)})

    def _reply(self, method: str, params: dict[str, Any]) -> object:
        if method == "workspace/applyEdit":
            self.edits.append(params["edit"])
            return {"applied": True}
        if method == "workspace/configuration":
            return [None for _ in params.get("items", ())]
        return None

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            if text.startswith(("ERROR", "CRITICAL", "Traceback")):
                self.complaints.append(text)
            if self._log is not None:
                self._log.write(text + "\n")
                self._log.flush()


def _gone() -> GoassistError:
    return GoassistError("the server has ended", cure="See its standard error")


def position_at(text: str, offset: int) -> dict[str, int]:
    """Line and UTF-16 character of code point `offset`."""
    start = text.rfind("\n", 0, offset) + 1
    units = len(text[start:offset].encode("utf-16-le")) // 2
    return {"line": text.count("\n", 0, offset), "character": units}


def offset_at(text: str, position: Mapping[str, int]) -> int:
    """Code point of a line and UTF-16 character; the line's end when the character lies beyond it."""
    start = 0
    for _ in range(position["line"]):
        found = text.find("\n", start)
        if found < 0:
            return len(text)
        start = found + 1
    end = text.find("\n", start)
    line = text[start : end if end >= 0 else len(text)].encode("utf-16-le")
    return start + len(line[: 2 * position["character"]].decode("utf-16-le", "ignore"))
