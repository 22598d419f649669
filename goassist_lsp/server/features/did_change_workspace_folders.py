"""`workspace/didChangeWorkspaceFolders`: type services start and end with the folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer


def register(server: GoassistServer) -> None:
    """Join `workspace/didChangeWorkspaceFolders`."""

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def did_change_workspace_folders(params: lsp.DidChangeWorkspaceFoldersParams) -> None:
        event, session = params.event, server.session
        session.change_folders([f.uri for f in event.added], [f.uri for f in event.removed])
        session.in_background("a change of folders", session.apply_folders())
