"""`POST /v1/embeddings`: vectors of an embedding model on this machine, or of a backend that has one."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from goassist_lsp.http.body import body_of
from goassist_lsp.http.errors import ApiError
from goassist_lsp.http.schema import EmbeddingsRequest, read
from goassist_lsp.http.service import Service


def route(service: Service) -> Route:
    """The endpoint of one server."""

    async def embeddings(request: Request) -> JSONResponse:
        asked = read(await body_of(request, service.limits), EmbeddingsRequest)
        if not asked.input:
            raise ApiError(400, "there is no input", param="input")
        if service.embed is None:
            raise ApiError(
                501,
                "this server has no embedding model; start it with --embeddings, or --backend at a server that has one",
                kind="server_error",
                code="no_embeddings",
            )
        body = {"input": asked.input, "encoding_format": asked.encoding_format}
        async with asyncio.timeout(service.limits.answer_s), service.admission.turn(request.state.client):
            return JSONResponse(await service.embed({**body, "model": asked.model} if asked.model else body))

    return Route("/v1/embeddings", embeddings, methods=["POST"])
