"""Messages on a byte stream: `Content-Length` headers and JSON bodies, read so that garbage does not end the stream.

pygls's own loop drops a broken request without an answer and waits for ever behind a wrong header; this one does not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

_log = logging.getLogger(__name__)

# A body longer than this is skipped, not held in memory. Documents of 5 MB are allowed for many times over.
MAX_BODY_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1 << 20

# Searched, not matched: what a wrong length left of the message before may stand on the same line.
_CONTENT_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,18})\s*$", re.IGNORECASE)


class BadMessage(Exception):
    """A message that could be read off the stream but is not JSON, or too long. The stream itself goes on."""


async def read_message(reader: asyncio.StreamReader) -> Any:
    """The next message's JSON value, or None at the end of the stream.

    Lines that are no header are skipped. Raises BadMessage for a body that is not JSON.
    """
    length = await _read_header(reader)
    if length is None:
        return None
    if length > MAX_BODY_BYTES:
        if not await _skip(reader, length):
            return None
        raise BadMessage(f"a message of {length} bytes is longer than {MAX_BODY_BYTES}")
    try:
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"a message of {length} bytes is not JSON: {error}") from error


def frame(body: bytes) -> bytes:
    """A message's JSON bytes with their header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def _read_header(reader: asyncio.StreamReader) -> int | None:
    """The body's length in bytes from the next header block, or None at the end of the stream."""
    length = None
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError as error:
            _log.warning("skipped %d bytes that are no header", error.consumed)
            await reader.readexactly(error.consumed)
            continue
        header = _CONTENT_LENGTH.search(line)
        if header is not None:
            length = int(header[1])
        elif not line.strip():
            if length is not None:
                return length
        elif b":" not in line:
            _log.warning("skipped a line that is no header: %r", line[:80])


async def _skip(reader: asyncio.StreamReader, length: int) -> bool:
    while length:
        chunk = await reader.read(min(length, _CHUNK_BYTES))
        if not chunk:
            return False
        length -= len(chunk)
    return True
