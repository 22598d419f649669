"""Serves one client from its first byte to the process's exit status, over the standard streams or TCP."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

from goassist_lsp.server.framing import BadMessage, frame, read_message
from goassist_lsp.server.notices import ClientLog, log_to_stderr
from goassist_lsp.server.server import GoassistServer
from goassist_lsp.server.session import MakeAssistant
from goassist_lsp.server.transport import FLUSH_S, StreamWriter, ThreadedWriter, claim_standard_streams, read_in_thread

if TYPE_CHECKING:
    from goassist_lsp.app import Assistant
    from goassist_lsp.settings import Settings

_log = logging.getLogger(__name__)

# The client left without `exit`, or we could not listen at all.
STATUS_CLIENT_GONE = 1
STATUS_UNUSABLE = 2


class _FramedWriter:
    """What pygls writes to: it hands over whole messages as text bytes, headers are ours."""

    def __init__(self, stream: ThreadedWriter | StreamWriter) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        self._stream.write(frame(data))

    def close(self) -> None:
        self._stream.close()


async def serve(
    reader: asyncio.StreamReader,
    writer: ThreadedWriter | StreamWriter,
    make_assistant: MakeAssistant,
    client_gone: asyncio.Event,
) -> int:
    """Serve one client until it says `exit` or is gone; returns the exit status. The assistant is ended by then."""
    loop = asyncio.get_running_loop()
    server = GoassistServer(make_assistant)
    server.protocol.set_writer(_FramedWriter(writer), include_headers=False)
    status: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not status.done():
            status.set_result(code)

    def end_from_thread(code: int) -> None:
        loop.call_soon_threadsafe(end, code)

    server.protocol.on_exit = end_from_thread
    client_log = ClientLog(server)
    logging.getLogger().addHandler(client_log)
    reading = asyncio.create_task(_read(reader, server))
    gone = asyncio.create_task(client_gone.wait())
    try:
        ends: set[asyncio.Future[Any]] = {reading, gone, status}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        # An `exit` as the last message sets the status while the stream's end is being read.
        await asyncio.sleep(0)
        if status.done():
            return status.result()
        return 0 if server.protocol.shutdown_asked else STATUS_CLIENT_GONE
    finally:
        reading.cancel()
        gone.cancel()
        await server.session.close()
        logging.getLogger().removeHandler(client_log)
        server.protocol.on_exit = None
        writer.close()


async def _read(reader: asyncio.StreamReader, server: GoassistServer) -> None:
    while True:
        try:
            message = await read_message(reader)
        except BadMessage as error:
            server.protocol.refuse_unreadable(str(error))
            continue
        if message is None:
            return
        try:
            server.protocol.receive(message)
        except Exception:  # whatever the message did, the next one is to be read
            _log.exception("a message could not be handled")
        # A handler is a task; it takes its snapshot in its first step. Let it, before the next message changes
        # the document: a message that is in the buffer already is read without giving way.
        await asyncio.sleep(0)


def serve_stdio(make_assistant: MakeAssistant | None = None) -> int:
    """Serve the client on standard input and output; returns the exit status."""
    source, sink = claim_standard_streams()
    log_to_stderr()

    async def run() -> int:
        loop = asyncio.get_running_loop()
        client_gone = asyncio.Event()
        _end_on_signals(loop, client_gone)
        writer = ThreadedWriter(sink, lambda: _set_from_thread(loop, client_gone))
        return await serve(read_in_thread(source, loop), writer, make_assistant or _assistant, client_gone)

    return asyncio.run(run())


def serve_tcp(port: int, host: str, make_assistant: MakeAssistant | None = None) -> int:
    """Serve the first client that connects; returns the exit status, 2 when the port cannot be had."""
    log_to_stderr()

    async def run() -> int:
        loop = asyncio.get_running_loop()
        client_gone = asyncio.Event()
        _end_on_signals(loop, client_gone)
        connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = loop.create_future()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if connected.done():
                writer.close()  # one client a server: its documents are its own
            else:
                connected.set_result((reader, writer))

        try:
            listener = await asyncio.start_server(accept, host, port)
        except (OSError, OverflowError) as error:
            print(f"error: cannot listen on {host}:{port}: {error}. Choose another port.", file=sys.stderr)
            return STATUS_UNUSABLE
        print(f"listening on {host}:{listener.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
        async with listener:
            waiting = asyncio.create_task(client_gone.wait())
            ends: set[asyncio.Future[Any]] = {connected, waiting}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not connected.done():
                return STATUS_CLIENT_GONE
            reader, stream = connected.result()
            try:
                return await serve(reader, StreamWriter(stream, loop), make_assistant or _assistant, client_gone)
            finally:
                await _flushed(stream)

    return asyncio.run(run())


def _assistant(settings: Settings) -> Assistant:
    from goassist_lsp.app import Assistant

    return Assistant(settings)


async def _flushed(stream: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(FLUSH_S):
            await stream.wait_closed()
    except (TimeoutError, OSError) as error:
        _log.info("the client did not take our last words: %s", error)


def _end_on_signals(loop: asyncio.AbstractEventLoop, client_gone: asyncio.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, client_gone.set)
        except NotImplementedError:  # Windows: the default handlers end the process
            return


def _set_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(event.set)
    except RuntimeError:  # the loop has ended by itself
        return
