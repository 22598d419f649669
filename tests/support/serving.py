"""Servers for tests: real processes of `goassist-lsp serve`, with a scripted engine or a real model."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPTED = (sys.executable, str(Path(__file__).with_name("scripted_server.py")), "--port", "0")
REAL = (sys.executable, "-m", "goassist_lsp.cli", "serve", "--port", "0")
STARTING_LIMIT_S = 120.0
_ADDRESS = re.compile(r" at (http://\S+)/v1$")


@dataclass
class Server:
    """A running server: its address without /v1, and the lines that it has said on standard error."""

    process: subprocess.Popen[str]
    url: str = ""
    lines: list[str] = field(default_factory=list)
    _said: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self.lines.append("(the server has ended)")
            self._said.notify_all()

    def wait_for(self, wanted: Callable[[list[str]], Any], limit_s: float = STARTING_LIMIT_S) -> Any:
        """What `wanted` makes of the lines, as soon as that is something."""
        with self._said:
            found = self._said.wait_for(lambda: wanted(self.lines), limit_s)
        assert found, "\n".join(self.lines[-20:])
        return found

    def wait_for_line(self, part: str, count: int = 1) -> None:
        """Wait until so many lines have had this in them."""
        self.wait_for(lambda lines: sum(part in line for line in lines) >= count)

    def logged(self, **wanted: Any) -> list[dict[str, Any]]:
        """The records of requests that have these values, as soon as there is one."""

        def found(lines: Sequence[str]) -> list[dict[str, Any]]:
            records = [json.loads(line) for line in lines if line.startswith("{")]
            return [r for r in records if all(r.get(key) == value for key, value in wanted.items())]

        records: list[dict[str, Any]] = self.wait_for(found)
        return records

    def stop(self) -> int:
        """Tell it to stop, and wait for that."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(*arguments: str, command: Sequence[str] = SCRIPTED, env: dict[str, str] | None = None) -> Iterator[Server]:
    """A server, from when it can be asked until it is killed at the latest."""
    process = subprocess.Popen(
        [*command, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env
    )
    server = Server(process)
    listening = threading.Thread(target=server.listen, daemon=True)
    listening.start()

    def address(lines: list[str]) -> str:
        return next((m[1] for line in lines if (m := _ADDRESS.search(line))), "") or (
            "ended" if "(the server has ended)" in lines else ""
        )

    try:
        server.url = server.wait_for(address)
        assert server.url.startswith("http"), "\n".join(server.lines)
        yield server
    finally:
        process.kill()
        process.wait()
        listening.join()
        assert process.stderr is not None
        process.stderr.close()
