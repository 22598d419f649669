"""Runs a test binary that a model had a hand in: no network, nothing of this machine to see, bounded resources.

Stands between the compiler, which runs no code of a module, and the verdict. What this machine can give is found by
trying (`protection`): namespaces with a root directory that holds the binary's directory, an empty /tmp, /dev/null
and nothing else; limits of the kernel on every process; a wall clock that ends all of them.

Not covered, with namespaces:
- the kernel itself: all system calls are open, and a hole in one of them is a way out;
- memory in sum: the bound is a process's, and files in /tmp are memory too (with a bound of their own);
- the machine's load and time, which can be observed, and what runs beside, which can be slowed down;
- our own end by SIGKILL: the sandbox then lives on until its processor time is used up.
Not covered, where there are no namespaces: reading and writing all that the user may, the network, signals to the
user's processes, processes that leave their group and their parent (they live on until their processor time is used
up); and the bound on processes counts all that the user runs, and is none for root.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from goassist_index.errors import GoassistError

Namespaces = Literal["root", "bubblewrap", "user", "none"]

MIB = 2**20
# Go reserves address space that it never touches (1.2 GiB for a program that does nothing). RLIMIT_DATA leaves such
# reservations out and bounds what a process can write to; this one is for all other mappings.
_ADDRESS_SPACE_BYTES = 4096 * MIB
# Users that distributions and systemd do not give out. Each run has the next one: processes are counted by user.
_USERS = itertools.cycle(range(60_600, 60_900))
_ABOUT: dict[Namespaces, str] = {
    "root": "own namespaces (files, network, processes, IPC) and an unprivileged user, by unshare as root",
    "bubblewrap": "own namespaces (files, network, processes, IPC, users), by bubblewrap",
    "user": "own namespaces (files, network, processes, IPC, users), by unshare",
    "none": "no namespaces: the user's files and the network are open",
}
# In the new namespaces, with the old root directory still: makes the new one.
_NEW_ROOT = """set -e
root=$1 directory=$2 bytes=$3
shift 3
mount -t tmpfs -o size=1m,mode=0755,nosuid,nodev sandbox "$root"
mkdir "$root/box" "$root/tmp" "$root/dev"
mount -t tmpfs -o "size=$bytes,mode=1777,nosuid,nodev" sandbox "$root/tmp"
mount --bind "$directory" "$root/box"
mount -o remount,bind,ro,nosuid,nodev "$root/box"
: > "$root/dev/null"
mount --bind /dev/null "$root/dev/null"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --rbind "$1" "$root$1"
  mount -o remount,bind,ro,nosuid,nodev "$root$1"
  shift
done
shift
mount -o remount,bind,ro,nosuid,nodev "$root"
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use. Processor time, memory, file size and open files are bounds of each process.

    `processes` counts threads too. `temporary_bytes` is what all files in /tmp may hold; `output_bytes` what may be
    said on standard output and standard error together: who says more is ended. `readable` are directories that can
    be read as well where there are namespaces: a binary that is not linked statically needs its libraries.
    """

    wall_s: float = 10.0
    cpu_s: int = 30
    memory_bytes: int = 512 * MIB
    processes: int = 64
    file_bytes: int = 16 * MIB
    open_files: int = 64
    temporary_bytes: int = 64 * MIB
    output_bytes: int = 64 * 1024
    readable: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: exit status (of a shell's kind or negative for a signal), output, wall clock seconds.

    `stopped` says which bound made us end it; "" when it ended by itself or by a limit of the kernel.
    """

    status: int
    output: str
    stopped: Literal["", "wall clock", "output"]
    wall_s: float

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == 0 and not self.stopped


def run(command: Sequence[str], directory: Path, limits: Limits | None = None, *, within: str = ".") -> Outcome:
    """Run `command` from `within` the `directory`; its first word is a file there or of `limits.readable`.

    `directory` is read-only inside, where there are namespaces; as root it and the binary are made readable for
    others, since the sandbox has an unprivileged user. The environment is made anew. Raises GoassistError when the
    sandbox cannot be set up.
    """
    return _run(namespaces(), command, directory, limits or Limits(), within)


def protection() -> str:
    """Which layers protect this machine, found by trying."""
    refused = [name for name, flag in _flags().items() if flag is None]
    bounds = "limits of the kernel on every process and a wall clock on every run"
    if refused:
        bounds += f", but this shell sets none on {' and '.join(refused)}"
    return f"{_ABOUT[namespaces()]}; {bounds}"


@functools.cache
def namespaces() -> Namespaces:
    """The way that works here to separate a run from this machine; "none" when nothing does."""
    true = shutil.which("true")
    libraries = tuple(p for p in map(Path, ("/usr", "/bin", "/lib", "/lib64", "/nix/store")) if p.is_dir())
    ways: tuple[Namespaces, ...] = ("root",) if os.geteuid() == 0 else ("bubblewrap", "user")
    for way in ways if true else ():
        with tempfile.TemporaryDirectory() as empty:
            try:
                if _run(way, [str(true)], Path(empty), Limits(readable=libraries)).ok:
                    return way
            except GoassistError:
                continue
    return "none"


def _run(way: Namespaces, command: Sequence[str], directory: Path, limits: Limits, within: str = ".") -> Outcome:
    binary = command[0] if "/" in command[0] else f"./{command[0]}"
    with tempfile.TemporaryDirectory() as scratch:
        root, ready = Path(scratch) / "root", Path(scratch) / "ready"
        root.mkdir()
        if way == "root":
            _open_up(directory, directory / within / binary)
        # What is set up has the user's own commands; the run itself has a root directory without any.
        home = str(root) if way == "none" else "/tmp"
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
        # Go's own bound makes it collect garbage before it meets the hard one.
        environment |= {"GOMAXPROCS": "2", "GOMEMLIMIT": str(limits.memory_bytes * 3 // 4)}
        call = (binary, *command[1:])
        try:
            if way == "bubblewrap":
                outcome = _bubblewrap(call, directory.resolve(), within, limits, ready, environment)
            else:
                argv = (
                    _plain(call, limits, ready)
                    if way == "none"
                    else _unshare(way, call, directory, within, limits, root, ready)
                )
                outcome = _watch(argv, directory / within, limits, environment)
        except OSError as error:
            raise GoassistError(f"the sandbox cannot be started ({error})", path=str(directory)) from error
        if not ready.exists() and not outcome.stopped:
            raise GoassistError(f"the sandbox cannot be set up ({outcome.output.strip()[-300:]})", path=str(directory))
    return outcome


def _open_up(directory: Path, binary: Path) -> None:
    directory.chmod(directory.stat().st_mode | 0o055)
    if binary.is_file() and binary.is_relative_to(directory):
        binary.chmod(binary.stat().st_mode | 0o055)


def _plain(command: Sequence[str], limits: Limits, ready: Path) -> list[str]:
    script = f'{_ulimits(limits)}: > "$1"\nshift\nexec "$@"'
    return ["sh", "-c", script, "sandbox", str(ready), *command]


def _unshare(
    way: Namespaces, command: Sequence[str], directory: Path, within: str, limits: Limits, root: Path, ready: Path
) -> list[str]:
    """As root: namespaces, then a user without rights. Else: a root of our own, then a user namespace without rights.

    A process in a root directory other than its mount namespace's cannot make user namespaces, nor leave it.
    """
    inner = ["unshare", f"--root={root}", f"--wd=/box/{within}"]
    outer = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    if way == "root":
        user = next(_USERS)
        inner += [f"--setuid={user}", f"--setgid={user}"]
    else:
        inner.append("--user")
        outer += ["--user", "--map-root-user"]
    script = f'{_NEW_ROOT}{_ulimits(limits)}: > "$1"\nshift\nexec "$@"'
    readable = [str(path) for path in limits.readable]
    facts = [str(root), str(directory.resolve()), str(limits.temporary_bytes), *readable, "--", str(ready)]
    return [*outer, "sh", "-c", script, "sandbox", *facts, *inner, *command]


def _bubblewrap(
    command: Sequence[str], directory: Path, within: str, limits: Limits, ready: Path, environment: dict[str, str]
) -> Outcome:
    """Processes are counted by user namespace: their bound can be set only inside, so bwrap waits for it."""
    import resource

    info, info_end = os.pipe()
    gate, gate_end = os.pipe()
    argv = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    argv += [
        "--size",
        str(limits.temporary_bytes),
        "--tmpfs",
        "/tmp",
        "--dir",
        "/dev",
        "--dev-bind",
        "/dev/null",
        "/dev/null",
    ]
    argv += ["--ro-bind", str(directory), "/box", "--chdir", f"/box/{within}"]
    argv += [word for path in limits.readable for word in ("--ro-bind", str(path), str(path))]
    argv += ["--remount-ro", "/", "--info-fd", str(info_end), "--block-fd", str(gate), "--", *command]

    def begin() -> None:
        os.close(info_end)
        with os.fdopen(info, closefd=False) as stream:
            about = stream.read()
        if about:
            bound = (limits.processes, limits.processes)
            resource.prlimit(json.loads(about)["child-pid"], resource.RLIMIT_NPROC, bound)
            ready.touch()
            os.write(gate_end, b".")

    script = f'{_ulimits(limits, processes=False)}exec "$@"'
    try:
        return _watch(["sh", "-c", script, "sandbox", *argv], directory, limits, environment, (info_end, gate), begin)
    finally:
        for end in (info, gate, gate_end):
            os.close(end)


def _ulimits(limits: Limits, *, processes: bool = True) -> str:
    """Lines for the shell that set the limits, for itself and all that it starts."""
    values = {
        "core files": 0,
        "processor time": limits.cpu_s,
        "memory": limits.memory_bytes // 1024,
        "address space": max(_ADDRESS_SPACE_BYTES, 4 * limits.memory_bytes) // 1024,
        "file size": limits.file_bytes // 512,
        "open files": limits.open_files,
        "processes": limits.processes,
    }
    if not processes:
        del values["processes"]
    flags = _flags()
    return "".join(f"ulimit -{flags[name]} {value}\n" for name, value in values.items() if flags[name])


@functools.cache
def _flags() -> dict[str, str | None]:
    """The flag of the shell's `ulimit` for each limit; None where it refuses to set it."""
    candidates = {"core files": "c", "processor time": "t", "memory": "d", "address space": "v"}
    candidates |= {"file size": "f", "open files": "n", "processes": "up"}
    return {name: next((flag for flag in flags if _takes(flag)), None) for name, flags in candidates.items()}


def _takes(flag: str) -> bool:
    # Of no core file, one hour, 16 GiB, 16,384 files or processes at most: what is set must be what is then said.
    value = {"c": 0, "t": 3600, "n": 64, "u": 16_384, "p": 16_384}.get(flag, 2**24)
    script = f'ulimit -{flag} {value} && [ "$(ulimit -{flag})" = {value} ]'
    return subprocess.run(["sh", "-c", script], capture_output=True, check=False).returncode == 0


def _watch(
    argv: Sequence[str],
    directory: Path,
    limits: Limits,
    environment: dict[str, str],
    pass_fds: Sequence[int] = (),
    begin: Callable[[], None] = lambda: None,
) -> Outcome:
    """Start it, read what it says, end it in time."""
    started_s = time.monotonic()
    process = subprocess.Popen(
        argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True, pass_fds=pass_fds,
    )  # fmt: skip
    stopped: Literal["", "wall clock", "output"] = ""
    said = bytearray()
    assert process.stdout is not None
    try:
        begin()
        with process.stdout, selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not stopped:
                left_s = started_s + limits.wall_s - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    stopped = "wall clock"
                elif data := os.read(process.stdout.fileno(), 65536):
                    said += data
                    if len(said) > limits.output_bytes:
                        stopped = "output"
                else:
                    break  # nobody can say more
            if not stopped:
                try:
                    process.wait(max(0.0, started_s + limits.wall_s - time.monotonic()))
                except subprocess.TimeoutExpired:
                    stopped = "wall clock"
    finally:
        _end(process)
    output = bytes(said[: limits.output_bytes]).decode("utf-8", "replace")
    return Outcome(process.returncode, output, stopped, time.monotonic() - started_s)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all that is left of it: children first, as a process may have left the group but not its parent."""
    if process.returncode is None:
        try:
            family = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        for child in family:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:
        process.kill()  # a group in which only the dead and other users' processes are left
    process.wait()
