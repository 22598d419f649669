"""The edit that adds the imports with which a candidate type-checks. Called after the check."""

from __future__ import annotations

from dataclasses import replace

from goassist_index.header import NoPlaceForImport
from goassist_index.imports import change_for
from goassist_lsp.types import Candidate, CursorContext, ImportEdit, Rejected

_STAGE = "imports"


def with_import_edits(candidate: Candidate, context: CursorContext) -> Candidate | Rejected:
    """The candidate with `import_edits` for what its verdict says must be imported; most need none.

    Rejected, with the reason, where the file's head cannot take an import without touching the candidate's own place.
    """
    if candidate.verdict is None or not candidate.verdict.imports:
        return candidate
    try:
        change = change_for(context.snapshot.text, candidate.verdict.imports)
    except NoPlaceForImport as error:
        return Rejected(candidate.insert_text, _STAGE, f"no place for its import: {error}")
    if change is None:
        return candidate
    if change.end >= candidate.start:
        return Rejected(candidate.insert_text, _STAGE, "no place for its import: the cursor stands there")
    return replace(candidate, import_edits=(ImportEdit(change.start, change.end, change.new),))
