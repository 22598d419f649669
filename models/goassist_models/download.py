"""Fetches a registry model: sources in order, resumable, verified by digest, put in place atomically.

Called by `goassist-lsp model pull` and by the server; how each source is fetched stands in sources.py.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import DownloadError
from goassist_models.registry import Companion, Entry, Source, models_dir, sha256_of

# Told (bytes done, bytes in all, what is going on) from the thread that downloads.
Progress = Callable[[int, int, str], None]
_LOCK_POLL_S = 0.5
# Beside the file itself: one wheel and its unpacking at a time, and some room for everybody else.
_SPARE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Job:
    """One download as its sources see it: `part` is the growing file, `staging` a directory of their own."""

    entry: Entry
    staging: Path
    progress: Progress
    cancelled: Callable[[], bool]

    @property
    def part(self) -> Path:
        """The file under way; sources may leave it unfinished and find it again."""
        return self.staging / f"{self.entry.path.name}.part"

    def companion(self, companion: Companion) -> Path:
        """Where sources leave one of the small files that belong to it."""
        return self.staging / "companions" / companion.file


Fetch = Callable[[Job, Source], None]


class Cancelled(DownloadError):
    """The user gave the download up; what was fetched is kept."""


class DiskFull(DownloadError):
    """The disk filled up under a download; no other source can help."""

    def __init__(self, target: Path) -> None:
        super().__init__(
            "the disk is full",
            path=str(target.parent),
            cure="Free some space, or set GOASSIST_CACHE_DIR to a directory elsewhere; then run it again",
        )


def pull(
    entry: Entry,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    fetch: Fetch | None = None,
) -> Path:
    """Fetch `entry`'s file into the cache, unless it is there, and return its path.

    `fetch` gets one source's file into `job.part` (default: sources.fetch). A broken-off download goes on
    where it stopped. Raises DownloadError when no source can deliver, the disk is full or read-only, or on
    cancel.
    """
    if fetch is None:
        from goassist_models import sources

        fetch = sources.fetch
    target = entry.path
    staging = models_dir() / f"{_hidden(entry)}.download"
    job = Job(entry, staging, progress or (lambda done, total, what: None), cancelled or (lambda: False))
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(job):
            # Another process may have finished it while this one waited for the lock.
            if target.is_file() and target.stat().st_size == entry.size_bytes and _digest_right(job, target):
                shutil.rmtree(staging, ignore_errors=True)
                return target
            staging.mkdir(exist_ok=True)
            _check_room(job)
            _from_sources(job, fetch)
            for companion in entry.companions:
                job.companion(companion).replace(target.parent / companion.file)
            job.part.replace(target)
            shutil.rmtree(staging, ignore_errors=True)
    return target


def _from_sources(job: Job, fetch: Fetch) -> None:
    """Try each source until one leaves the right file in `job.part`."""
    failures = []
    for source in job.entry.sources:
        if job.cancelled():
            raise Cancelled("the download was cancelled", cure="Run it again to go on where it stopped")
        try:
            fetch(job, source)
            size_bytes = job.part.stat().st_size if job.part.is_file() else 0
            if size_bytes != job.entry.size_bytes:
                raise DownloadError(f"it sent {size_bytes:,} bytes, not {job.entry.size_bytes:,}")
            if not _digest_right(job, job.part) or not all(
                sha256_of(job.companion(companion)) == companion.sha256 for companion in job.entry.companions
            ):
                raise DownloadError("what it sent does not have the registry's digest")
        except (Cancelled, DiskFull):
            raise
        except DownloadError as error:
            failures.append(f"{source.label}: {error.what}")
            if job.part.is_file() and job.part.stat().st_size >= job.entry.size_bytes:
                shutil.rmtree(job.staging)  # whole, but wrong: nothing to go on from
                job.staging.mkdir()
            continue
        return
    raise DownloadError(
        "no source could deliver the model (" + "; ".join(failures) + ")",
        path=job.entry.name,
        cure="Check the network and the proxy settings, then run `goassist-lsp model pull` again; "
        f"or put the file at {job.entry.path} by hand",
    )


def _digest_right(job: Job, path: Path) -> bool:
    total = job.entry.size_bytes
    digest = sha256_of(path, lambda done: job.progress(done, total, "verifying"))
    return digest == job.entry.sha256


def _check_room(job: Job) -> None:
    """Raise DownloadError now rather than after minutes when the disk cannot hold what is still to come."""
    have = max((file.stat().st_size for file in job.staging.rglob("*") if file.is_file()), default=0)
    needed = max(0, job.entry.size_bytes - have) + _SPARE_BYTES
    free = shutil.disk_usage(job.staging).free
    if free < needed:
        raise DownloadError(
            f"the disk has {free:,} bytes free and the model needs {needed:,}",
            path=str(job.staging.parent),
            cure="Free some space, or set GOASSIST_CACHE_DIR to a directory on another disk",
        )


def _hidden(entry: Entry) -> str:
    """A name that nobody takes for a model's, in the models' directory itself."""
    return f".{entry.file.replace('/', '-')}"


@contextlib.contextmanager
def _locked(job: Job) -> Iterator[None]:
    """Hold the one lock of this file's download; wait for another process that has it."""
    from filelock import FileLock, Timeout

    lock = FileLock(models_dir() / f"{_hidden(job.entry)}.lock")
    while True:
        try:
            lock.acquire(timeout=_LOCK_POLL_S)
            break
        except Timeout:
            job.progress(0, job.entry.size_bytes, "waiting for another download of this model")
            if job.cancelled():
                raise Cancelled("the download was cancelled while another process has it under way") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Turn the file system's refusals into errors that name the place and the cure."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(target) from error
        raise DownloadError(
            f"the model cannot be written ({error.strerror or error})",
            path=str(target.parent),
            cure="Make the directory writable, or set GOASSIST_CACHE_DIR to one that is",
        ) from error
