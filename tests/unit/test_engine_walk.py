"""The walk over a vocabulary, and its copy in the cache: the same with and without, made anew where it is damaged."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.cachedir import ENVIRONMENT_NAME
from goassist_models.engine.healing import HealTable
from goassist_models.engine.walk import Pieces, Walk, sorted_ids, walk

_PIECES = [b"b", b"", b"a", b"ab", b"\xff", b"x" * 700]
_ATTRIBUTES = [4, 8, 4, 4, 32, 1]


class _Library:
    """As much of llama_cpp as a walk uses; counts the tokens that it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def llama_vocab_n_tokens(self, vocab: object) -> int:
        return len(_PIECES)

    def llama_token_to_piece(
        self, vocab: object, token: int, buffer: ctypes.Array[ctypes.c_char], room: int, strip: int, special: bool
    ) -> int:
        self.asked += 1
        piece = _PIECES[token]
        if len(piece) > room:
            return -len(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def llama_vocab_get_attr(self, vocab: object, token: int) -> int:
        return _ATTRIBUTES[token]

    def llama_vocab_is_eog(self, vocab: object, token: int) -> bool:
        return token == 1


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENVIRONMENT_NAME, str(tmp_path))
    return tmp_path


def _right(found: Walk) -> bool:
    return (
        list(found.pieces) == _PIECES
        and found.attributes.tolist() == _ATTRIBUTES
        and found.ends.tolist() == [False, True, False, False, False, False]
        and found.order.tolist() == [2, 3, 0, 5, 4]
    )


def test_a_second_start_walks_over_no_token(cache: Path) -> None:
    library = _Library()
    assert _right(walk(library, None, "model and build"))
    asked = library.asked
    assert asked == len(_PIECES) + 1  # the long one twice
    assert _right(walk(library, None, "model and build"))
    assert library.asked == asked


def test_another_file_or_build_is_walked_over(cache: Path) -> None:
    library = _Library()
    walk(library, None, "one")
    asked = library.asked
    assert _right(walk(library, None, "another"))
    assert library.asked == 2 * asked


def test_without_a_key_nothing_is_kept(cache: Path) -> None:
    assert _right(walk(_Library(), None))
    assert list(cache.rglob("*.npz")) == []


@pytest.mark.parametrize("damage", ["cut", "one bit", "other file", "empty", "other size"])
def test_a_damaged_copy_is_made_anew(cache: Path, damage: str) -> None:
    walk(_Library(), None, "key")
    (file,) = cache.rglob("*.npz")
    whole = file.read_bytes()
    at = whole.index(b"x" * 700) + 300
    with file.open("r+b") as sink:
        if damage == "cut":
            sink.truncate(len(whole) // 2)
        elif damage == "one bit":
            sink.seek(at)
            sink.write(b"y")
        elif damage == "other size":
            kept = {name: value for name, value in np.load(file).items()}
            kept["attributes"] = kept["attributes"][:-1]
            np.savez(sink, **kept)
        else:
            sink.truncate(0)
            sink.write(b"something else" if damage == "other file" else b"")
    library = _Library()
    assert _right(walk(library, None, "key"))
    assert library.asked
    again = _Library()
    assert _right(walk(again, None, "key"))
    assert not again.asked


def test_a_cache_that_cannot_be_written_costs_only_the_walk(cache: Path) -> None:
    (cache / "vocabularies").write_text("in the way")
    assert _right(walk(_Library(), None, "key"))


def test_of_many_models_the_latest_are_kept(cache: Path) -> None:
    for number in range(12):
        walk(_Library(), None, f"model {number}")
    library = _Library()
    walk(library, None, "model 11")
    assert not library.asked
    assert len(list(cache.rglob("*.npz"))) == 8


@given(st.lists(st.binary(max_size=3)), st.sets(st.integers(0, 20)), st.binary(min_size=1, max_size=3))
def test_a_tie_finds_the_same_by_a_known_order(pieces: list[bytes], barred: set[int], tie: bytes) -> None:
    table = HealTable(Pieces.of(pieces), frozenset(barred), sorted_ids(pieces))
    agreeing = [
        token
        for token, piece in enumerate(pieces)
        if piece and token not in barred and (piece.startswith(tie) or tie.startswith(piece))
    ]
    assert sorted(table.allowed(tie).tolist()) == agreeing
