"""What kinds of mistake the Go compiler finds, and why a system was silent: many messages, few classes.

The wording is that of cmd/compile (its packages syntax and types2) and of cmd/go.
"""

from __future__ import annotations

import re

# The first that matches counts.
_CLASSES: tuple[tuple[str, str], ...] = (
    ("syntax", r"^syntax error|not terminated|^newline in |^invalid character|^invalid UTF-8|^malformed constant"),
    ("syntax", r"^unknown escape|^non-name .* on left side|character in rune literal|^empty rune literal"),
    ("syntax", r"^(unexpected|expected) |^more than one character|^cannot parse|'_' must separate|has no digits"),
    ("unused", r"declared and not used|imported and not used|imported as \S+ and not used|^label \S+ defined and not"),
    ("unused", r" is not used$|is not used as"),
    ("import", r"is not in std|no required module provides|^could not import|^import |^invalid import path"),
    (
        "import",
        r"cannot find (package|module)|use of internal package|import cycle|go\.sum entry|is not a package path",
    ),
    ("missing member", r"has no field or method|^undefined: [\w.]+\.\w|not exported by package|^unknown field"),
    ("missing member", r"cannot refer to unexported|\.\w+ undefined \("),
    ("undefined name", r"^undefined: |^undefined|label \S+ not defined|^invalid (break|continue) label"),
    ("argument count", r"^(not enough|too many|too few) |^assignment mismatch|^missing (argument|init expr)"),
    ("argument count", r"^multiple-value |^extra init expr|, but want \d+|permits (only|no|at most)"),
    ("redeclared", r"redeclared in this block|^no new variable|already declared|^duplicate |^multiple defaults"),
    ("type mismatch", r"^cannot |^invalid |^impossible |mismatched types|overflows|^non-boolean|^in call to "),
    ("type mismatch", r"does not (implement|satisfy)|is not (a type|an interface|an expression)|used as (value|type)"),
    ("type mismatch", r"out of bounds|must be (integer|constant)|is not constant|truncated|^first argument to "),
)
CLASSES = (*dict.fromkeys(name for name, _ in _CLASSES), "other")
_COMPILED = tuple((name, re.compile(pattern)) for name, pattern in _CLASSES)
_PLACE = re.compile(r"^[^:\s]+\.go:\d+(:\d+)?: ")


def complaint_class(message: str) -> str:
    """One of CLASSES, for a message of the compiler with or without its place."""
    text = _PLACE.sub("", message.strip())
    return next((name for name, pattern in _COMPILED if pattern.search(text)), "other")


def silence_class(reason: str) -> str:
    """A reason for silence without the names that are this hole's own; what a check found is told by its class."""
    stage, separator, rest = reason.strip().partition(": ")
    if not stage:
        return "no reason given"
    if stage == "check" and separator:
        return f"check: {complaint_class(rest)}"
    words = re.sub(r'"[^"]*"|`[^`]*`|\d+', "…", rest.partition("\n")[0])
    return f"{stage}{separator}{words[:60]}"
