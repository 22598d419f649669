"""Work that an event loop has a thread do: what is queued, and how its outcome gets back. Used by the llama engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(slots=True)
class Job(Generic[_T]):
    """`work` to be done by a thread, for a `future` of `loop`."""

    work: Callable[[], _T]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[_T]


def settle(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    *,
    result: Any = None,
    error: BaseException | None = None,
) -> None:
    """Set a future's outcome from another thread; a loop or future that is gone wants none."""

    def set_it() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    try:
        loop.call_soon_threadsafe(set_it)
    except RuntimeError:
        _log.debug("an answer came after its event loop was closed")
