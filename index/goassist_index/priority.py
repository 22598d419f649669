"""How the index's processes stay out of the way of everybody else's.

psutil is imported where it is needed only: who searches starts without it.
"""

from __future__ import annotations

import os
import sys


def yield_to_others() -> None:
    """Give this process the least claim on the processor."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.IDLE_PRIORITY_CLASS)
    else:
        os.nice(_LOWEST)


def yield_disk() -> None:
    """Have what this process reads and writes wait for everybody else's, where the system knows how."""
    if sys.platform == "linux":
        import psutil

        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


_LOWEST = 19
