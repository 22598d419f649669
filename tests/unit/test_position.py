"""Claims about goassist_lsp.cli.position: `file.go:LINE:COL` with columns in bytes, as Go prints them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.errors import SourceError
from goassist_lsp.cli.position import offset_of, offset_of_byte, read_position, read_snapshot
from support.places import snapshot

TEXTS = st.text(st.sampled_from("ab \té👋🏽\u2028") | st.just("\n"), max_size=60)


def go_position(text: str, offset: int) -> tuple[int, int]:
    """Line and column as Go's token.FileSet gives them."""
    before = text[:offset].encode()
    return before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1


@given(TEXTS, st.integers(0, 60), st.sampled_from(["\n", "\r\n"]))
def test_a_position_as_go_prints_it_leads_back_to_its_offset(text: str, at: int, line_end: str) -> None:
    text = text.replace("\n", line_end)
    offset = min(at, len(text))
    assert offset_of(snapshot(text), *go_position(text, offset)) == offset


@given(TEXTS, st.integers(0, 60))
def test_a_byte_offset_leads_back_to_its_code_point(text: str, at: int) -> None:
    offset = min(at, len(text))
    assert offset_of_byte(snapshot(text), len(text[:offset].encode())) == offset


@pytest.mark.parametrize(
    ("line", "col", "words"),
    [
        (0, 1, "line 0 does not exist"),
        (3, 1, "line 3 does not exist"),
        (1, 0, "column 0"),
        (1, 6, "column 6 does not exist"),
        (1, 2, "inside a character"),
    ],
)
def test_a_place_that_does_not_exist_is_named(line: int, col: int, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        offset_of(snapshot("éab\nc"), line, col)


@pytest.mark.parametrize(
    ("offset", "words"), [(-1, "offset -1"), (9, "offset 9 does not exist"), (1, "inside a character")]
)
def test_a_byte_offset_that_does_not_exist_is_named(offset: int, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        offset_of_byte(snapshot("éab\nc"), offset)


def test_a_path_may_hold_colons_and_spaces(tmp_path: Path) -> None:
    file = tmp_path / "a b:c.go"
    file.write_text("package p\n")
    read, offset = read_position(f"{file}:1:9")
    assert (read.text, offset, read.path) == ("package p\n", 8, file.resolve())


@pytest.mark.parametrize("text", ["main.go", "main.go:1", "main.go:a:b", "main.go:1:-1", ""])
def test_what_is_no_position_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SourceError, match=r"main\.go:12:5"):
        read_position(text)


def test_a_file_that_is_not_utf_8_is_refused_by_the_byte(tmp_path: Path) -> None:
    file = tmp_path / "a.go"
    file.write_bytes(b"package p // \xff\n")
    with pytest.raises(SourceError, match=r"not UTF-8 \(byte 13\)"):
        read_snapshot(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_snapshot(tmp_path / "none.go")


def test_line_ends_of_the_file_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.go"
    file.write_bytes(b"package p\r\nvar x int\r\n")
    assert read_snapshot(file).text == "package p\r\nvar x int\r\n"
