"""What stands before every endpoint: a request's id, whose key it has, and the line that is logged of it."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from goassist_index.errors import GoassistError
from goassist_lsp.http.admission import Client
from goassist_lsp.http.errors import ApiError, api_error
from goassist_lsp.http.service import Service

log = logging.getLogger("goassist_lsp.http.requests")

REQUEST_ID = "x-request-id"
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}")
# Nothing is learnt from these, and who watches a server has no key.
_OPEN = frozenset({"/healthz", "/readyz"})


class Gate:
    """ASGI middleware. Sets `state.client` for endpoints and takes `state.told` from them, for the log."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s = time.perf_counter()
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"req-{secrets.token_hex(12)}"
        told: dict[str, Any] = {}
        scope["state"] = {**scope.get("state", {}), "told": told, "request_id": request_id}
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            client = self._client(scope, headers)
            scope["state"]["client"] = client
            told["client"] = client.name
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            known = api_error(error)
            if known.code == "internal":
                log.exception("a request failed", extra={"told": {"request_id": request_id}})
            elif isinstance(error, GoassistError):
                log.warning("%s", error, extra={"told": {"request_id": request_id}})
            told["error"] = known.code
            if not status:
                await known.as_response()(scope, receive, send_with_id)
        finally:
            self._log(scope, status, request_id, time.perf_counter() - begun_s, told)

    def _client(self, scope: Scope, headers: Headers) -> Client:
        address = scope["client"][0] if scope.get("client") else "unknown"
        keys = self._service.keys
        if keys is None:
            # A page whose name was made to lead here (DNS rebinding) calls us by that name.
            host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
            if host.strip("[]").lower() not in self._service.hosts:
                raise ApiError(403, "without keys this server answers only as localhost", code="wrong_host")
            return Client(address)
        if scope["path"] in _OPEN:
            return Client(address)
        client = keys.client(headers.get("authorization", ""))
        if client is None:
            raise ApiError(
                401,
                "this server wants a key: `Authorization: Bearer KEY`",
                kind="authentication_error",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return client

    def _log(self, scope: Scope, status: int, request_id: str, seconds: float, told: dict[str, Any]) -> None:
        endpoint = scope["path"] if "endpoint" in scope else "other"
        self._service.metrics.requests.labels(endpoint, str(status or 499)).inc()
        self._service.metrics.seconds.labels(endpoint).observe(seconds)
        # Status 499, of a client that left before it was told anything, is nginx's.
        line = {"request_id": request_id, "method": scope["method"], "path": scope["path"], "status": status or 499}
        known = {key: value for key, value in told.items() if value is not None}
        log.info("answered", extra={"told": {**line, "ms": round(seconds * 1000, 1), **known}})
