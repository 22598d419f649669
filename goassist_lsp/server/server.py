"""The pygls server object: one client's session and the features that serve it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from goassist_lsp.server.features import register
from goassist_lsp.server.protocol import GoassistProtocol
from goassist_lsp.server.session import MakeAssistant, Session

if TYPE_CHECKING:
    from pygls.server import ServerErrors


class GoassistServer(LanguageServer):
    """Serves one client. `on_client_gone` is called when the process that started us has ended."""

    protocol: GoassistProtocol

    def __init__(self, make_assistant: MakeAssistant) -> None:
        super().__init__(
            "goassist-lsp",
            _version(),
            text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental,
            protocol_cls=GoassistProtocol,
        )
        self.session = Session(self, make_assistant)
        register(self)

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """Nothing to add: pygls has logged it, and requests carry their error in the response."""

    def client_gone(self) -> None:
        """End the server; called from any thread."""
        if self.protocol.on_exit is not None:
            self.protocol.on_exit(1)


def _version() -> str:
    try:
        return version("goassist-lsp")
    except PackageNotFoundError:  # run from a source tree
        return "0"
