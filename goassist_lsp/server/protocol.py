"""The server's side of JSON-RPC: pygls's protocol, made to answer everything that asks for an answer.

Differences from pygls: documents are our own (snapshot.py), UTF-8 positions are preferred, requests that cannot be
read or come at the wrong time get an error, and `exit` ends the loop of run.py instead of the interpreter.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

if TYPE_CHECKING:
    from concurrent.futures import Future

_log = logging.getLogger(__name__)

_ENCODINGS = (lsp.PositionEncodingKind.Utf8, lsp.PositionEncodingKind.Utf16, lsp.PositionEncodingKind.Utf32)

_Steps = Generator[Any, Any, Any]


class GoassistProtocol(LanguageServerProtocol):
    """One client's messages, in and out. `on_exit` is told the exit status when the client says `exit`."""

    on_exit: Callable[[int], None] | None = None
    # Asked for, and perhaps still at work: pygls's own flag is set once it is done.
    shutdown_asked = False

    def receive(self, message: Any) -> None:
        """Take one message's JSON value; whatever is wrong with it ends in an error response or a log line."""
        if not isinstance(message, dict):
            self.refuse(None, JsonRpcInvalidRequest("a message is a JSON object; batches are not part of LSP"))
            return
        method, msg_id = message.get("method"), message.get("id")
        if not isinstance(msg_id, int | str | None) or not isinstance(method, str | None):
            self.refuse(None, JsonRpcInvalidRequest("an id is a number or a string, and a method is a string"))
            return
        is_request = method is not None and msg_id is not None
        refusal = self._untimely(method) if method is not None else None
        if refusal is not None:
            if is_request:
                self.refuse(msg_id, refusal)
            return
        if method is None and self._given_up(msg_id):
            return
        self.shutdown_asked = self.shutdown_asked or method == lsp.SHUTDOWN
        message["jsonrpc"] = self.VERSION
        if method is not None and self.get_message_type(method) is None:
            message.setdefault("params", None)
        try:
            self.handle_message(self.structure_message(message))
        except Exception as error:
            _log.warning("unusable message %s: %s", method or msg_id, error)
            if is_request:
                self.refuse(msg_id, JsonRpcInvalidParams(f"{method}: the parameters cannot be read"))
            elif method is None:
                self._fail_own_request(msg_id, error)

    def refuse(self, msg_id: Any, error: JsonRpcException) -> None:
        """Answer with an error; `msg_id` is None when the message was too broken to have one."""
        self._send_response(msg_id, error=error.to_response_error())

    def refuse_unreadable(self, reason: str) -> None:
        """Answer bytes that are no message at all."""
        _log.warning("%s", reason)
        self.refuse(None, JsonRpcParseError(reason))

    def _untimely(self, method: str) -> JsonRpcException | None:
        if method == lsp.EXIT:
            return None
        if self.shutdown_asked:
            return JsonRpcInvalidRequest("the server is shutting down")
        initialized = self._workspace is not None
        if method == lsp.INITIALIZE:
            return JsonRpcInvalidRequest("initialize came twice") if initialized else None
        return None if initialized else JsonRpcServerNotInitialized("initialize has to come first")

    def _given_up(self, msg_id: int | str | None) -> bool:
        """Whether this answers a request of ours that nobody waits for any more."""
        if msg_id is None:
            return False
        future = self._request_futures.get(msg_id)
        if future is None or not future.cancelled():
            return False
        del self._request_futures[msg_id]
        return True

    def _fail_own_request(self, msg_id: int | str | None, error: Exception) -> None:
        future: Future[Any] | None = self._request_futures.pop(msg_id, None) if msg_id is not None else None
        if future is not None and not future.done():
            future.set_exception(error)

    def _handle_cancel_notification(self, msg_id: int | str) -> None:
        # Editors cancel requests that were just answered all the time: nothing to log.
        future = self._request_futures.pop(msg_id, None)
        if future is not None:
            future.cancel()

    @lsp_method(lsp.INITIALIZE)
    def lsp_initialize(self, params: lsp.InitializeParams) -> _Steps:
        """Choose the position encoding by our preference: UTF-8 needs no counting of surrogates."""
        general = params.capabilities.general
        if general is not None and general.position_encodings:
            offered = set(general.position_encodings)
            general.position_encodings = [encoding for encoding in _ENCODINGS if encoding in offered]
        return (yield from super().lsp_initialize(params))

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *args: Any) -> _Steps:
        """End the loop: status 0 after a shutdown, 1 without one."""
        if self.on_exit is not None:
            self.on_exit(0 if self.shutdown_asked else 1)
        yield from ()

    # pygls keeps a second copy of every document unless its own handlers are replaced.

    @lsp_method(lsp.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: lsp.DidOpenTextDocumentParams) -> _Steps:
        """Hand over to features/did_open.py."""
        yield self.fm.features[lsp.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: lsp.DidChangeTextDocumentParams) -> _Steps:
        """Hand over to features/did_change.py."""
        yield self.fm.features[lsp.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: lsp.DidCloseTextDocumentParams) -> _Steps:
        """Hand over to features/did_close.py."""
        yield self.fm.features[lsp.TEXT_DOCUMENT_DID_CLOSE], (params,), None
