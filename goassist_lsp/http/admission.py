"""Who may come in: so many requests at once, a bounded queue in which clients take turns, limits for each client."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from goassist_lsp.http.errors import ApiError

_MINUTE_S = 60.0
# Of the mean time that a request holds its place: how much the latest one counts.
_LATEST = 0.2
_MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: a key's name, or an address. So many requests are allowed at once and a minute; 0: any number."""

    name: str
    at_once: int = 0
    per_minute: int = 0


@dataclass(slots=True)
class _Standing:
    """What a client has under way, waiting or running, and when its last requests came."""

    under_way: int = 0
    came_s: deque[float] = field(default_factory=deque)


class Admission:
    """Lets `at_once` requests in; `waiting` more wait, clients in turn and each one's in order. Others are refused."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free = at_once
        self._at_once = at_once
        self._most_waiting = waiting
        # Clients that wait, whose turn is next at the beginning.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._standing: dict[str, _Standing] = {}
        self._mean_s = 1.0

    @property
    def running(self) -> int:
        """Requests that were let in and are not done."""
        return self._at_once - self._free

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return sum(not turn.done() for queue in self._queues.values() for turn in queue)

    @asynccontextmanager
    async def turn(self, client: Client) -> AsyncIterator[None]:
        """Wait for one's turn and hold it. Raises ApiError 429, with Retry-After, for what is over a limit."""
        standing = self._counted(client)
        try:
            await self._come_in(client.name)
            begun_s = time.monotonic()
            try:
                yield
            finally:
                self._mean_s += _LATEST * (time.monotonic() - begun_s - self._mean_s)
                self._next()
        finally:
            standing.under_way -= 1

    def _counted(self, client: Client) -> _Standing:
        now_s = time.monotonic()
        if client.name not in self._standing and len(self._standing) >= _MOST_CLIENTS:
            self._forget_idle(now_s)
        standing = self._standing.setdefault(client.name, _Standing())
        while standing.came_s and now_s - standing.came_s[0] >= _MINUTE_S:
            standing.came_s.popleft()
        if client.per_minute and len(standing.came_s) >= client.per_minute:
            wait_s = standing.came_s[0] + _MINUTE_S - now_s
            raise _refusal(
                f"more than {client.per_minute} requests a minute with this key", "rate_limit_exceeded", wait_s
            )
        if client.at_once and standing.under_way >= client.at_once:
            raise _refusal(
                f"more than {client.at_once} requests at once with this key", "too_many_at_once", self._mean_s
            )
        if not self._free and self.waiting >= self._most_waiting:
            wait_s = self._mean_s * (1 + self.waiting / self._at_once)
            raise _refusal(f"{self.waiting} requests are waiting already", "queue_full", wait_s)
        if client.per_minute:
            standing.came_s.append(now_s)
        standing.under_way += 1
        return standing

    def _forget_idle(self, now_s: float) -> None:
        for name, standing in list(self._standing.items()):
            late = not standing.came_s or now_s - standing.came_s[-1] >= _MINUTE_S
            if not standing.under_way and late:
                del self._standing[name]

    async def _come_in(self, name: str) -> None:
        if self._free and not self._queues:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(name, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()  # it was this one's turn just now
            raise

    def _next(self) -> None:
        """Give a place that became free to the client whose turn it is; who has gone meanwhile is passed over."""
        while self._queues:
            name, queue = next(iter(self._queues.items()))
            turn = queue.popleft()
            self._queues.move_to_end(name)
            if not queue:
                del self._queues[name]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _refusal(message: str, code: str, wait_s: float) -> ApiError:
    retry = {"Retry-After": str(max(1, math.ceil(wait_s)))}
    return ApiError(429, message, kind="rate_limit_error", code=code, headers=retry)
