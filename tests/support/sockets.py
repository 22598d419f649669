"""Connections to the editors that tests drive."""

from __future__ import annotations

import socket

from support.lsp_client import TIMEOUT_S


def connected(path: str) -> socket.socket | None:
    """A connection to whoever listens at a path of the file system; None as long as nobody does."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(TIMEOUT_S)
    try:
        made.connect(path)
    except OSError:
        made.close()
        return None
    return made
