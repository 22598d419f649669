"""A small LSP client over a child process's pipes: for end-to-end tests and for the typing replay."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

# Long enough for a busy machine; nothing waits for as long as this unless it is broken.
TIMEOUT_S = float(os.environ.get("TEST_TIMEOUT_S", "60"))

INLINE_CAPABILITIES: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"inlineCompletion": {}, "synchronization": {}},
    "window": {"workDoneProgress": True},
    "workspace": {"applyEdit": True},
}


class LspError(Exception):
    """An error response: its code and message."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]


class LspClient:
    """Speaks JSON-RPC to one server. Requests of the server are answered as an editor would."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.received: list[dict[str, Any]] = []  # notifications and requests of the server, in order
        self.unmatched: list[dict[str, Any]] = []  # responses to no request of ours
        self.stderr = ""
        self.configuration: dict[str, Any] | None = None  # the "goassist" section, given when asked for
        self.told_before = 0  # how much the fake assistant had been told when this test began
        self.on_request: Callable[[str, Any], Any] | None = None
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_stderr())]

    @classmethod
    async def start(cls, argv: Sequence[str], env: dict[str, str] | None = None) -> LspClient:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        return cls(process)

    # Messages.

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, "params": params})

    def post(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; returns its id and the future of its result (or LspError)."""
        request_id = next(self._ids)
        self._answers[request_id] = asyncio.get_running_loop().create_future()
        self.send({"id": request_id, "method": method, "params": params})
        return request_id, self._answers[request_id]

    async def request(self, method: str, params: Any = None, timeout_s: float = TIMEOUT_S) -> Any:
        return await asyncio.wait_for(self.post(method, params)[1], timeout_s)

    def cancel(self, request_id: int) -> None:
        self.notify("$/cancelRequest", {"id": request_id})

    async def wait_for(self, method: str, fits: Callable[[Any], bool] = lambda params: True) -> Any:
        """The params of the first received message of this method that fits, past or to come."""

        def found() -> list[Any]:
            return [m.get("params") for m in self.received if m["method"] == method and fits(m.get("params"))]

        async with asyncio.timeout(TIMEOUT_S), self._news:
            await self._news.wait_for(lambda: bool(found()))
        return found()[0]

    async def wait_for_stderr(self, text: str) -> None:
        async with asyncio.timeout(TIMEOUT_S), self._news:
            await self._news.wait_for(lambda: text in self.stderr)

    def methods(self) -> list[str]:
        return [message["method"] for message in self.received]

    def messages_shown(self) -> list[str]:
        return [m["params"]["message"] for m in self.received if m["method"] == "window/showMessage"]

    # An editor's doings.

    async def initialize(
        self,
        folders: Sequence[Path] = (),
        capabilities: dict[str, Any] | None = None,
        options: Any = None,
        process_id: int | None = None,
        ready: bool = True,
    ) -> dict[str, Any]:
        """Shake hands; with `ready`, wait until the engine answers. Returns the server's capabilities."""
        result: dict[str, Any] = await self.request(
            "initialize",
            {
                "processId": process_id,
                "rootUri": None,
                "capabilities": INLINE_CAPABILITIES if capabilities is None else capabilities,
                "initializationOptions": options,
                "workspaceFolders": [{"uri": f.as_uri(), "name": f.name} for f in folders] or None,
            },
        )
        self.notify("initialized", {})
        if ready:
            await self.wait_until_ready()
        return result["capabilities"]  # type: ignore[no-any-return]

    async def wait_until_ready(self, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Poll `goassist.status` until the engine is loaded and the type services run."""
        async with asyncio.timeout(timeout_s):
            while True:
                status = await self.command("goassist.status")
                if status.get("engine_ready") and status.get("types_ready"):
                    return status  # type: ignore[no-any-return]
                await asyncio.sleep(0.02)

    async def command(self, name: str, *arguments: Any) -> Any:
        return await self.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    def open(self, uri: str, text: str, version: int = 1, language: str = "go") -> None:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, *changes: dict[str, Any]) -> None:
        target = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": target, "contentChanges": list(changes)})

    def insert(self, uri: str, version: int, line: int, character: int, text: str) -> None:
        place = {"line": line, "character": character}
        self.change(uri, version, {"range": {"start": place, "end": place}, "text": text})

    def post_inline(
        self, uri: str, line: int, character: int, *, invoked: bool = False
    ) -> tuple[int, asyncio.Future[Any]]:
        params = {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": 1 if invoked else 2},
        }
        return self.post("textDocument/inlineCompletion", params)

    async def inline(self, uri: str, line: int, character: int, *, invoked: bool = False) -> list[dict[str, Any]]:
        """The items of an inline completion request."""
        _, answer = self.post_inline(uri, line, character, invoked=invoked)
        return (await asyncio.wait_for(answer, TIMEOUT_S))["items"]  # type: ignore[no-any-return]

    async def leave(self) -> int:
        """Shut down in order; returns the exit status."""
        await self.request("shutdown")
        self.notify("exit")
        return await self.wait_for_end()

    async def wait_for_end(self) -> int:
        status = await asyncio.wait_for(self.process.wait(), TIMEOUT_S)
        await asyncio.gather(*self._tasks)
        return status

    async def close(self) -> None:
        """End the server whatever its state."""
        if self.process.returncode is None:
            self.process.kill()
        await self.wait_for_end()
        assert self.process.stdin is not None
        self.process.stdin.close()

    # Reading.

    async def _read(self) -> None:
        assert self.process.stdout is not None
        stream = self.process.stdout
        try:
            while True:
                header = await stream.readuntil(b"\r\n\r\n")
                name, _, length = header.strip().partition(b":")
                # Anything else on standard output is a corrupted protocol.
                assert name.lower() == b"content-length" and b"\n" not in length, header
                await self._take(json.loads(await stream.readexactly(int(length))))
        except asyncio.IncompleteReadError as error:
            assert not error.partial, error.partial
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError(f"the server has ended; it said: {self.stderr[-2000:]}"))
                    answer.exception()

    async def _take(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self.received.append(message)
            if "id" in message:
                result = self._answer(message["method"], message.get("params"))
                self.send({"id": message["id"], "result": result})
        else:
            answer = self._answers.pop(message.get("id"), None)
            if answer is None or answer.done():
                self.unmatched.append(message)
            elif "error" in message:
                answer.set_exception(LspError(message["error"]))
            else:
                answer.set_result(message.get("result"))
        async with self._news:
            self._news.notify_all()

    def _answer(self, method: str, params: Any) -> Any:
        if self.on_request is not None and (answer := self.on_request(method, params)) is not None:
            return answer
        if method == "workspace/configuration":
            return [self.configuration for _ in params["items"]]
        return {"applied": True} if method == "workspace/applyEdit" else None

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(4096):
            self.stderr += data.decode(errors="replace")
            async with self._news:
                self._news.notify_all()


@asynccontextmanager
async def running(argv: Sequence[str], env: dict[str, str] | None = None) -> AsyncIterator[LspClient]:
    """A client whose server is ended when the block is left."""
    client = await LspClient.start(argv, env)
    try:
        yield client
    finally:
        await client.close()


FAKE_SERVER = [sys.executable, "-W", "error", str(Path(__file__).with_name("fake_server.py"))]
