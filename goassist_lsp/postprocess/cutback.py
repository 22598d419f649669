"""Cut back: shorter versions of a failed candidate that may still be worth showing. Called between two checks.

Whole statements where the candidate has several, else whole operands and calls; brackets are settled again.
"""

from __future__ import annotations

from goassist_index.cutpoints import operand_cuts, statement_cuts
from goassist_index.scan import tokens
from goassist_lsp.postprocess.closing import settle
from goassist_lsp.types import CursorContext

MAX_VERSIONS = 8
MIN_SHOWN_CHARS = 3


def shorter_versions(text: str, context: CursorContext, fail_offset: int | None) -> tuple[str, ...]:
    """Versions of `text`, what says most of it first, that end at or before `fail_offset`.

    `fail_offset` counts code points; None: anywhere shorter. At most MAX_VERSIONS; each has settled brackets and
    says something (worth_showing).
    """
    before, after = context.function_prefix, context.function_suffix
    limit = len(text) - 1 if fail_offset is None else min(fail_offset, len(text) - 1)
    cuts = set(statement_cuts(before, text, after))
    if not context.multiline:
        cuts |= set(operand_cuts(before, text, after))
    versions: list[str] = []
    for cut in sorted((cut for cut in cuts if 0 < cut <= limit), reverse=True):
        version = settle(text[:cut], context)
        if version is None or version == text or version in versions or not worth_showing(version):
            continue
        versions.append(version)
        if len(versions) == MAX_VERSIONS:
            break
    # A cut behind an open bracket may lose more than the next one: whatever says most of the text goes first.
    return tuple(sorted(versions, key=lambda version: -_said(version, text)))


def _said(version: str, text: str) -> int:
    """How much of `text` a version says: the length of their common beginning."""
    pairs = enumerate(zip(version, text, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(version), len(text)))


def worth_showing(text: str) -> bool:
    """Whether a cut text still says something: a word or literal of some length, not just punctuation."""
    said = sum(len(token.text) for token in tokens(text) if token.kind in ("word", "string"))
    return said >= MIN_SHOWN_CHARS
