"""`shutdown`: end requests, model and type services before the client gets its answer; `exit` is the protocol's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer


def register(server: GoassistServer) -> None:
    """Join `shutdown`."""

    @server.feature(lsp.SHUTDOWN)
    async def shutdown(params: None) -> None:
        await server.session.close()
