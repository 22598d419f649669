"""`GET /v1/models`: the one model that there is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from goassist_lsp.http.service import Service


def route(service: Service) -> Route:
    """The endpoint of one server."""

    async def models(request: Request) -> JSONResponse:
        model = {"id": service.engine.model_name, "object": "model", "created": service.begun, "owned_by": "goassist"}
        return JSONResponse({"object": "list", "data": [model]})

    return Route("/v1/models", models, methods=["GET"])
