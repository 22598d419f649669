"""`GET /readyz`: 200 while requests can be answered, 503 while the backend does not answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from goassist_index.errors import ModelError
from goassist_lsp.http.service import Service


def route(service: Service) -> Route:
    """The endpoint of one server."""

    async def readyz(request: Request) -> JSONResponse:
        try:
            await service.ready()
        except ModelError as error:
            return JSONResponse({"status": "not ready", "reason": error.what}, 503)
        return JSONResponse({"status": "ready", "model": service.engine.model_name})

    return Route("/readyz", readyz, methods=["GET"])
