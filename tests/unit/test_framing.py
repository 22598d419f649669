"""Messages on a byte stream: whatever comes, the next good message is found."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.server import framing
from goassist_lsp.server.framing import BadMessage, frame, read_message


def read_all(data: bytes) -> list[object]:
    """Every message in `data`, BadMessage for each that cannot be read."""

    async def run() -> list[object]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        found: list[object] = []
        while True:
            try:
                message = await read_message(reader)
            except BadMessage:
                found.append(BadMessage)
                continue
            if message is None:
                return found
            found.append(message)

    return asyncio.run(run())


def framed(value: object) -> bytes:
    return frame(json.dumps(value).encode())


@given(st.lists(st.dictionaries(st.text(), st.integers()), max_size=5))
def test_messages_come_out_as_they_went_in(values: list[dict[str, int]]) -> None:
    assert read_all(b"".join(map(framed, values))) == values


@given(st.binary(max_size=60).filter(lambda garbage: b"ength" not in garbage.lower()))
def test_a_good_message_is_found_behind_any_garbage(garbage: bytes) -> None:
    assert read_all(garbage + b"\n" + framed([1])) == [[1]]


def test_a_body_that_is_no_json_does_not_end_the_stream() -> None:
    assert read_all(frame(b"{oops") + framed({"a": 1})) == [BadMessage, {"a": 1}]


def test_a_length_that_is_too_short_costs_one_message_only() -> None:
    body = b'{"a": {"b": 1}}'
    assert read_all(b"Content-Length: 5\r\n\r\n" + body + framed({"c": 2})) == [BadMessage, {"c": 2}]


@pytest.mark.parametrize("header", [b"content-length:2\r\n\r\n", b"CONTENT-LENGTH:  2 \r\nX-Other: 3\r\n\r\n"])
def test_headers_are_read_in_any_case_and_company(header: bytes) -> None:
    assert read_all(header + b"{}") == [{}]


def test_a_header_without_a_number_is_passed_over() -> None:
    assert read_all(b"Content-Length: many\r\n\r\n" + framed([1])) == [[1]]


def test_nesting_that_python_cannot_read_is_a_bad_message() -> None:
    assert read_all(frame(b"[" * 200_000) + framed([1])) == [BadMessage, [1]]


def test_bytes_that_are_not_utf_8_are_a_bad_message() -> None:
    assert read_all(frame(b'{"a": "\xff\xfe"}') + framed([1])) == [BadMessage, [1]]


def test_a_message_longer_than_the_limit_is_skipped_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_BODY_BYTES", 10)
    assert read_all(framed("x" * 100) + framed([1])) == [BadMessage, [1]]


def test_a_stream_that_ends_inside_a_message_ends() -> None:
    assert read_all(framed([1]) + b"Content-Length: 50\r\n\r\n{") == [[1]]
