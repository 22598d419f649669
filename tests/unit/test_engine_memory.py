"""Claims about what is held of memory: pages that are not used go, data stays; many short texts take little."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_models.engine.healing import HealTable
from goassist_models.engine.memory import give_back, hold_less, let_go_of_pages
from goassist_models.engine.walk import Pieces

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which pages are held")


def resident_kib(path: Path) -> int:
    """KiB of this file that are in this process."""
    held, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            held += int(line.split()[1])
    return held


@linux
def test_pages_of_a_mapped_file_go_and_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    data = bytes(range(256)) * 16_384
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as held:
        assert held[:] == data
        assert resident_kib(path) == len(data) // 1024
        let_go_of_pages(path)
        assert resident_kib(path) == 0
        assert held[:] == data


@linux
def test_only_whole_pages_of_what_is_named_go(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    data, page = bytes(range(256)) * 4_096, mmap.PAGESIZE
    path.write_bytes(data)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as held:
        assert held[:] == data
        let_go_of_pages(path, page + 1, 9 * page - 1)
        assert resident_kib(path) == (len(data) - 6 * page) // 1024
        let_go_of_pages(path, page + 1, 2 * page - 1)
        assert resident_kib(path) == (len(data) - 6 * page) // 1024
        assert held[:] == data


@linux
def test_what_was_written_to_a_mapped_file_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(1 << 16))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as held:
        held[:4] = b"mine"
        let_go_of_pages(path)
        assert held[:4] == b"mine"


@linux
def test_long_blocks_that_were_freed_are_given_back() -> None:
    hold_less()
    give_back()
    before = int(Path("/proc/self/statm").read_text().split()[1])
    blocks = [bytearray(200_000) for _ in range(200)]
    del blocks
    after = int(Path("/proc/self/statm").read_text().split()[1])
    assert (after - before) * 4096 < 10_000_000


@given(st.lists(st.binary(max_size=4)))
def test_pieces_are_what_was_put_in(pieces: list[bytes]) -> None:
    held = Pieces.of(pieces)
    assert list(held) == pieces
    assert held[1:3] == pieces[1:3]
    with pytest.raises(IndexError):
        held[len(pieces)]


@given(st.lists(st.binary(min_size=1, max_size=3), unique=True), st.binary(min_size=1, max_size=3))
def test_a_tie_finds_among_pieces_what_agrees_with_it(pieces: list[bytes], tie: bytes) -> None:
    found = HealTable(Pieces.of(pieces), frozenset()).allowed(tie)
    agreeing = [n for n, piece in enumerate(pieces) if piece.startswith(tie) or tie.startswith(piece)]
    assert sorted(found) == agreeing
