"""Filters against saying what already stands there: behind the cursor, above it, or in the candidate itself."""

from __future__ import annotations

from dataclasses import replace

from goassist_index.boundary import MIN_TELLING_CHARS, repeat_of_following, steps
from goassist_lsp.types import Candidate, CursorContext

MIN_OVERLAP_CHARS = 2
MIN_LOOP_CHARS = 7
MAX_LOOP_LINES = 4


def cut_overlap_with_line_suffix(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Take off an end of the candidate that the rest of the cursor's line says again.

    A part of that rest counts only where the model was cut off while saying it: `b` behind `f(a, b` is no repeat.
    """
    rest = context.hole.rest
    if not rest or context.hole.literal:
        return candidate
    text = candidate.insert_text.rstrip()
    smallest = MIN_OVERLAP_CHARS if candidate.generation.finish_reason == "length" else len(rest)
    for size in range(min(len(rest), len(text)), smallest - 1, -1):
        start = len(text) - size
        if not text.endswith(rest[:size]) or not _is_token_boundary(text, start, rest, size):
            continue
        if _settled(text, start, context):
            kept = text[:start]
            return replace(candidate, insert_text=kept) if kept.strip() else None
    return candidate


def _settled(text: str, end: int, context: CursorContext) -> bool:
    """Whether a token begins at `end` and the text before it has the brackets that its place wants."""
    return any(step.token.start == end and step.settled(context.hole) for step in steps(text, context.hole))


def _is_token_boundary(text: str, start: int, rest: str, size: int) -> bool:
    """Neither end of the overlap may lie inside a word: "err" does not overlap with "r)"."""
    inside_left = start > 0 and _wordlike(text[start - 1]) and _wordlike(text[start])
    inside_right = size < len(rest) and _wordlike(rest[size - 1]) and _wordlike(rest[size])
    return not inside_left and not inside_right


def _wordlike(char: str) -> bool:
    return char.isalnum() or char == "_"


def cut_lines_of_suffix(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Cut a candidate of several lines in front of a line that is the next one behind the cursor."""
    start = repeat_of_following(candidate.insert_text, context.hole, whole=True)
    if start is None:
        return candidate
    kept = candidate.insert_text[:start]
    return replace(candidate, insert_text=kept) if kept.strip() else None


def cut_loops(candidate: Candidate, context: CursorContext) -> Candidate:
    """Keep one round of the same one to four lines three times running: small models get stuck so."""
    lines = candidate.insert_text.split("\n")
    said = [line.strip() for line in lines]
    for end in range(3, len(said) + 1):
        for size in range(1, min(MAX_LOOP_LINES, end // 3) + 1):
            last = said[end - size : end]
            telling = max(map(len, last)) >= MIN_LOOP_CHARS
            if telling and last == said[end - 2 * size : end - size] == said[end - 3 * size : end - 2 * size]:
                return replace(candidate, insert_text="\n".join(lines[: end - 2 * size]))
    return candidate


def drop_repeat_of_lines_above(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Drop a candidate that says the line above (or the two above) once more."""
    above = [line.strip() for line in context.prefix.split("\n")[:-1] if line.strip()][-2:]
    said = [line.strip() for line in (context.line_prefix + candidate.insert_text).split("\n") if line.strip()]
    if not above or not said:
        return None if not said else candidate
    if said[0] == above[-1] and len(said[0]) >= MIN_TELLING_CHARS:
        return None
    return None if len(above) == 2 and said[:2] == above and len("".join(above)) >= MIN_TELLING_CHARS else candidate
