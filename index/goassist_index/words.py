"""Words of Go code for lexical search: identifiers whole and in pieces, in lower case.

Postings (postings.py) and queries (search.py) go through the same function, so that they agree by construction.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import chain

from goassist_index.scan import KEYWORDS

# Stored postings are made anew when this or Python's own table of letters changes.
WORDS_VERSION = f"1/{unicodedata.unidata_version}"

# Longer runs are encoded data, not names.
MAX_WORD_CHARS = 64
# English words that say nothing in comments and questions, and Go's keywords.
_FILLER = """
a an and any are as at be been but by can could did do does each had has have he her his how i in into is it its may
might more must no nor not of on one only or our out over own per shall she should so some such than that the their
them then there these they this those to too until up upon us use used uses was we were what when where whether which
while who why will with would you your from nil true false err error ctx string int bool
"""
STOP_WORDS = KEYWORDS | frozenset(_FILLER.split())
_RUN = re.compile(r"\w+")
_PIECE = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_PART = re.compile(r"[^\W\d_]+|\d+")


def words(text: str) -> list[str]:
    """The words of `text` in order: each name whole, then its pieces where it has several.

    `ParseHTTPHeader2` gives `parsehttpheader2`, `pars`, `http`, `header`, `2`. Keywords and English filler are left
    out, endings of pieces are cut (`stem`), so that "parses durations" meets `ParseDuration`.
    """
    return list(chain.from_iterable(map(_of_run, _RUN.findall(text))))


@lru_cache(maxsize=1 << 16)
def _of_run(run: str) -> tuple[str, ...]:
    if len(run) > MAX_WORD_CHARS:
        return ()
    whole = run.lower()
    if whole in STOP_WORDS:
        return ()
    # Capitals of other alphabets are not known to the expression: there only digits and underscores part a name.
    pieces = [piece.lower() for piece in (_PIECE if run.isascii() else _PART).findall(run)]
    stems = [stem(piece) for piece in pieces if piece not in STOP_WORDS]
    return tuple(stems) if len(pieces) <= 1 else (whole.strip("_"), *stems)


def stem(word: str) -> str:
    """An English word without the endings that doc comments and names differ in: plurals, -ed, -ing, a final e."""
    if len(word) < 3 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            # "dropping" as "drop", but "calling" as "call".
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
