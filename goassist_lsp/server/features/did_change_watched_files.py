"""`workspace/didChangeWatchedFiles`: what others than the editor changed, such as git; the index takes it in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer

# What decides about the index's content: Go files, and files that say which of them count.
PATTERNS = ("**/*.go", "**/{go.mod,go.work,.gitignore,.ignore,.goassistignore}")


def register(server: GoassistServer) -> None:
    """Join `workspace/didChangeWatchedFiles`."""

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: lsp.DidChangeWatchedFilesParams) -> None:
        server.session.files_changed(change.uri for change in params.changes)
