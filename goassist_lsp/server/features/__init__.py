"""One file per LSP method: each dispatches and converts, nothing else.

`register` joins them to a server; which completion method is offered is chosen in initialize.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goassist_lsp.server.features import (
    did_change,
    did_change_configuration,
    did_change_watched_files,
    did_change_workspace_folders,
    did_close,
    did_open,
    did_save,
    execute_command,
    initialize,
    initialized,
    shutdown,
)

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer

_ALWAYS = (
    initialize,
    initialized,
    shutdown,
    did_open,
    did_change,
    did_close,
    did_save,
    did_change_configuration,
    did_change_watched_files,
    did_change_workspace_folders,
    execute_command,
)


def register(server: GoassistServer) -> None:
    """Join every feature that all clients get."""
    for feature in _ALWAYS:
        feature.register(server)
