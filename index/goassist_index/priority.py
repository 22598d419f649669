"""How the index's processes stay out of the way of everybody else's."""

from __future__ import annotations

import sys

import psutil


def yield_to_others() -> None:
    """Give this process the least claim on processor and disk."""
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.IDLE_PRIORITY_CLASS)
        return
    process.nice(19)
    if sys.platform == "linux":
        process.ionice(psutil.IOPRIO_CLASS_IDLE)
