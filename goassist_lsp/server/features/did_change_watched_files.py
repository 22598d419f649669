"""`workspace/didChangeWatchedFiles`: what changed outside of the editor's buffers makes the workspace be read anew.

Changes come in bursts (a checkout, a code generator), so the reading waits until they have come to rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer

_REST_S = 0.5


def register(server: GoassistServer) -> None:
    """Join `workspace/didChangeWatchedFiles`."""
    waiting: asyncio.TimerHandle | None = None

    def reindex() -> None:
        server.session.in_background("reading the workspace anew", server.session.reindex())

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def did_change_watched_files(params: lsp.DidChangeWatchedFilesParams) -> None:
        nonlocal waiting
        # A save of an open document changes nothing that we have not been told.
        if all(server.session.documents.get(change.uri) is not None for change in params.changes):
            return
        if waiting is not None:
            waiting.cancel()
        waiting = asyncio.get_running_loop().call_later(_REST_S, reindex)
