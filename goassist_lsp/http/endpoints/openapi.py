"""`GET /openapi.json` and `GET /docs`: the API's description, for programs and for people."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from goassist_lsp.http.openapi import description, page


def routes() -> list[Route]:
    """The endpoints of any server."""
    described, shown = description(), page()

    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse(described)

    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(shown)

    return [Route("/openapi.json", openapi, methods=["GET"]), Route("/docs", docs, methods=["GET"])]
