"""Watches the client's process, so that a server whose editor was killed ends as well.

The end of standard input says the same in most cases, but not when another child of the editor still holds the pipe.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

_POLL_S = 1.0
_GRACE_S = 10.0


def watch(process_id: int, on_gone: Callable[[], None]) -> None:
    """Call `on_gone` from a thread once that process has ended; if we still run after a grace period, exit hard.

    A process that is not there to begin with is not watched: a client in a container sends ids that mean
    nothing here.
    """
    import psutil  # type: ignore[import-untyped, unused-ignore]

    try:
        client = psutil.Process(process_id)
    except psutil.Error:
        _log.info("process %d of the client cannot be seen from here, so it is not watched", process_id)
        return

    def alive() -> bool:
        try:
            # A killed process stays as a zombie until its own parent collects it.
            return bool(client.is_running() and client.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def poll() -> None:
        while alive():
            time.sleep(_POLL_S)
        _log.warning("the client (process %d) is gone, so the server ends", process_id)
        on_gone()
        time.sleep(_GRACE_S)
        os._exit(1)

    threading.Thread(target=poll, name="client-watch", daemon=True).start()
