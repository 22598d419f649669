"""Chooses the text around the cursor that goes into the infill prompt. Runs before the engine.

The window's start moves in steps and the suffix depends only on the text behind the cursor, so that typing on
appends to the prompt and the engine's cache holds all of the rest.
"""

from __future__ import annotations

import re

from goassist_index.typefacts import Wanted
from goassist_lsp.types import CursorContext
from goassist_models.infill import FORMS, InfillPrompt

# Go source runs at about 3.1 characters a token with the Qwen2.5 tokenizer.
CHARS_A_TOKEN = 3.1
SUFFIX_SHARE = 0.25
WINDOW_STEP_LINES = 16
HEAD_CHARS = 600
MOST_NOTE_CHARS = 240
_IMPORT_BLOCK = re.compile(r"^import\s*\([^)]*\)|^import\s+[^\n]+", re.MULTILINE)
_PACKAGE = re.compile(r"^package\s+\w+", re.MULTILINE)


def build(context: CursorContext, *, form: str, budget_tokens: int, note: str = "") -> InfillPrompt:
    """The prompt for this place, in at most about `budget_tokens` tokens and the `note`."""
    budget_chars = int(budget_tokens * CHARS_A_TOKEN)
    suffix = _suffix_window(context.suffix, int(budget_chars * SUFFIX_SHARE))
    prefix = _prefix_window(context.prefix, budget_chars - int(budget_chars * SUFFIX_SHARE))
    return InfillPrompt(form=FORMS[form], prefix=_unix(prefix), suffix=_unix(suffix), note=note)


def note_of(wanted: Wanted) -> str:
    """What a place asks for, in one line; "" for nothing.

    Measured on development holes: the three together help most, each alone does less (models/LOG.md).
    """
    parts = [wanted.call, f"want {wanted.type}" if wanted.type else ""]
    if wanted.fits:
        parts.append(f"e.g. {', '.join(wanted.fits)}")
    note = " // ".join(part for part in parts if part)
    return "" if "\n" in note or len(note) > MOST_NOTE_CHARS else note


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _suffix_window(suffix: str, limit: int) -> str:
    """The first `limit` characters, cut at a line's end. At least the rest of the cursor's line."""
    if len(suffix) <= limit:
        return suffix
    cut = suffix.rfind("\n", 0, limit)
    return suffix[: cut + 1] if cut > 0 else suffix[:limit]


def _prefix_window(prefix: str, limit: int) -> str:
    """The file's head (package clause, imports) and the lines before the cursor, from a start that moves in steps."""
    if len(prefix) <= limit:
        return prefix
    head = _file_head(prefix)
    room = limit - len(head)
    lines = prefix.splitlines(keepends=True)
    used, first = 0, len(lines)
    while first > 0 and used + len(lines[first - 1]) <= room:
        first -= 1
        used += len(lines[first])
    stepped = -(-first // WINDOW_STEP_LINES) * WINDOW_STEP_LINES
    # A step must not eat the window where lines are long: keep at least half of it.
    kept = "".join(lines[stepped:])
    window = kept if len(kept) * 2 >= used else "".join(lines[first:])
    return head + (window or prefix[-room:])


def _file_head(prefix: str) -> str:
    package = _PACKAGE.search(prefix)
    if package is None:
        return ""
    head = package.group() + "\n\n"
    for block in _IMPORT_BLOCK.finditer(prefix, package.end()):
        if len(head) + len(block.group()) <= HEAD_CHARS:
            head += block.group() + "\n\n"
    return head
