"""Chooses the text around the cursor that goes into the infill prompt. Runs before the engine.

The window's start moves in steps and the suffix depends only on the text behind the cursor, so that typing on
appends to the prompt and the engine's cache holds all of the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from goassist_index.header import NoPlaceForImport, read_header
from goassist_index.imports import change_for
from goassist_index.typefacts import Wanted
from goassist_index.verdict import ImportSpec
from goassist_lsp.generate.repository import size_chars
from goassist_lsp.types import CursorContext
from goassist_models.infill import FORMS, InfillPrompt, RepoContext

# Go source runs at about 3.1 characters a token with the Qwen2.5 tokenizer.
CHARS_A_TOKEN = 3.1
SUFFIX_SHARE = 0.25
WINDOW_STEP_LINES = 16
HEAD_CHARS = 600
MOST_NOTE_CHARS = 240
# Imports of other files stand in the head beside the budget. They are read once a file; more of them help no more.
MOST_BESIDE_CHARS = 160
_IMPORT_BLOCK = re.compile(r"^import\s*\([^)]*\)|^import\s+[^\n]+", re.MULTILINE)
_DECLARATION = re.compile(r"^(?:func|type|var|const)\b", re.MULTILINE)
_PACKAGE = re.compile(r"^package\s+\w+", re.MULTILINE)


def build(
    context: CursorContext,
    *,
    form: str,
    budget_tokens: int,
    note: str = "",
    beside: Sequence[ImportSpec] = (),
    repo: RepoContext | None = None,
    names: Sequence[str] = (),
) -> InfillPrompt:
    """The prompt for this place, in at most about `budget_tokens` tokens, the `note` and what stands `beside`.

    `beside`: imports that the file does not have, in the order of their worth; inside functions the prompt shows as
    many as there is room for, as if they were the file's. Who reads an import block without a package takes it that the
    package is not to be used, and what is used gets its import after the check. `repo` takes its part of the budget,
    and so do `names`: lines that stand as comments above the function, so that typing on in it appends; the best first.
    """
    if repo is not None:
        budget_tokens -= math.ceil(size_chars(repo) / CHARS_A_TOKEN)
    noted = "".join(f"// {name}\n" for name in reversed(names)) + "\n" if names else ""
    budget_chars = int(budget_tokens * CHARS_A_TOKEN) - len(noted)
    suffix = _suffix_window(context.suffix, int(budget_chars * SUFFIX_SHARE))
    window = _prefix_window(context.prefix, budget_chars - int(budget_chars * SUFFIX_SHARE))
    prefix = _unix(window)
    if beside and context.in_function:
        # A window may leave the file's own imports out; the whole text has them.
        own = _imports(context.prefix) if len(window) < len(context.prefix) else ()
        prefix = _with_imports(prefix, (*own, *beside))
    if noted:
        prefix = _above_function(prefix, _unix(context.function_prefix), noted)
    return InfillPrompt(form=FORMS[form], prefix=prefix, suffix=_unix(suffix), note=note, repo=repo)


def _above_function(prefix: str, function: str, noted: str) -> str:
    """A prefix with `noted` above the function that it ends in and its comment, or where the window of it begins."""
    at = len(prefix) - len(function) if prefix.endswith(function) else _head_end(prefix)
    while at and (line := prefix.rfind("\n", 0, at - 1) + 1) < at and prefix.startswith("//", line):
        at = line
    return prefix[:at] + noted + prefix[at:]


def _head_end(prefix: str) -> int:
    try:
        return min(len(prefix), len(prefix[: read_header(prefix).end].rstrip("\n")) + 2)
    except NoPlaceForImport:
        return 0


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
    head = _file_head(prefix, HEAD_CHARS if limit > 1.5 * HEAD_CHARS else limit // 3)
    room = limit - len(head)
    # Where the lines that fit begin, the last one first, and the number of the first of them.
    starts, at = list[int](), len(prefix)
    first = prefix.count("\n") + (not prefix.endswith("\n"))
    while at > 0 and len(prefix) - (start := prefix.rfind("\n", 0, at - 1) + 1) <= room:
        starts.append(start)
        at, first = start, first - 1
    # A step must not eat the window where lines are long: at least half of it is kept.
    window, step = "", WINDOW_STEP_LINES
    while step and len(window) * 2 < len(prefix) - at:
        left_out = -first % step
        window = prefix[starts[-1 - left_out] :] if left_out < len(starts) else ""
        step //= 2
    # Behind a blank line the first line's tokens would be others than they were where the window has moved up.
    return head + (window.lstrip("\n") or prefix[-room:])


def _file_head(prefix: str, limit: int) -> str:
    package = _PACKAGE.search(prefix)
    if package is None:
        return ""
    head = package.group() + "\n\n"
    declared = _DECLARATION.search(prefix, package.end())  # imports stand before all other declarations
    for block in _IMPORT_BLOCK.finditer(prefix, package.end(), declared.start() if declared else len(prefix)):
        if len(head) + len(block.group()) <= limit:
            head += block.group() + "\n\n"
    return head


def _imports(text: str) -> tuple[ImportSpec, ...]:
    try:
        header = read_header(text)
    except NoPlaceForImport:
        return ()
    return tuple(line.spec for declaration in header.declarations for line in declaration.lines)


def _with_imports(prefix: str, more: tuple[ImportSpec, ...]) -> str:
    try:
        end = read_header(prefix).end
    except NoPlaceForImport:
        return prefix
    return _widened(prefix[:end], more) + prefix[end:]


@lru_cache(maxsize=16)
def _widened(head: str, more: tuple[ImportSpec, ...]) -> str:
    """A file's head, which ends with its last import or its package clause, with as many more as there is room for."""
    present = _imports(head)
    taken = {spec.path for spec in present} | {_assumed_name(spec) for spec in present}
    text = head
    for spec in more:
        if spec.path in taken or _assumed_name(spec) in taken:
            continue
        change = change_for(text, [spec])
        if change is None or len(text) + len(change.new) > len(head) + MOST_BESIDE_CHARS:
            continue
        taken |= {spec.path, _assumed_name(spec)}
        text = change.apply(text).rstrip("\n")
    return text


def _assumed_name(spec: ImportSpec) -> str:
    return spec.name or spec.path.rpartition("/")[2]
