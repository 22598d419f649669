"""Where a failed candidate is to be said otherwise: the token that is likeliest to blame. Used by the pipeline."""

from __future__ import annotations

from goassist_index.scan import tokens
from goassist_lsp.types import Candidate

# Complaints about a whole operand, of which any part may be wrong; others name the very word.
_ABOUT_AN_OPERAND = ("cannot use ", "invalid operation: ", "cannot convert ", "impossible type ", "invalid argument: ")


def blamed_step(candidate: Candidate) -> int | None:
    """Index of the token to be said otherwise; None where the first error is not in what was generated.

    A name that does not exist is to blame itself. Of an operand that does not fit it is the token that the model was
    least sure of.
    """
    at, said = candidate.fails_at, candidate.generation
    if at is None or candidate.verdict is None or candidate.insert_text[:at] != said.text[:at]:
        return None
    error = next(e for e in candidate.verdict.errors if e.insert_offset is not None)
    end = _operand_end(said.text, at) if error.message.startswith(_ABOUT_AN_OPERAND) else at + 1
    starts = [0, *(step.end for step in said.steps)]
    within = [n for n, step in enumerate(said.steps) if step.end > at and starts[n] < end]
    return min(within, key=lambda n: said.steps[n].logprob, default=None)


def _operand_end(text: str, at: int) -> int:
    """Where the operand that begins at `at` ends: before a comma or line end at its own depth, or a closing bracket."""
    depth = 0
    for token in tokens(text, at):
        depth += (token.kind == "open") - (token.kind == "close")
        if depth < 0 or (depth == 0 and (token.kind == "newline" or token.text in (",", ";", "{"))):
            return token.start
    return len(text)
