"""`initialize`: take down what the client can do and wants; answers at once, loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.uris import from_fs_path

from goassist_lsp.server import parent
from goassist_lsp.server.features import completion, inline_completion

if TYPE_CHECKING:
    from goassist_lsp.server.positions import Encoding
    from goassist_lsp.server.server import GoassistServer

_ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")


def register(server: GoassistServer) -> None:
    """Join `initialize`."""

    @server.feature(lsp.INITIALIZE)
    def initialize(params: lsp.InitializeParams) -> None:
        session = server.session
        encoding = server.workspace.position_encoding
        session.documents.encoding = next((name for name in _ENCODINGS if name == encoding), "utf-16")
        session.take_initial_options(params.initialization_options)
        session.change_folders(_folders(params), removed=[])
        if params.process_id is not None:
            parent.watch(params.process_id, server.client_gone)
        # Never both for one client: it would show every completion twice.
        text_document = params.capabilities.text_document
        if text_document is not None and text_document.inline_completion is not None:
            inline_completion.register(server)
        else:
            completion.register(server)


def _folders(params: lsp.InitializeParams) -> list[str]:
    if params.workspace_folders:
        return [folder.uri for folder in params.workspace_folders]
    root = params.root_uri or (from_fs_path(params.root_path) if params.root_path else None)
    return [root] if root else []
