"""Runs one stage over shards, in processes here or on a Ray cluster; a shard that is there is not made again.

A shard appears under its name only when all of it is written, its counts beside it: a run killed at any moment goes
on where it stood, and a worker that is lost costs its shard alone. What a shard holds depends on its input only, so
that any number of workers writes the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from goassist_index.errors import GoassistError

_RAY_RETRIES = 4

Counts = Mapping[str, int]
Work = Callable[[str], tuple[str, Counts]]
"""From a shard's task (the input's path, or the source to collect) to its contents and what is to be counted."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who works: `processes` here (1: this one alone), or the Ray cluster at `ray` ("local": one made here)."""

    processes: int = 1
    ray: str = ""


def run_stage(
    tasks: Mapping[str, str],
    out: Path,
    work: Work,
    workers: Workers,
    tell: Callable[[str], None] = lambda message: None,
) -> Counter[str]:
    """Make the shard of every task (by shard name) below `out` that is not there yet; the counts of all of them.

    Raises GoassistError for the first shard that failed; the others are kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    left = {name: task for name, task in tasks.items() if not (out / name).exists()}
    make = partial(_make, work=work, out=out)
    if workers.ray:
        _on_ray(left, make, workers.ray, tell)
    elif workers.processes > 1 and len(left) > 1:
        _in_processes(left, make, workers.processes, tell)
    else:
        for number, (name, task) in enumerate(left.items(), 1):
            tell(f"{number} of {len(left)}: {name}")
            make(name, task)
    total: Counter[str] = Counter()
    for name in tasks:
        total.update(counts_of(out / name))
    return total


def counts_of(shard: Path) -> dict[str, int]:
    """What was counted when the shard was made."""
    path = shard.with_suffix(".counts")
    try:
        counts: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GoassistError(
            "a shard's counts are missing", path=str(path), cure=f"Remove {shard.name}: it is made anew"
        ) from error
    return counts


def shards_of(directory: Path) -> list[Path]:
    """The shards of a stage, by name. Raises GoassistError when there are none: the stage before has not run."""
    found = sorted(directory.glob("*.jsonl"))
    if not found:
        raise GoassistError(
            "there are no shards in it", path=str(directory), cure=f"Run `train {directory.name}` with this --out first"
        )
    return found


def digest_of(directory: Path) -> str:
    """SHA-256 over names and contents of a stage's shards, as hexadecimal."""
    digest = hashlib.sha256()
    for path in shards_of(directory):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears under its name when all of it is on disk.

    Raises GoassistError, and leaves nothing behind, when it cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        cure = "Free some disk space; what is written stays" if error.errno == errno.ENOSPC else "Check its directory"
        raise GoassistError(f"it cannot be written ({error.strerror})", path=str(path), cure=cure) from error


def _make(name: str, task: str, *, work: Work, out: Path) -> None:
    text, counts = work(task)
    path = out / name
    write_whole(path.with_suffix(".counts"), json.dumps(dict(sorted(counts.items()))) + "\n")
    write_whole(path, text)


def _in_processes(
    left: Mapping[str, str], make: Callable[[str, str], None], processes: int, tell: Callable[[str], None]
) -> None:
    # Not by fork: a parent with threads (a type service's event loop, a progress display) must not be copied.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(make, name, task): name for name, task in left.items()}
        failed: Exception | None = None
        for number, future in enumerate(as_completed(running), 1):
            error = future.exception()
            tell(f"{number} of {len(left)}: {running[future]}")
            if isinstance(error, BrokenProcessPool):
                raise GoassistError(
                    "a worker process was ended, perhaps for want of memory",
                    path=running[future],
                    cure="Run it again: finished shards stay. Lower --processes",
                ) from error
            if isinstance(error, Exception) and failed is None:
                failed = error
        if failed is not None:
            raise failed


def _on_ray(
    left: Mapping[str, str], make: Callable[[str, str], None], address: str, tell: Callable[[str], None]
) -> None:
    """A task a shard; Ray runs it again elsewhere when its worker or node is lost."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    ray.init(address=None if address == "local" else address, log_to_driver=False, ignore_reinit_error=True)
    remote = ray.remote(max_retries=_RAY_RETRIES)(_made_by_ray)
    running = {remote.remote(make, name, task): name for name, task in left.items()}
    waiting: Sequence[object] = list(running)
    failed: Exception | None = None
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        try:
            ray.get(done)
        except RayTaskError as error:
            cause = error.cause
            failed = failed or (cause if isinstance(cause, GoassistError) else error)
        except RayError as error:
            lost = GoassistError(
                f"the workers that made it were lost {_RAY_RETRIES + 1} times",
                path=running[done[0]],
                cure="Run it again: finished shards stay. Give each worker more memory",
            )
            lost.__cause__ = error
            failed = failed or lost
        tell(f"{len(left) - len(waiting)} of {len(left)}")
    if failed is not None:
        raise failed


def _made_by_ray(make: Callable[[str, str], None], name: str, task: str) -> None:
    make(name, task)
