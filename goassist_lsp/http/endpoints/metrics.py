"""`GET /metrics`: figures for Prometheus."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from goassist_lsp.http.service import Service


def route(service: Service) -> Route:
    """The endpoint of one server."""

    async def metrics(request: Request) -> Response:
        service.metrics.running.set(service.admission.running)
        service.metrics.waiting.set(service.admission.waiting)
        return Response(service.metrics.exposition(), media_type=service.metrics.content_type)

    return Route("/metrics", metrics, methods=["GET"])
