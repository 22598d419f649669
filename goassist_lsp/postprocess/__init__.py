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
    layout.strip_trailing_space,
    layout.drop_comment_only,
    layout.drop_blank,
)


def apply(candidate: Candidate, context: CursorContext) -> Candidate | Rejected:
    """The candidate after all filters, or the name of the filter that dropped it."""
    original = candidate.insert_text
    for step in ORDER:
        changed = step(candidate, context)
        if changed is None:
            return Rejected(text=original, stage="postprocess", reason=step.__name__)
        candidate = changed
    return candidate
