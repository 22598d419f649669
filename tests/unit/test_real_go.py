"""Claims about post-processing on real code: what people wrote passes untouched, what runs on is cut back to it.

Holes are taken from Go's own standard library, so their texts are as many-sided as Go is.
"""

import random
from collections import Counter

import pytest

from goassist_index.scan import tokens
from goassist_lsp import postprocess
from goassist_lsp.context.cursor import context_at
from goassist_lsp.context.trigger import skip_reason
from goassist_lsp.types import Rejected
from support.holes import Hole, holes
from support.places import candidate, snapshot

COUNT = 1_000
LEAST_UNTOUCHED = 0.99


def spoken_in(seed: int) -> list[Hole]:
    """Holes at which a suggestion is made at all."""
    return [
        hole
        for hole in holes(seed, COUNT)
        if skip_reason(hole.context().snapshot, hole.offset, requested=False) is None
    ]


def shown(hole: Hole, text: str) -> str:
    result = postprocess.apply(candidate(text, hole.context()), hole.context())
    return f"dropped by {result.reason}" if isinstance(result, Rejected) else result.insert_text.rstrip()


def known_fault(hole: Hole) -> str | None:
    """Why the filters are right, or cannot know better, where they change what was written; None: no excuse."""
    context, truth = hole.context(), hole.truth.strip()
    if all(line.strip().startswith(("//", "/*")) for line in truth.splitlines()):
        return "comments alone are not shown"
    if not context.multiline and list(tokens(truth))[-1].kind == "comment":
        return "a comment at a line's end is left to its author"
    if context.kind == "expression" and context.hole.due < len(context.closers) and "\n" in truth:
        return "a literal's last brace is said on a later line, before the rest of this one: `}()`"
    if context.hole.following[:1] == (truth.splitlines()[-1].strip(),):
        return "two like statements follow each other"
    return None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_people_wrote_passes_untouched(seed: int) -> None:
    tried = spoken_in(seed)
    changed = [hole for hole in tried if shown(hole, hole.truth) != hole.truth.rstrip()]
    unexplained = [str(hole) for hole in changed if known_fault(hole) is None]
    assert unexplained == []
    assert len(changed) <= (1 - LEAST_UNTOUCHED) * len(tried)
    assert min(Counter(hole.kind for hole in tried).values()) >= 25


@pytest.mark.parametrize("seed", [4, 5])
def test_the_text_that_follows_is_cut_off_a_line_or_expression(seed: int) -> None:
    tried = [hole for hole in spoken_in(seed) if hole.kind in ("line", "statement", "expression")]
    wrong = [
        str(hole)
        for hole in tried
        if shown(hole, hole.truth + hole.context().suffix[:200]) != hole.truth.rstrip() and known_fault(hole) is None
    ]
    assert wrong == []


def test_another_statement_is_cut_off_a_line_or_expression() -> None:
    tried = [hole for hole in spoken_in(6) if hole.kind in ("line", "statement", "expression")]
    # Where the line's own end leaves the statement open, any next line reads as its rest.
    tried = [hole for hole in tried if not hole.truth.rstrip().endswith(("&&", "||", "+", "|", "="))]
    tried = [hole for hole in tried if known_fault(hole) is None]
    more = "\n\tlog.Println(other)\n\treturn\n}\n"
    wrong = [str(hole) for hole in tried if shown(hole, hole.truth + more) != hole.truth.rstrip()]
    assert [text for text in wrong if "}⟧" not in text] == []
    assert len(wrong) <= (1 - LEAST_UNTOUCHED) * len(tried)


def test_what_remains_of_a_text_typed_through_is_not_trimmed_again() -> None:
    rng = random.Random(7)
    tried = 0
    for hole in holes(7, COUNT):
        truth = hole.truth.rstrip()
        typed = rng.randrange(len(truth))
        text = hole.text[: hole.offset] + truth[:typed] + hole.text[hole.offset :]
        now = snapshot(text, hole.path)
        rest = truth[typed:].rstrip()
        # Behind `x` of `x // why` the cursor stands in a comment soon: no suggestion is made there.
        if not rest or skip_reason(now, hole.offset + typed, requested=True) is not None:
            continue
        context = context_at(now, hole.offset + typed)
        result = postprocess.apply(candidate(rest, context), context, postprocess.ORDER_FOR_REUSED)
        tried += 1
        assert not isinstance(result, Rejected), f"{hole} {result}"
        assert result.insert_text.rstrip() == rest, str(hole)
    assert tried > COUNT / 2
