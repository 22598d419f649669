"""`GET /healthz`: the process answers. Whether its model does: /readyz."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def route() -> Route:
    """The endpoint of any server."""

    async def healthz(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Route("/healthz", healthz, methods=["GET"])
