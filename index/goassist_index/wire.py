"""The JSON lines spoken with a service of ours in a process of its own: futures by request id.

typeservice.py (the Go type service) and workspaceindex.py (the indexer) keep their process alive and give its answers
types; here is only the pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

# One reply may carry the members of a large package.
_LINE_LIMIT_BYTES = 256 << 20
_LOG_CHARS = 400


class ServiceGone(Exception):
    """The process ended, or its pipe broke, before it answered."""


class ReplyError(Exception):
    """The service answered with an error: `code` is a word for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Pipe:
    """One running process, called `name` in the log. Never restarted: when it is gone, another Pipe is made."""

    def __init__(self, process: asyncio.subprocess.Process, on_event: Callable[[str, Any], None], name: str) -> None:
        self._process = process
        self._name = name
        self._on_event = on_event
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next_id = 0
        self._tasks = [asyncio.create_task(self._read_replies()), asyncio.create_task(self._read_log())]

    @classmethod
    async def start(
        cls, command: Sequence[str], directory: Path, on_event: Callable[[str, Any], None], name: str
    ) -> Pipe:
        """Start the command in `directory`. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=str(directory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT_BYTES,
            env=dict(os.environ),
        )
        return cls(process, on_event, name)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None and not self._tasks[0].done()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """The result of one request. Raises ServiceGone and ReplyError."""
        if not self.alive:
            raise ServiceGone
        self._next_id += 1
        number = self._next_id
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._write({"id": number, "method": method, "params": params})
            return await future
        finally:
            self._waiting.pop(number, None)

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """Say something that is not answered; nobody hears it when the process is gone."""
        if self.alive:
            with contextlib.suppress(ServiceGone):
                self._write({"method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except (OSError, RuntimeError) as error:
            raise ServiceGone from error

    async def _read_replies(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while line := await stdout.readline():
                self._take(json.loads(line))
        except (OSError, ValueError) as error:
            log.warning("%s: unreadable reply: %s", self._name, error)
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ServiceGone())

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self._on_event(message["method"], message.get("params"))
            return
        future = self._waiting.get(message["id"]) if message.get("id") is not None else None
        if future is None or future.done():
            return
        error = message.get("error")
        if error:
            future.set_exception(ReplyError(error.get("code", ""), error.get("message", "")))
        else:
            future.set_result(message.get("result"))

    async def _read_log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while line := await stderr.readline():
                log.debug("%s: %s", self._name, line.decode(errors="replace").rstrip()[:_LOG_CHARS])

    async def close(self, grace_s: float = 2.0) -> None:
        """End the process: its input is closed, and after `grace_s` seconds it is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), grace_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
