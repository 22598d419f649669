"""Filters against saying what already stands there: behind the cursor, above it, or in the candidate itself."""

from __future__ import annotations

from dataclasses import replace

from goassist_lsp.types import Candidate, CursorContext

# Lines such as "}" or "})" recur by nature and prove nothing.
MIN_TELLING_CHARS = 4
MIN_LOOP_CHARS = 7


def cut_overlap_with_line_suffix(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Take off an end of the candidate that the rest of the cursor's line says again."""
    rest = context.line_suffix.strip()
    if not rest:
        return candidate
    text = candidate.insert_text.rstrip()
    for size in range(min(len(rest), len(text)), 0, -1):
        if text.endswith(rest[:size]) and _is_token_boundary(text, len(text) - size, rest, size):
            kept = text[: len(text) - size]
            return replace(candidate, insert_text=kept) if kept.strip() else None
    return candidate


def _is_token_boundary(text: str, start: int, rest: str, size: int) -> bool:
    """Neither end of the overlap may lie inside a word: "err" does not overlap with "r)"."""
    inside_left = start > 0 and _wordlike(text[start - 1]) and _wordlike(text[start])
    inside_right = size < len(rest) and _wordlike(rest[size - 1]) and _wordlike(rest[size])
    return not inside_left and not inside_right


def _wordlike(char: str) -> bool:
    return char.isalnum() or char == "_"


def cut_lines_of_suffix(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Cut a candidate of several lines in front of a line that is the next one behind the cursor."""
    following = next((line.strip() for line in context.suffix.splitlines()[1:] if line.strip()), "")
    if len(following) < MIN_TELLING_CHARS:
        return candidate
    lines = candidate.insert_text.split("\n")
    for index, line in enumerate(lines):
        whole = index > 0 or not context.line_prefix.strip()
        if whole and line.strip() == following:
            kept = "\n".join(lines[:index])
            return replace(candidate, insert_text=kept) if kept.strip() else None
    return candidate


def cut_loops(candidate: Candidate, context: CursorContext) -> Candidate:
    """Cut in front of the third occurrence of a line: a small model that repeats itself does not stop."""
    seen: dict[str, int] = {}
    lines = candidate.insert_text.split("\n")
    for index, line in enumerate(lines):
        text = line.strip()
        if len(text) < MIN_LOOP_CHARS:
            continue
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 3:
            return replace(candidate, insert_text="\n".join(lines[:index]))
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
