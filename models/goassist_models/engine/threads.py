"""How many cores this process may use, containers' limits included.

Used by the llama engine to choose its number of threads.
"""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


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


def default_threads() -> int:
    """Threads for a model where nobody says how many: a core is left free, but of two both are used."""
    cores = usable_cores()
    return cores - 1 if cores > 2 else cores
