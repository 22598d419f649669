"""The application: every endpoint behind the gate."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from goassist_lsp.http.endpoints import (
    chat_completions,
    completions,
    embeddings,
    healthz,
    infill,
    metrics,
    models,
    openapi,
    readyz,
)
from goassist_lsp.http.errors import api_error
from goassist_lsp.http.gate import Gate
from goassist_lsp.http.service import Service

_OF_A_SERVICE = (completions, chat_completions, embeddings, infill, models, readyz, metrics)


def application(service: Service) -> Starlette:
    """The ASGI application of one server."""
    routes = [healthz.route(), *openapi.routes(), *(endpoint.route(service) for endpoint in _OF_A_SERVICE)]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Gate, service=service)],
        # All other exceptions come to the gate.
        exception_handlers={HTTPException: _told},
    )


async def _told(request: Request, error: Exception) -> Response:
    return api_error(error).as_response()
