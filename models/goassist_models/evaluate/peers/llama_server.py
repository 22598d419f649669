"""llama.cpp's own HTTP server as a process: built from source for this processor, started, watched, stopped.

The source is the one that llama-cpp-python's source package carries, so that a peer and our engine run the same
llama.cpp. Building takes some minutes, once a processor and version; nothing but a measured peer needs it.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError, ModelError
from goassist_models import native

NAME = "llama-server"
_EXECUTABLE = f"{NAME}.exe" if sys.platform == "win32" else NAME
# Overrides native.cmake_args, which leaves the server out of our own library.
_SERVER_ARGS = (
    *("-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF"),
    *("-DLLAMA_BUILD_TOOLS=ON", "-DLLAMA_BUILD_SERVER=ON"),
    *("-DLLAMA_CURL=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF"),
)
_LOADING_LIMIT_S = 180.0
_POLL_S = 0.1
_STOPPING_LIMIT_S = 10.0
_TAIL_LINES = 5


def folder() -> Path:
    """Where this processor's build and its logs are kept in the cache."""
    return cache_dir() / "peers" / f"{native.features_key()}-{native.VERSION}"


def kept() -> Path | None:
    """Return the program built earlier for this processor, None when there is none."""
    path = folder() / _EXECUTABLE
    return path if path.is_file() else None


def build(report: native.Report) -> Path:
    """Build `llama-server` for this processor unless the cache has it; return the program's path.

    Takes minutes; `report` gets a line now and then. Raises ModelError when the source cannot be had, a tool is
    missing or the build fails; its logs stay beside the program.
    """
    if (found := kept()) is not None:
        return found
    if (missing := native.missing_tools()) is not None:
        raise missing
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=place) as scratch:
        work = Path(scratch)
        source = _source(work, place, report)
        cmake, ninja = _tool("cmake", work, place, report), _tool("ninja", work, place, report)
        compiler = (os.environ.get("CC", "").split() or ["cc"])[0]
        fitting = shlex.split(native.cmake_args(native.cpu_features(), native.gcc_version(compiler)))
        flags = [*fitting, *_SERVER_ARGS, *shlex.split(os.environ.get("CMAKE_ARGS", ""))]
        made = work / "build"
        configure = [cmake, "-S", str(source), "-B", str(made), f"-DCMAKE_MAKE_PROGRAM={ninja}", *flags]
        report(f"building {NAME} for this processor (some minutes)")
        native._logged(configure, None, place / "configure.log", report)
        native._logged([ninja, "-C", str(made), NAME], None, place / "build.log", report)
        return (made / "bin" / _EXECUTABLE).replace(place / _EXECUTABLE)


def _source(work: Path, place: Path, report: native.Report) -> Path:
    """Fetch llama-cpp-python's source package and unpack the llama.cpp within."""
    report(f"fetching the source of {native.PACKAGE} {native.VERSION}")
    command = [*native._pip(), "download", "--no-deps", f"--no-binary={native.PACKAGE}", f"--dest={work}"]
    native._logged([*command, f"{native.PACKAGE}=={native.VERSION}"], None, place / "download.log", report)
    try:
        package = next(work.glob("*.tar.gz"))
        with tarfile.open(package) as archive:
            members = [m for m in archive if "/vendor/llama.cpp/" in m.name]
            archive.extractall(work, members, filter="data")
        return next(work.glob("*/vendor/llama.cpp/CMakeLists.txt")).parent
    except (StopIteration, tarfile.TarError, OSError) as error:
        raise ModelError(
            f"the source package of {native.PACKAGE} {native.VERSION} holds no llama.cpp", path=str(place)
        ) from error


def _tool(name: str, work: Path, place: Path, report: native.Report) -> str:
    """Path of a build tool: the system's, else one from PyPI that lasts as long as the build."""
    if (found := shutil.which(name)) is not None:
        return found
    target = work / "tools" / name  # one each: pip does not add to the bin/ of another
    command = [*native._pip(), "install", "--no-deps", f"--target={target}", name]
    try:
        native._logged(command, None, place / f"{name}.log", report)
    except ModelError as error:
        raise ModelError(
            f"building {NAME} needs {name}, and PyPI's cannot be had",
            path=error.path,
            cure=f"Install {name} with your system's package manager",
        ) from error
    suffix = ".exe" if sys.platform == "win32" else ""
    # cmake's own program lies in the package; what is in bin/ is a Python script that would not find it.
    for path in (target / name / "data" / "bin" / f"{name}{suffix}", target / "bin" / f"{name}{suffix}"):
        if path.is_file():
            return str(path)
    raise ModelError(f"PyPI's {name} holds no program", cure=f"Install {name} with your system's package manager")


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

    place = folder()
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
