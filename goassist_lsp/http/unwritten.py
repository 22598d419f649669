"""Functions that wait to be written, beside the one that is: what a model is shown of them is nothing.

It would take their bodies, a panic or a TODO, for how things are done here, and say the same. The checker sees them.
"""

from __future__ import annotations

import re
from dataclasses import replace

from goassist_models.infill import InfillPrompt

_UNWRITTEN = re.compile(
    r"(?:^//[^\n]*\n)*"  # its documentation
    r"^func [^\n]*\{[ \t]*\n"
    r"(?:[ \t]*(?://[^\n]*|panic\([^\n]*\))?[ \t]*\n)+"
    r"^\}[ \t]*(?:\n+|\Z)",
    re.MULTILINE,
)


def without_unwritten(prompt: InfillPrompt) -> InfillPrompt:
    """The prompt without functions whose body is nothing but comments and a panic."""
    return replace(prompt, prefix=_UNWRITTEN.sub("", prompt.prefix), suffix=_UNWRITTEN.sub("", prompt.suffix))
