"""When a generation has said what was asked: the predicate tested after each token. Used by the pipeline."""

from __future__ import annotations

from collections.abc import Callable

from goassist_index.boundary import boundary
from goassist_index.scan import brackets
from goassist_lsp.types import CursorContext, Pace
from goassist_models.engine import Patience

MAX_LINES = {"expression": 8, "line": 12, "block": 10, "body": 24}


def patience(context: CursorContext, pace: Pace) -> Patience:
    """When a part of what is being said will do here: whole lines when time is up, the rest of a line once it stands.

    What is being said may have been begun for an earlier place, and be a whole block where the rest of a line is asked.
    """
    if context.multiline:
        return Patience(pace.patience_s, whole_lines)
    hole = context.hole
    return Patience(0.0, lambda text: boundary(text, hole) or 0)


def whole_lines(text: str) -> int:
    """Length of the longest beginning of `text` that is whole lines and leaves no bracket open; 0 for none."""
    end = text.rfind("\n")
    while end > 0:
        if text[:end].strip() and not brackets(text[:end]).openers:
            return end
        end = text.rfind("\n", 0, end)
    return 0


def until(context: CursorContext) -> Callable[[str], bool]:
    """The predicate for this place: True once `text` holds the end of what was asked (or has run past it)."""
    hole, kind = context.hole, context.kind
    limit = MAX_LINES[kind]

    def said_enough(text: str) -> bool:
        if text.count("\n") > limit or boundary(text, hole) is not None:
            return True
        # A blank line ends a thought, and a block is asked for one thought; a body has to be whole.
        return kind == "block" and text.strip() != "" and text.endswith("\n\n") and not brackets(text).openers

    return said_enough
