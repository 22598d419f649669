"""A small Go token scanner for text that need not parse: brackets, literals, statement ends, declarations.

Half-typed code is the normal case at a cursor; context and post-processing read it with this, before any parser.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["comment", "string", "open", "close", "word", "newline", "operator"]

_NESTING = r"""
      (?P<comment>//[^\n]*|/\*(?:.*?\*/|.*\Z))
    | (?P<string>"(?:\\[^\n]|[^"\\\n])*(?:"|\\?(?=\n|\Z))|`[^`]*(?:`|\Z)|'(?:\\[^\n]|[^'\\\n])*(?:'|\\?(?=\n|\Z)))
    | (?P<open>[({\[])
    | (?P<close>[)}\]])
"""
# No other token holds a character that begins one of these behind its first: searched for alone they are the same ones,
# and a function of ten thousand lines is read between two keys.
_NESTING_TOKEN = re.compile(_NESTING, re.VERBOSE | re.DOTALL)
_TOKEN = re.compile(
    _NESTING
    + r"""
    | (?P<word>\w+)
    | (?P<newline>\n)
    | (?P<operator><<=|>>=|&\^=|\.\.\.|&&|\|\||<-|\+\+|--|==|!=|<=|>=|:=|[-+*/%&|^]=|<<|>>|&\^|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
_TOP_LEVEL = re.compile(r"^(?:func|type|var|const|import|package)\b", re.MULTILINE)
_DECLARATION_END = re.compile(r"^[})]", re.MULTILINE)
CLOSER_OF = {"(": ")", "[": "]", "{": "}"}

# Go inserts a semicolon at a line's end after these (spec, "Semicolons").
_ENDS_STATEMENT_WORDS = frozenset({"break", "continue", "fallthrough", "return"})
KEYWORDS = frozenset(
    {
        "break",
        "case",
        "chan",
        "const",
        "continue",
        "default",
        "defer",
        "else",
        "fallthrough",
        "for",
        "func",
        "go",
        "goto",
        "if",
        "import",
        "interface",
        "map",
        "package",
        "range",
        "return",
        "select",
        "struct",
        "switch",
        "type",
        "var",
    }
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of Go source: its kind and code-point span in the scanned text."""

    kind: TokenKind
    start: int
    end: int
    text: str

    @property
    def ends_statement(self) -> bool:
        """Whether a line may end in this token without the statement going on."""
        if self.kind == "word":
            return self.text not in KEYWORDS or self.text in _ENDS_STATEMENT_WORDS
        return self.kind in ("string", "close") or self.text in ("++", "--", ";")

    @property
    def closed(self) -> bool:
        """False for a string or comment that the scanned text breaks off in."""
        if self.kind == "comment":
            return self.text.startswith("//") or (len(self.text) >= 4 and self.text.endswith("*/"))
        if self.kind != "string":
            return True
        quote = self.text[0]
        if len(self.text) < 2 or self.text[-1] != quote:
            return False
        backslashes = len(self.text[:-1]) - len(self.text[:-1].rstrip("\\"))
        return quote == "`" or backslashes % 2 == 0


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """All tokens of `text` from `start` on, in order; white space other than newlines is passed over."""
    return map(_token, _TOKEN.finditer(text, start))


def code_before(found: Sequence[Token], number: int) -> int:
    """Index of the token before another that is no comment and no line's end; -1 for none."""
    at = number - 1
    while at >= 0 and found[at].kind in ("newline", "comment"):
        at -= 1
    return at


def _token(match: re.Match[str]) -> Token:
    assert match.lastgroup is not None
    return Token(match.lastgroup, match.start(), match.end(), match.group())  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Brackets:
    """Brackets that a text leaves unmatched: closers that nothing in it opens, openers that it does not close."""

    closers: str
    openers: str

    @property
    def needed(self) -> str:
        """The closing brackets that the open ones want, in the order they must come."""
        return "".join(CLOSER_OF[opener] for opener in reversed(self.openers))


def brackets(text: str) -> Brackets:
    """Unmatched brackets of `text`. A closer of the wrong kind counts as unmatched and closes nothing."""
    opened, closers = _unmatched(text)
    return Brackets("".join(closers), "".join(token.text for token in opened))


def open_brackets(text: str) -> tuple[Token, ...]:
    """The opening brackets that `text` leaves open, outermost first."""
    return tuple(_unmatched(text)[0])


def _unmatched(text: str) -> tuple[list[Token], list[str]]:
    closers: list[str] = []
    opened: list[Token] = []
    for match in _NESTING_TOKEN.finditer(text):
        if match.lastgroup == "open":
            opened.append(_token(match))
        elif match.lastgroup == "close":
            if opened and CLOSER_OF[opened[-1].text] == match.group():
                opened.pop()
            else:
                closers.append(match.group())
    return opened, closers


def holds_elements(text: str, index: int) -> bool:
    """Whether the bracket at `index` holds elements parted by commas: any but a block's brace.

    gofmt sets a space before the brace of a block and none before that of a composite literal, unless it stands
    inside of another one.
    """
    if text[index] != "{":
        return True
    before = text[:index]
    if not before or not before[-1].isspace():
        return bool(before) and not before.endswith((")", "struct", "interface"))
    return before.rstrip().endswith((",", ":")) or (before.endswith("\t") and before.rstrip().endswith("{"))


def open_literal(text: str) -> str | None:
    """What `text` breaks off in: a quote character, "//", "/*", or None. A `//` comment is open to its line's end.

    A backslash before the quote says that `text` ends in one: the next character is escaped.
    """
    match = next(iter(deque(_NESTING_TOKEN.finditer(text), maxlen=1)), None)
    if match is None or match.end() != len(text):
        return None
    last = _token(match)
    if last.kind == "comment":
        if last.text.startswith("//"):
            return "//"
        return None if last.closed else "/*"
    if last.kind == "string" and not last.closed:
        quote = last.text[0]
        backslashes = len(last.text) - len(last.text.rstrip("\\"))
        return "\\" + quote if quote != "`" and backslashes % 2 else quote
    return None


def literal_end(text: str, quote: str) -> int:
    """Index just behind the end of a literal that `text` begins inside of (0 if it has no end); see open_literal."""
    if quote in ("//",):
        end = text.find("\n")
        return end if end >= 0 else len(text)
    if quote == "/*":
        end = text.find("*/")
        return end + 2 if end >= 0 else 0
    if quote == "`":
        return text.find("`") + 1
    escaped = quote.startswith("\\")
    for index, char in enumerate(text):
        if char == "\n":
            return 0
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == quote[-1]:
            return index + 1
    return 0


def declaration_span(text: str, offset: int) -> tuple[int, int]:
    """The top-level declaration around `offset`, as (start, end): code in gofmt's shape begins it in column 0.

    Text that cannot be parsed is no hindrance. Before the first declaration the span begins at 0.
    """
    # Upwards line by line: of a long file only the declaration is looked at.
    start = text.rfind("\n", 0, offset) + 1
    while start and not _TOP_LEVEL.match(text, start):
        start = text.rfind("\n", 0, start - 1) + 1
    following = _TOP_LEVEL.search(text, offset if offset == start else max(offset, start + 1))
    if following is not None and following.start() == start:
        following = _TOP_LEVEL.search(text, start + 1)
    limit = following.start() if following else len(text)
    closing = _DECLARATION_END.search(text, offset, limit)
    if closing is not None:
        line_end = text.find("\n", closing.start())
        return start, min(limit, line_end if line_end >= 0 else len(text))
    return start, limit


def statement_ends(text: str) -> list[int]:
    """Offsets at which a statement of `text` may end: line ends outside brackets that nothing carries on.

    Lines inside braces opened by `text` do not count; the text's own end counts when nothing is left open.
    """
    ends: list[int] = []
    depth = 0
    last: Token | None = None
    for token in tokens(text):
        if token.kind == "newline":
            if depth == 0 and last is not None and last.ends_statement:
                ends.append(last.end)
            continue
        if token.kind == "comment":
            continue
        if token.kind == "open":
            depth += 1
        elif token.kind == "close":
            depth -= 1
            if depth < 0:
                return ends
        last = token
    if depth == 0 and last is not None and last.ends_statement:
        ends.append(last.end)
    return list(dict.fromkeys(ends))
