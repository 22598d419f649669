"""Infill prompt forms as rows of data: how prefix, suffix and repository context become one token sequence.

Shared by serving, training and evaluation. An engine renders a form with its model's special tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Slot = Literal["PREFIX", "SUFFIX", "MIDDLE", "repo", "prefix", "suffix", "typed"]


@dataclass(frozen=True, slots=True)
class InfillForm:
    """One order of the prompt's parts. Upper-case slots are the model's special tokens, lower-case ones text.

    `healed`: the last text token is taken back and decoding is held to its bytes (token healing).
    """

    name: str
    slots: tuple[Slot, ...]
    healed: bool


# Orders and their measured worth: docs/decisions/0002. What changes least stands first.
FORMS: dict[str, InfillForm] = {
    row.name: row
    for row in (
        InfillForm("joined", ("PREFIX", "SUFFIX", "suffix", "MIDDLE", "repo", "prefix", "typed"), healed=True),
        InfillForm("anchored", ("PREFIX", "repo", "prefix", "SUFFIX", "suffix", "MIDDLE", "typed"), healed=True),
        InfillForm("psm", ("PREFIX", "repo", "prefix", "typed", "SUFFIX", "suffix", "MIDDLE"), healed=False),
        InfillForm("spm", ("SUFFIX", "suffix", "PREFIX", "repo", "prefix", "typed", "MIDDLE"), healed=False),
    )
}
DEFAULT_FORM = "joined"


@dataclass(frozen=True, slots=True)
class InfillTokens:
    """A model's special tokens for infilling, by their text (as in the GGUF vocabulary)."""

    prefix: str
    suffix: str
    middle: str
    stops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InfillPrompt:
    """One prompt as parts of text, not yet tokens: `typed` is what was typed since the anchor (may be empty).

    The order is the form's; text is never parsed for special tokens, so source code cannot forge them.
    """

    form: InfillForm
    prefix: str
    suffix: str
    repo: str = ""
    typed: str = ""
