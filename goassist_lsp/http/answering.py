"""An answer's way out: wait for its turn, have it made, send it whole or piece by piece, end it when nobody listens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from goassist_lsp.http.errors import ApiError, api_error
from goassist_lsp.http.pieces import Piece
from goassist_lsp.http.replies import Shape, Usage, joined
from goassist_lsp.http.schema import Sampling
from goassist_lsp.http.service import Service
from goassist_models.engine import CancelToken

Pieces = Callable[[CancelToken], AsyncGenerator[Piece]]


class Answer:
    """A response: what `pieces` make, in the `shape` of an endpoint. Called as an ASGI application."""

    def __init__(self, service: Service, asked: Sampling, pieces: Pieces, shape: Shape) -> None:
        self._service = service
        self._asked = asked
        self._pieces = pieces
        self._shape = shape
        self._begun_s = time.perf_counter()
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless the client leaves before. Raises ApiError and others before anything has been sent."""
        cancel, told = CancelToken(), scope["state"]["told"]
        work = asyncio.create_task(self._in_turn(scope, send, cancel))
        gone = asyncio.create_task(_left(receive))
        ending = asyncio.create_task(self._service.ending.wait())
        try:
            await asyncio.wait({work, gone, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            unfinished, hung_up = not work.done(), gone.done()
            cancel.cancel()
            for task in (work, gone, ending):
                task.cancel()
            await asyncio.gather(work, gone, ending, return_exceptions=True)
        if not unfinished:
            work.result()
        elif hung_up:
            self._service.metrics.hung_up.inc()
            told["hung_up"] = True
        else:
            stopping = ApiError(503, "the server stops", kind="server_error", code="stopping")
            if not self._started:
                raise stopping
            await self._end_with(stopping, send, told)

    async def _in_turn(self, scope: Scope, send: Send, cancel: CancelToken) -> None:
        try:
            async with asyncio.timeout(self._service.limits.answer_s):
                async with self._service.admission.turn(scope["state"]["client"]):
                    usage = Usage(self._asked.n)
                    send_all = self._streamed if self._asked.stream else self._whole
                    async with aclosing(self._counted(cancel, usage, scope["state"]["told"])) as pieces:
                        await send_all(scope, send, pieces, usage)
        except Exception as error:
            if not self._started:
                raise
            await self._end_with(api_error(error), send, scope["state"]["told"])

    async def _end_with(self, error: ApiError, send: Send, told: dict[str, Any]) -> None:
        """End a stream with an error: its status has been sent."""
        told["error"] = error.code
        await _event(send, error.as_json())
        await send({"type": "http.response.body", "body": b""})

    async def _counted(self, cancel: CancelToken, usage: Usage, told: dict[str, Any]) -> AsyncGenerator[Piece]:
        """The pieces, and figures of them."""
        metrics = self._service.metrics
        first = True
        async with aclosing(self._pieces(cancel)) as pieces:
            async for piece in pieces:
                if first and piece.text:
                    metrics.first_text.observe(time.perf_counter() - self._begun_s)
                    first = False
                usage.count(piece)
                if piece.report is not None:
                    metrics.verdicts.labels(piece.report.verdict).inc()
                    told["verdict"] = piece.report.verdict
                    if piece.report.tests is not None:
                        metrics.tests.labels(piece.report.tests.status).inc()
                yield piece
        metrics.tokens.labels("prompt").inc(usage.prompt_tokens)
        metrics.tokens.labels("generated").inc(usage.completion_tokens)
        told.update(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)

    async def _whole(self, scope: Scope, send: Send, pieces: AsyncIterator[Piece], usage: Usage) -> None:
        parts = [piece async for piece in pieces]
        response = JSONResponse(self._shape.whole(joined(parts), usage))
        self._started = True
        await response(scope, _never, send)

    async def _streamed(self, scope: Scope, send: Send, pieces: AsyncIterator[Piece], usage: Usage) -> None:
        async for piece in pieces:
            # The status is sent with the first piece: until then an error has one of its own.
            if not self._started:
                await self._start(send)
            for event in self._shape.events(piece):
                await _event(send, event)
        if not self._started:
            await self._start(send)
        if self._asked.wants_usage:
            await _event(send, self._shape.usage_event(usage))
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _start(self, send: Send) -> None:
        self._started = True
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _event(send: Send, value: dict[str, Any]) -> None:
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})


async def _left(receive: Receive) -> None:
    """Return when the client has gone. Its body has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _never() -> Any:
    raise AssertionError("nothing is to be received any more")
