"""Byte streams to the client: standard input and output kept apart from what native libraries print, and TCP.

Reading and writing the standard streams happen in threads of their own, so that a client that stops reading cannot
stop the event loop, and an exit never waits for a read that blocks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)

_READ_BYTES = 1 << 16
FLUSH_S = 2.0


def claim_standard_streams() -> tuple[int, int]:
    """Take standard input and output for the protocol: returns file descriptors of both.

    From here on file descriptor 1 is standard error, so that a `print` of a native library or a child cannot
    corrupt the protocol, and 0 is empty, so that no child eats the client's messages.
    """
    sys.stdout.flush()
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


def read_in_thread(source: int, loop: asyncio.AbstractEventLoop) -> asyncio.StreamReader:
    """A stream reader fed from a file descriptor until its end."""
    reader = asyncio.StreamReader(loop=loop)

    def feed() -> None:
        while True:
            try:
                data = os.read(source, _READ_BYTES)
            except OSError as error:
                _log.warning("cannot read from the client: %s", error)
                data = b""
            try:
                if not data:
                    loop.call_soon_threadsafe(reader.feed_eof)
                    return
                loop.call_soon_threadsafe(reader.feed_data, data)
            except RuntimeError:  # the loop has ended: nobody listens any more
                return

    threading.Thread(target=feed, name="client-reader", daemon=True).start()
    return reader


class ThreadedWriter:
    """Writes to a file descriptor in order, from a thread; `on_broken` is called once when the client is gone."""

    def __init__(self, sink: int, on_broken: Callable[[], None]) -> None:
        self._sink = sink
        self._on_broken = on_broken
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._drain, name="client-writer", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Queue bytes; never blocks, callable from any thread."""
        self._waiting.put(data)

    def close(self) -> None:
        """Write what is queued, then stop; gives up on a client that does not read."""
        self._waiting.put(None)
        self._thread.join(FLUSH_S)

    def _drain(self) -> None:
        while (data := self._waiting.get()) is not None:
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(self._sink, view) :]
            except OSError as error:
                _log.info("cannot write to the client: %s", error)
                self._on_broken()
                return


class StreamWriter:
    """The same interface over an asyncio stream, callable from any thread."""

    def __init__(self, writer: asyncio.StreamWriter, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = writer
        self._loop = loop

    def write(self, data: bytes) -> None:
        """Queue bytes; never blocks."""
        self._loop.call_soon_threadsafe(self._write, data)

    def close(self) -> None:
        """Send what is queued, then close."""
        self._loop.call_soon_threadsafe(self._writer.close)

    def _write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)
