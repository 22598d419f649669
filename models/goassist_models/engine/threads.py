"""How many cores this process may use, containers' limits included, and with how many threads a model is quickest.

Used by the llama engine to choose the number of threads that it starts with; pace.py goes on from there.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError
from goassist_models.engine.library import waiting

_log = logging.getLogger(__name__)

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_MEASURED_DECODES = 5
# How much quicker more threads must be to be worth their cores: those keep the editor's own work quick, and save power.
_WORTH = 1.1
_KEPT_CHOICES = 32


def usable_cores() -> int:
    """Return the number of cores this process may keep busy, at least 1: its affinity, held to its quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_QUOTA.read_text().split()[:2]
        if quota != "max":
            cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass  # no such file outside of Linux's unified control groups
    return max(1, cores)


def start_threads(cores: int, key: Callable[[], str], decode_ms: Callable[[int], float]) -> int:
    """Threads to decode with at first: one, half of the cores, all but one or all, the fewest of those that are quick.

    `decode_ms` decodes one token with some threads and returns its milliseconds. Measured once for each `key()` (see
    `choice_key`), by the quickest of a few: what else runs while an editor starts says nothing of later.
    """
    if cores == 1:
        return 1
    name = key()
    kept = kept_choices().get(name)
    if type(kept) is int and 1 <= kept <= cores:
        return kept
    took_ms: dict[int, float] = {}
    for threads in sorted({1, max(1, cores // 2), cores - 1, cores}):
        decode_ms(threads)  # the first one wakes the threads up
        took_ms[threads] = min(decode_ms(threads) for _ in range(_MEASURED_DECODES))
    best_ms = min(took_ms.values())
    chosen = min(threads for threads, ms in took_ms.items() if ms <= best_ms * _WORTH)
    measured = ", ".join(f"{ms:.1f} ms with {threads}" for threads, ms in took_ms.items())
    _log.info("%d threads of %d cores: a token takes %s", chosen, cores, measured)
    keep_choice(name, chosen)
    return chosen


def build_key(model: Path) -> str:
    """A model file as it is now, and a build of the native library."""
    from goassist_models import preflight

    return f"{preflight.model_stamp(model)} {preflight.library_digest()}"


def choice_key(model: Path, cores: int) -> str:
    """What a measured choice holds for: a model file and a build, cores, a processor, how threads wait."""
    from goassist_models import native

    # The same before the library is loaded and afterwards.
    environment = os.environ | waiting(os.environ)
    waits = f"{environment['OMP_WAIT_POLICY']} {environment.get('GOMP_SPINCOUNT', '')}"
    return f"{build_key(model)} {cores} {native.features_key()} {waits}"


def kept_choices() -> dict[str, object]:
    """What was measured on this machine, by key: numbers of threads, and what `bench tune` found (tuned.py).

    Nobody vouches for the values' types but who wrote them: look before use.
    """
    try:
        kept = json.loads((cache_dir() / "threads.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, ConfigError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep_choice(key: str, choice: object | None) -> bool:
    """Remember a choice (a JSON value), None to forget it; returns whether it is kept.

    A cache that cannot be written only costs the next start its measurement again. Of numbers of threads the latest
    are kept.
    """
    others = {old: value for old, value in kept_choices().items() if old != key}
    threads = [old for old, value in others.items() if type(value) is int]
    for old in threads[: max(0, len(threads) + 1 - _KEPT_CHOICES)]:
        del others[old]
    fresh: Path | None = None
    try:
        file = cache_dir() / "threads.json"
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(others if choice is None else {**others, key: choice}, indent=1), encoding="utf-8")
        fresh.replace(file)
    except (OSError, ConfigError) as error:
        _log.info("what was measured is not kept: %s", error)
        if fresh is not None:
            fresh.unlink(missing_ok=True)
        return False
    return True
