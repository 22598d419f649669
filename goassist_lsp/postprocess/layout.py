"""Filters for white space and emptiness. First and last in the order of post-processing."""

from __future__ import annotations

import re
from dataclasses import replace

from goassist_index.scan import tokens
from goassist_lsp.types import Candidate, CursorContext

_LEADING = re.compile(r"^[ \t]+", re.MULTILINE)
SPACES_A_TAB = 4


def normalise_line_ends(candidate: Candidate, context: CursorContext) -> Candidate:
    r"""Work with "\n" alone; the pipeline gives the document's own line ends back at the end."""
    text = candidate.insert_text.replace("\r\n", "\n").replace("\r", "\n")
    return replace(candidate, insert_text=text)


def drop_doubled_space(candidate: Candidate, context: CursorContext) -> Candidate:
    """No blanks or tabs at the start where some stand before the cursor already."""
    if context.hole.literal or not context.line_prefix[-1:].isspace():
        return candidate
    return replace(candidate, insert_text=candidate.insert_text.lstrip(" \t"))


def drop_blank(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Drop what would show nothing."""
    return candidate if candidate.insert_text.strip() else None


def drop_comment_only(candidate: Candidate, context: CursorContext) -> Candidate | None:
    """Drop a candidate that holds comments and no code: it type-checks without saying anything."""
    kinds = {token.kind for token in tokens(candidate.insert_text)} - {"newline"}
    return None if kinds == {"comment"} else candidate


def drop_last_comment(candidate: Candidate, context: CursorContext) -> Candidate:
    """No comment at the end of a line: what an author has to say there, if anything, is anybody's guess."""
    if context.hole.literal or context.multiline:
        return candidate
    found = [token for token in tokens(candidate.insert_text) if token.kind != "newline"]
    code = [token for token in found if token.kind != "comment"]
    if not code or found[-1] is code[-1]:
        return candidate
    return replace(candidate, insert_text=candidate.insert_text[: code[-1].end])


def indent_with_tabs(candidate: Candidate, context: CursorContext) -> Candidate:
    """Go indents with tabs: leading runs of four spaces become one tab (not inside raw strings)."""
    text = candidate.insert_text
    if "`" in text or "    " not in text:
        return candidate
    first_line_goes_on = bool(context.line_prefix.strip())

    def tabs(match: re.Match[str]) -> str:
        if match.start() == 0 and first_line_goes_on:
            return match.group()
        width = match.group().replace("\t", " " * SPACES_A_TAB)
        return "\t" * (len(width) // SPACES_A_TAB) + " " * (len(width) % SPACES_A_TAB)

    return replace(candidate, insert_text=_LEADING.sub(tabs, text))


def strip_trailing_space(candidate: Candidate, context: CursorContext) -> Candidate:
    """No white space at the end, unless a word, an operator or a brace of the line's rest follows directly."""
    text = candidate.insert_text
    if context.hole.literal_closed:
        return candidate
    if context.line_suffix.strip() and context.line_suffix[0] not in " \t)],;.":
        return replace(candidate, insert_text=text.rstrip("\n"))
    return replace(candidate, insert_text=text.rstrip())
