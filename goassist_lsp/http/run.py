"""Runs the server: listens, answers, and stops when told, in so many seconds, with what is under way answered."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from goassist_index.errors import ConfigError
from goassist_lsp.http.application import application
from goassist_lsp.http.service import Service

log = logging.getLogger(__name__)

_MOST_HEADER_BYTES = 32 * 1024
_BACKLOG = 1024
# What is ended at last is told so in this time.
_TELLING_S = 2.0


class _PatientProtocol(H11Protocol):
    """Closes connections whose request does not come to the end of its head in time; uvicorn waits for ever."""

    limit_s: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.limit_s, self._give_up)
        elif not waits and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would end the process with one before anything is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises ConfigError where that cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, connections are sent to without delay: asyncio asks, or each piece would wait 40 ms for the last.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"it cannot be listened at ({error.strerror})", path=f"{host}:{port}", cure="Give another --host or --port"
        ) from error
    listener.setblocking(False)
    return listener


async def serve(service: Service, listener: socket.socket, *, stop_s: float, ready: Callable[[], Any]) -> None:
    """Answer until SIGTERM or SIGINT; then what is under way has `stop_s` seconds. `ready` is called when all works.

    Everything that was started is ended by then.
    """
    config = uvicorn.Config(
        application(service),
        http=type("_Protocol", (_PatientProtocol,), {"limit_s": service.limits.sending_s}),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(stop_s + _TELLING_S),
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        ws="none",
    )
    server = _Server(config)

    loop = asyncio.get_running_loop()

    def stop() -> None:
        log.info("stopping: what is under way has %g s", stop_s)
        server.should_exit = True
        loop.call_later(stop_s, service.ending.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await service.start()
        ready()
        await server.serve(sockets=[listener])
    finally:
        await service.close()
