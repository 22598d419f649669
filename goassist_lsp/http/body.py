"""Reads a request's body: JSON, not too large, not too slow."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from goassist_lsp.http.errors import ApiError
from goassist_lsp.http.service import ServeLimits


async def body_of(request: Request, limits: ServeLimits) -> bytes:
    """The body. Raises ApiError 413 for one that is too large, 408 for one that takes too long, 415 for no JSON."""
    # A page in a browser can send other kinds to any address without asking first, and must not work this server.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "the body's content type must be application/json", code="unsupported_media_type")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limits.body_bytes:
        raise _too_large(limits)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.sending_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body_bytes:
                    raise _too_large(limits)
    except TimeoutError:
        raise ApiError(
            408, f"the body did not come in {limits.sending_s:g} s", code="timeout", headers={"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise ApiError(400, "the client left before its request was whole") from None
    return bytes(body)


def _too_large(limits: ServeLimits) -> ApiError:
    said = f"the body is larger than {limits.body_bytes:,} bytes"
    return ApiError(413, said, code="request_too_large", headers={"Connection": "close"})
