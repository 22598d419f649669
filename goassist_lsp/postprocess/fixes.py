"""Fixes without a model: what a Go programmer does at once about some of the compiler's complaints.

Called between two checks, before a failed candidate is repaired or cut back. Each rule reads one message of go/types
and changes the candidate where it stands; the check decides whether it was right.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from goassist_index.scan import tokens
from goassist_index.verdict import Verdict

_TYPES = re.compile(r"^cannot use .* \((?P<what>[\w ]+?) of (?:\w+ )?type (?P<have>.+?)\) as (?P<want>.+?) value in ")
_COUNTS = re.compile(r"^assignment mismatch: (?P<left>\d+) variables? but .* returns? (?P<right>\d+) values?$")
_TOO_MANY = ("too many arguments in call", "too many return values")
_UNDEFINED = re.compile(r"^undefined: (?P<name>\w+)$")
_ASSIGNED = re.compile(r"(?:for |if |switch )?(?P<left>\w+(?:, \w+)*) (?P<sign>:?=) ")


def fixed_versions(text: str, verdict: Verdict, prefix: str) -> tuple[str, ...]:
    """Versions of a failed candidate with its first complaint seen to; empty where no rule knows a cure.

    `prefix` is what stands before the candidate in its file.
    """
    place = _first_complaint(text, verdict, prefix)
    if place is None:
        return ()
    at, message = place
    found = [version for rule in _RULES if (version := rule(text, at, message)) is not None]
    return tuple(dict.fromkeys(version for version in found if version != text))


def _first_complaint(text: str, verdict: Verdict, prefix: str) -> tuple[int, str] | None:
    """Code-point offset in the candidate, and message, of what is to be cured; None when it lies outside."""
    for error in verdict.errors:
        if error.insert_offset is not None:
            return len(text.encode()[: error.insert_offset].decode(errors="ignore")), error.message
    final = next((item for item in verdict.unfinished if item.final), None)
    if final is None or verdict.errors:
        return None
    lines = (prefix + text).splitlines(keepends=True)
    if final.line > len(lines):
        return None
    column = len(lines[final.line - 1].encode()[: final.col - 1].decode(errors="ignore"))
    at = sum(map(len, lines[: final.line - 1])) + column - len(prefix)
    return (at, final.message) if 0 <= at < len(text) else None


def _assignment_around(text: str, at: int) -> re.Match[str] | None:
    """The assignment that the line of `at` begins with."""
    start = text.rfind("\n", 0, at) + 1
    return _ASSIGNED.match(text, start + len(text[start:]) - len(text[start:].lstrip()))


def _declare_or_assign(text: str, at: int, message: str) -> str | None:
    """`:=` where nothing is new becomes `=`; `=` of a name that is not declared becomes `:=`."""
    if message == "no new variables on left side of :=":
        return f"{text[:at]}={text[at + 2 :]}" if text.startswith(":=", at) else None
    undefined, assigned = _UNDEFINED.match(message), _assignment_around(text, at)
    if undefined is None or assigned is None or assigned["sign"] != "=":
        return None
    if undefined["name"] not in assigned["left"].split(", "):
        return None
    sign = assigned.start("sign")
    return f"{text[:sign]}:={text[sign + 1 :]}"


def _pointer_or_value(text: str, at: int, message: str) -> str | None:
    """`x` where a pointer is wanted becomes `&x`, a pointer where its value is wanted `*x`."""
    types = _TYPES.match(message)
    if types is None:
        return None
    have, want = types["have"], types["want"]
    if "variable" in types["what"] and (want == f"*{have}" or "has pointer receiver)" in message):
        return f"{text[:at]}&{text[at:]}"
    if have == f"*{want}":
        return f"{text[:at]}{text[at + 1 :]}" if text.startswith("&", at) else f"{text[:at]}*{text[at:]}"
    return None


def _as_many_as_are_returned(text: str, at: int, message: str) -> str | None:
    """One more variable, `err`, for a call that returns one more value; one less where it returns one less."""
    counts, assigned = _COUNTS.match(message), _assignment_around(text, at)
    if counts is None or assigned is None:
        return None
    left = assigned["left"].split(", ")
    if int(counts["right"]) == len(left) + 1 and "err" not in left:
        left.append("err")
    elif int(counts["right"]) == len(left) - 1:
        left.pop()
    else:
        return None
    return text[: assigned.start("left")] + ", ".join(left) + text[assigned.end("left") :]


def _no_more_than_are_taken(text: str, at: int, message: str) -> str | None:
    """Arguments or results beyond those that are taken go."""
    if not message.startswith(_TOO_MANY):
        return None
    comma = text.rfind(",", 0, at)
    if comma < 0 or text[comma + 1 : at].strip():
        return None
    depth = 0
    for token in tokens(text, at):
        depth += (token.kind == "open") - (token.kind == "close")
        if depth < 0 or (depth == 0 and token.kind == "newline"):
            return text[:comma] + text[token.start :]
    return text[:comma]


def _unused_is_blank(text: str, at: int, message: str) -> str | None:
    """A variable beside others that nothing can use any more becomes the blank name; alone it would say nothing."""
    name = message.removeprefix("declared and not used: ")
    if name == message or not text.startswith(name, at):
        return None
    changed = f"{text[:at]}_{text[at + len(name) :]}"
    assigned = _assignment_around(changed, at)
    if assigned is None:
        return None
    names = set(assigned["left"].split(", "))
    return changed if len(names - {"_"}) > 0 else None


_RULES: tuple[Callable[[str, int, str], str | None], ...] = (
    _declare_or_assign,
    _pointer_or_value,
    _as_many_as_are_returned,
    _no_more_than_are_taken,
    _unused_is_blank,
)
