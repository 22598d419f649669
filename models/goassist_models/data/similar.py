"""How alike two functions are: runs of their tokens with names and literals made alike, and MinHash signatures of them.

Broder, "On the resemblance and containment of documents" (1997). Parts of dedup.py. Names of locals, parameters and
functions are one token, so that renaming does not hide a copy; names of members and types stay, or else all short
functions would be one. Strings and numbers are one token each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tree_sitter import Node

from goassist_index.syntax import tokens

if TYPE_CHECKING:
    from datasketch import MinHash

PERMUTATIONS, SCHEME = 128, "affine32"
RUN_TOKENS = 5
# Below this nothing but the same tokens is a copy: a single exchanged one changes most runs.
MIN_TOKENS = 40
_ALIKE = {
    "identifier": b"N",
    "package_identifier": b"N",
    "interpreted_string_literal": b"S",
    "raw_string_literal": b"S",
    "rune_literal": b"R",
    "int_literal": b"0",
    "float_literal": b"0",
    "imaginary_literal": b"0",
}


def normalised(function: Node, source: bytes) -> list[bytes]:
    """A function's tokens from its name on, comments left out."""
    found = []
    for token in tokens(function):
        text = source[token.start_byte : token.end_byte]
        if token.type != "comment" and text.strip():
            declared = token.parent is not None and token.parent.id == function.id and token.type == "field_identifier"
            found.append(b"N" if declared else _ALIKE.get(token.type, text))
    return found


def digest(normal: Sequence[bytes]) -> str:
    """What two functions share that are the same but for names, literals, layout and comments: 32 hex digits."""
    return hashlib.sha256(b"\0".join(normal)).hexdigest()[:32]


def runs(normal: Sequence[bytes]) -> frozenset[bytes]:
    """Runs of RUN_TOKENS tokens."""
    return frozenset(b"\0".join(normal[at : at + RUN_TOKENS]) for at in range(max(1, len(normal) - RUN_TOKENS + 1)))


def signature(normal: Sequence[bytes]) -> MinHash:
    """MinHash of a function's runs; the same on every machine."""
    from datasketch import MinHash

    made = MinHash(num_perm=PERMUTATIONS, seed=1, scheme=SCHEME)
    made.update_batch(sorted(runs(normal)))
    return made
