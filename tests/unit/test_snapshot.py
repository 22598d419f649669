"""Open documents: edits as the client makes them, and which documents are ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position, Range, TextDocumentContentChangePartial, TextDocumentContentChangeWholeDocument

from goassist_lsp.server.positions import Encoding, LineIndex
from goassist_lsp.server.snapshot import Document, Documents, take

pieces = st.sampled_from(["\n", "\r\n", "\f", "\t", "a", "é", "世", "😀", "}"])
texts = st.lists(pieces, max_size=20).map("".join)


def partial(line: int, start: int, end: int, text: str) -> TextDocumentContentChangePartial:
    return TextDocumentContentChangePartial(range=Range(Position(line, start), Position(line, end)), text=text)


@given(texts, st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.data())
def test_incremental_edits_give_what_the_editor_has(text: str, encoding: Encoding, data: st.DataObject) -> None:
    document = Document("file:///a.go", 1, text, encoding)
    for version in range(2, 5):
        places = [p for p in range(len(text) + 1) if text[p - 1 : p + 1] != "\r\n"]
        start, end = sorted(data.draw(st.tuples(st.sampled_from(places), st.sampled_from(places))))
        new = data.draw(texts)
        span = LineIndex(text, encoding).range_at(start, end)
        document = document.changed([TextDocumentContentChangePartial(range=span, text=new)], version)
        text = text[:start] + new + text[end:]
        assert (document.text, document.version) == (text, version)


def test_each_change_of_one_notification_counts_on_what_the_one_before_left() -> None:
    document = Document("file:///a.go", 1, "ab\ncd\n", "utf-16")
    changed = document.changed([partial(0, 2, 2, "\nx😀"), partial(1, 3, 3, "y"), partial(2, 0, 1, "")], 2)
    assert changed.text == "ab\nx😀y\nd\n"


def test_a_change_without_a_range_replaces_everything() -> None:
    document = Document("file:///a.go", 1, "old", "utf-16")
    assert document.changed([TextDocumentContentChangeWholeDocument("new")], 2).text == "new"


def test_a_range_past_the_end_edits_at_the_end() -> None:
    document = Document("file:///a.go", 1, "a\n", "utf-8")
    assert document.changed([partial(9, 9, 12, "b")], 2).text == "a\nb"


def test_a_range_given_backwards_inserts_at_its_start() -> None:
    document = Document("file:///a.go", 1, "abcd", "utf-8")
    assert document.changed([partial(0, 3, 1, "-")], 2).text == "abc-d"


def test_a_snapshot_keeps_its_text_when_the_document_goes_on() -> None:
    documents = Documents()
    old = documents.open("file:///a%20b.go", 1, "one")
    snapshot = take(old)
    new = documents.change("file:///a b.go", 2, [TextDocumentContentChangeWholeDocument("two")])
    assert (snapshot.text, snapshot.version, str(snapshot.path)) == ("one", 1, "/a b.go")
    assert new is not None and documents.is_current(new) and not documents.is_current(old)


def test_a_change_of_a_document_that_is_not_open_changes_nothing() -> None:
    documents = Documents()
    assert documents.change("file:///a.go", 2, [TextDocumentContentChangeWholeDocument("x")]) is None
    assert len(documents) == 0


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("file:///dir%20with%20space/a.go", None),
        ("untitled:Untitled-1", "not a file: untitled document"),
        ("git:/repo/a.go?x", "not a file: git document"),
        ("file:///go.mod", "not a Go file"),
        ("file:///a.gotmpl", "not a Go file"),
    ],
)
def test_only_go_files_are_ours(uri: str, reason: str | None) -> None:
    assert Document(uri, 1, "", "utf-16").skip_reason == reason
