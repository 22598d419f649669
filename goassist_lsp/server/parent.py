"""Watches the client's process, so that a server whose editor was killed ends as well.

The end of standard input says the same in most cases, but not when another child of the editor still holds the pipe.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_log = logging.getLogger(__name__)

_POLL_S = 1.0
_GRACE_S = 10.0


def watch(process_id: int, on_gone: Callable[[], None]) -> None:
    """Call `on_gone` from a thread once that process has ended; if we still run after a grace period, exit hard.

    A process that is not there to begin with is not watched: a client in a container sends ids that mean
    nothing here.
    """
    import psutil

    try:
        client = psutil.Process(process_id)
    except psutil.Error:
        _log.info("process %d of the client cannot be seen from here, so it is not watched", process_id)
        return

    def wait() -> None:
        _wait_for_end(client)
        while _alive(client):
            time.sleep(_POLL_S)
        _log.warning("the client (process %d) is gone, so the server ends", process_id)
        on_gone()
        time.sleep(_GRACE_S)
        os._exit(1)

    threading.Thread(target=wait, name="client-watch", daemon=True).start()


def _alive(client: psutil.Process) -> bool:
    import psutil

    try:
        # A killed process stays as a zombie until its own parent collects it.
        return bool(client.is_running() and client.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _wait_for_end(client: psutil.Process) -> None:
    """Sleep until the process ends, where the system can say so; returns at once where it cannot.

    An idle server that wakes up each second to look keeps a laptop's processor from its rest.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return
    try:
        ended = os.pidfd_open(client.pid)
    except OSError as error:
        _log.info("the client's end has to be looked for: %s", error)
        return
    try:
        # By its number alone it may be another process by now, one that took the number over.
        if _alive(client):
            waiting = select.poll()
            waiting.register(ended, select.POLLIN)
            waiting.poll()
    finally:
        os.close(ended)
