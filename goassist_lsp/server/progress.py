"""Work-done progress: one bar in the client for loading or indexing, if the client has such bars.

`report` may be called from any thread; a client without the capability sees nothing and costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pygls.lsp.server import LanguageServer

_log = logging.getLogger(__name__)

# A client that does not answer `create` gets no bar; loading does not wait for it.
_CREATE_TIMEOUT_S = 5.0


class ProgressBar:
    """One bar with a title, begun and ended by `async with`; the user can end the work if there is `on_cancel`."""

    def __init__(
        self, server: LanguageServer, token: str, title: str, on_cancel: Callable[[], None] | None = None
    ) -> None:
        self._on_cancel = on_cancel
        self._server = server
        self._token = token
        self._title = title
        self._loop = asyncio.get_running_loop()
        self._begun = self._over = False
        self._pending: tuple[str, int | None] | None = None
        self._creation: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ProgressBar:
        """Ask the client for the bar, without waiting for its answer."""
        window = self._server.client_capabilities.window
        if window is not None and window.work_done_progress:
            self._creation = asyncio.create_task(self._create())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Take the bar down; one that the client has not made yet as soon as it has, for the end is news to it."""
        self._over = True
        if self._creation is None or self._creation.done():
            self._end()

    def _end(self) -> None:
        if self._begun:
            self._server.work_done_progress.end(self._token, lsp.WorkDoneProgressEnd())
            self._begun = False
        self._server.work_done_progress.tokens.pop(self._token, None)

    def report(self, message: str, percent: int | None = None) -> None:
        """Show what is being done and, if known, how much of it (0 to 100). Callable from any thread."""
        self._loop.call_soon_threadsafe(self._report, message, percent)

    async def _create(self) -> None:
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT_S):
                await self._server.work_done_progress.create_async(self._token)
        except (TimeoutError, JsonRpcException) as error:
            _log.info("the client has no progress bar for us: %s", error)
            return
        self._server.work_done_progress.begin(
            self._token,
            lsp.WorkDoneProgressBegin(title=self._title, cancellable=self._on_cancel is not None, percentage=0),
        )
        self._server.work_done_progress.tokens[self._token].add_done_callback(self._cancelled)
        self._begun = True
        if self._pending is not None:
            self._report(*self._pending)
        if self._over:
            self._end()

    def _cancelled(self, future: Future[None]) -> None:
        if future.cancelled() and self._on_cancel is not None:
            self._loop.call_soon_threadsafe(self._on_cancel)

    def _report(self, message: str, percent: int | None) -> None:
        if not self._begun:
            self._pending = (message, percent)
            return
        percentage = None if percent is None else min(100, max(0, percent))
        report = lsp.WorkDoneProgressReport(message=message, percentage=percentage)
        self._server.work_done_progress.report(self._token, report)
