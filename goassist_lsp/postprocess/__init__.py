"""Stage 3: everything that is done to the model's text, in this order. Filters are pure functions of one candidate."""

from __future__ import annotations

from collections.abc import Callable

from goassist_lsp.postprocess import closing, layout, repeats, trim
from goassist_lsp.types import Candidate, CursorContext, Rejected

Filter = Callable[[Candidate, CursorContext], Candidate | None]

ORDER: tuple[Filter, ...] = (
    layout.normalise_line_ends,
    layout.drop_doubled_space,
    layout.drop_blank,
    trim.cut_at_syntactic_end,
    repeats.cut_overlap_with_line_suffix,
    repeats.cut_lines_of_suffix,
    repeats.cut_loops,
    repeats.drop_repeat_of_lines_above,
    closing.balance_brackets,
    layout.indent_with_tabs,
    layout.drop_comment_only,
    layout.drop_last_comment,
    layout.strip_trailing_space,
    layout.drop_blank,
)

# What was shown before has been trimmed at the place where it was asked for; typed through, the cursor stands
# elsewhere, and the rest of a block must not shrink to the rest of a line.
ORDER_FOR_REUSED: tuple[Filter, ...] = (
    repeats.cut_overlap_with_line_suffix,
    repeats.cut_lines_of_suffix,
    closing.balance_brackets,
    layout.strip_trailing_space,
    layout.drop_blank,
)


# For evaluation, which measures what this stage is worth.
ORDER_WITHOUT_TRIMMING = tuple(step for step in ORDER if step is not trim.cut_at_syntactic_end)
ONLY_WHAT_CAN_BE_SHOWN: tuple[Filter, ...] = (layout.normalise_line_ends, layout.drop_blank)


def apply(candidate: Candidate, context: CursorContext, order: tuple[Filter, ...] = ORDER) -> Candidate | Rejected:
    """The candidate after all filters in `order`, or the name of the filter that dropped it."""
    original = candidate.insert_text
    for step in order:
        changed = step(candidate, context)
        if changed is None:
            return Rejected(text=original, stage="postprocess", reason=step.__name__)
        candidate = changed
    return candidate
