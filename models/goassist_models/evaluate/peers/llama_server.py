"""llama.cpp's own HTTP server as a process: built (llama_cpp.py), started, watched, stopped."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from goassist_index.errors import GoassistError
from goassist_models import native
from goassist_models.evaluate.peers import llama_cpp

NAME = "llama-server"
_LOADING_LIMIT_S = 180.0
_POLL_S = 0.1
_STOPPING_LIMIT_S = 10.0
_TAIL_LINES = 5


def kept() -> Path | None:
    """Return the program built earlier for this processor, None when there is none."""
    return llama_cpp.kept(NAME)


def build(report: native.Report) -> Path:
    """Build `llama-server` for this processor unless the cache has it; see llama_cpp.build."""
    return llama_cpp.build(NAME, report)


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """A running server at `url`; what it prints is in `log`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process.poll() is None

    def cpu_s(self) -> float | None:
        """Processor seconds used so far, user and system; None when the process is gone."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return None
        return float(times.user + times.system)

    def failure(self, what: str) -> GoassistError:
        """Return the error that says what went wrong, with the end of the log."""
        if (status := self.process.poll()) is not None:
            what = f"{what}: it ended with status {status}"
        return _failure(what, self.log)

    def stop(self) -> None:
        """End the process and wait for that. May be called twice."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(_STOPPING_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


async def start(
    binary: Path, model: Path, *, arguments: Sequence[str] = (), loading_limit_s: float = _LOADING_LIMIT_S
) -> LlamaServer:
    """Start `binary` with `model` on a free port of this machine alone and wait until it can be asked.

    `arguments` are added to its command line. Raises GoassistError, which names the log, when it ends or is not
    ready in `loading_limit_s`.
    """
    import httpx2

    place = llama_cpp.folder()
    place.mkdir(parents=True, exist_ok=True)
    log = place / f"server-{model.stem}.log"
    port = _free_port()
    command = [str(binary), "-m", str(model), "--host", "127.0.0.1", "--port", str(port), *arguments]
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        except OSError as error:
            raise GoassistError(f"{NAME} cannot be run ({error.strerror})", path=str(binary)) from error
    server = LlamaServer(process, f"http://127.0.0.1:{port}", log)
    deadline_s = time.monotonic() + loading_limit_s
    try:
        async with httpx2.AsyncClient(timeout=5.0, trust_env=False) as client:
            while True:
                if not server.running:
                    raise server.failure(f"{NAME} cannot be started")
                try:
                    if (await client.get(f"{server.url}/health")).status_code == 200:
                        return server
                except httpx2.HTTPError:
                    pass  # not listening yet
                if time.monotonic() > deadline_s:
                    raise server.failure(f"{NAME} is not ready after {loading_limit_s:.0f} s")
                await asyncio.sleep(_POLL_S)
    except BaseException:
        server.stop()
        raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _failure(what: str, log: Path) -> GoassistError:
    try:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    tail = "".join(f"\n  {line}" for line in lines[-_TAIL_LINES:])
    return GoassistError(f"{what}{'; its last lines:' + tail if tail else ''}", path=str(log), cure="Read that log")
