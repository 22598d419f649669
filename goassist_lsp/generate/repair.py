"""Where a failed candidate is to be said otherwise: the token that is likeliest to blame. Used by the pipeline."""

from __future__ import annotations

from goassist_index.scan import KEYWORDS, tokens
from goassist_lsp.types import Candidate
from goassist_models.engine import Generation

# Complaints about a whole operand, of which any part may be wrong; others name the very word.
_ABOUT_AN_OPERAND = ("cannot use ", "invalid operation: ", "cannot convert ", "impossible type ", "invalid argument: ")


def blamed_step(candidate: Candidate) -> int | None:
    """Index of the token to be said otherwise; None where the first error is not in what was generated.

    A name that does not exist is to blame itself. Of an operand that does not fit it is the token that the model was
    least sure of.
    """
    failure, said = _failure(candidate), candidate.generation
    if failure is None:
        return None
    at, message = failure
    end = _operand_end(said.text, at) if message.startswith(_ABOUT_AN_OPERAND) else at + 1
    starts = [0, *(step.end for step in said.steps)]
    within = [n for n, step in enumerate(said.steps) if step.end > at and starts[n] < end]
    return min(within, key=lambda n: said.steps[n].logprob, default=None)


def mistyped_word(candidate: Candidate) -> int | None:
    """Where the last word of an operand that does not fit begins, in the text: what it names has the wrong type.

    None where the first error is another, or where that word was not generated.
    """
    failure, said = _failure(candidate), candidate.generation.text
    if failure is None or not failure[1].startswith("cannot use "):
        return None
    at = failure[0]
    end, depth, found = _operand_end(said, at), 0, None
    for token in tokens(said, at):
        if token.start >= end:
            break
        depth += (token.kind == "open") - (token.kind == "close")
        if token.kind == "word" and not depth and token.text not in KEYWORDS:
            found = token.start
    return found


def step_at(generation: Generation, at: int) -> int:
    """Index of the token that says what stands at `at` in the generation's text."""
    return next(number for number, step in enumerate(generation.steps) if step.end > at)


def _failure(candidate: Candidate) -> tuple[int, str] | None:
    """Where the first error stands in what was generated, and its message; None where it does not."""
    at = candidate.fails_at
    if at is None or candidate.verdict is None or candidate.insert_text[:at] != candidate.generation.text[:at]:
        return None
    return at, next(error.message for error in candidate.verdict.errors if error.insert_offset is not None)


def _operand_end(text: str, at: int) -> int:
    """Where the operand that begins at `at` ends: before a comma or line end at its own depth, or a closing bracket."""
    depth = 0
    for token in tokens(text, at):
        depth += (token.kind == "open") - (token.kind == "close")
        if depth < 0 or (depth == 0 and (token.kind == "newline" or token.text in (",", ";", "{"))):
            return token.start
    return len(text)
