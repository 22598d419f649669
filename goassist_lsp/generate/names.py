"""Holds decoding to names that exist: members, keys of a struct, types in a case, names in scope where one is used.

And to what can be parsed, as far as two tokens tell (grammar.py).

Made by the pipeline for one place; the engine's token loop asks `refuses` about each token before it is taken.
Refused is only what cannot be right: where the types are not known, or a name may be a new one, everything passes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

from goassist_index.scan import KEYWORDS, Token, code_before, holds_elements, open_brackets, tokens
from goassist_index.verdict import LegalNames
from goassist_lsp.generate.grammar import cannot_stand
from goassist_lsp.types import CursorContext, RefusedName

Ask = Callable[[str], LegalNames | None]

# Behind these a name is used, never declared (a colon: behind a key or a case; not at a line's end, as a label's).
_OPERATORS = "+ - * / % & | ^ << >> &^ && || == != < > <= >= ! = := += -= *= /= %= &= |= ^= <<= >>= <- ... :"
_USED_BEHIND = frozenset(_OPERATORS.split())
_USED_BEHIND_WORDS = frozenset({"return", "range", "go", "defer"})
_MOST_TRIES = 3  # to learn the names in scope: where the place cannot be read now, it may a little later
_OPENS = frozenset("([{")
_MOST_HEAD = 1500
# What is remembered of refused words, to tell a person.
_MOST_REMEMBERED = 5
_MOST_CHARS = 40


class NameGuide:
    """Which tokens may continue a text at one place. `ask(said)` gives the names legal behind what was said.

    `ask` is called from the thread that calls `refuses`: once for each dot, and once for the names in scope.
    `refused` holds the first few words that were refused, as far as they had been written.
    """

    def __init__(self, context: CursorContext, ask: Ask) -> None:
        self._head = _head(context)
        self._ask = ask
        self._known: dict[str, _Legal | None] = {}
        self._scope: _Legal | None = None
        self._tries = 0
        self._fitting: dict[str, _Names] = {}
        self.refused: list[RefusedName] = []

    def hold_to(self, said: str, names: frozenset[str]) -> None:
        """From now on, only one of `names` may stand behind `said`: those of the type that is wanted there."""
        self._fitting[said] = _Names(names)

    def refuses(self, said: str, piece: str) -> bool:
        """Whether `piece` behind `said` leads to, or ends, a name that does not exist, or cannot be parsed."""
        text = self._head + said + piece
        fresh = len(text) - len(piece)
        found = list(tokens(text))
        for number, token in enumerate(found):
            # What the piece adds to, or ends by what it begins with.
            if token.end < fresh or token.end <= len(self._head) or token.kind in ("newline", "comment"):
                continue
            if cannot_stand(found, number):
                self._remember(token, text)
                return True
            if token.kind not in ("word", "open"):
                continue
            fitting = self._fitting.get(self._said_before(token, text))
            if fitting is not None and token.kind == "word":
                wrong = not fitting.may_be(token, text)
            elif _is_member(found, number):
                wrong = self._wrong_member(token, found[:number], text)
            else:
                wrong = token.kind == "word" and self._wrong_name(token, found, number, text)
            if wrong:
                self._remember(token, text)
                return True
        return False

    def _remember(self, token: Token, text: str) -> None:
        line = text[text.rfind("\n", 0, token.start) + 1 : token.start].strip()
        name = RefusedName(token.text[:_MOST_CHARS], line[-_MOST_CHARS:])
        if len(self.refused) < _MOST_REMEMBERED and name not in self.refused:
            self.refused.append(name)

    def _wrong_member(self, token: Token, before: list[Token], text: str) -> bool:
        if len(before) >= 2 and before[-2].end == before[-1].start and before[-2].text[:1].isdigit():
            return False  # the fraction of a number
        legal = self._legal(token, text)
        if legal is None or legal.kind != "member":
            return False
        if token.kind == "open":
            return token.text == "(" and not legal.asserts
        return not legal.names.may_be(token, text)

    def _wrong_name(self, token: Token, found: list[Token], number: int, text: str) -> bool:
        if token.text[0].isdigit() or token.text in KEYWORDS:
            return False
        behind = text[token.end : token.end + 1]
        place = _place(found, number)
        if place == "literal":
            is_key = behind == ":" and text[token.end : token.end + 2] != ":="
            if not (is_key or _must_be_key(found, number)):
                return False
            legal = self._legal(token, text)
            return legal is not None and legal.kind == "key" and not legal.names.may_be(token, text)
        if place == "case":
            legal = self._legal(token, text)
            if legal is None or legal.kind not in ("case", "name"):
                return False  # what a select's case receives may have a new name
            if legal.kind == "case":
                return not legal.allows(found, number, text)
        elif place != "use" or (behind == ":" and text[token.end : token.end + 2] != ":="):
            return False
        scope = self._names_in_scope(token, text)
        return scope is not None and not scope.allows(found, number, text)

    def _names_in_scope(self, token: Token, text: str) -> _Legal | None:
        if self._scope is None and self._tries < _MOST_TRIES:
            self._tries += 1
            legal = self._legal(token, text)
            self._scope = legal if legal is not None and legal.kind == "name" else None
        return self._scope

    def _legal(self, token: Token, text: str) -> _Legal | None:
        """What is legal where `token` begins; for a word that the user began, at the cursor."""
        said = self._said_before(token, text)
        if said not in self._known:
            legal = self._ask(said)
            self._known[said] = _Legal(legal) if legal is not None else None
        return self._known[said]

    def _said_before(self, token: Token, text: str) -> str:
        return text[len(self._head) : token.start] if token.start > len(self._head) else ""


class _Names:
    """Names to compare words with, also those that are still being written."""

    def __init__(self, names: Iterable[str]) -> None:
        self._sorted = sorted(names)

    def may_be(self, word: Token, text: str) -> bool:
        """Whether a word of `text` is one of the names, or may become one as long as nothing stands behind it."""
        at = bisect_left(self._sorted, word.text)
        if at == len(self._sorted):
            return False
        return self._sorted[at] == word.text or (word.end == len(text) and self._sorted[at].startswith(word.text))


class _Legal:
    def __init__(self, legal: LegalNames) -> None:
        self.kind = legal.kind
        self.asserts = legal.asserts
        self.names = _Names({*legal.names, *KEYWORDS} if legal.kind in ("name", "case") else legal.names)
        self.packages = _Names(legal.packages)

    def allows(self, found: list[Token], number: int, text: str) -> bool:
        """Whether a word may stand there: as one of the names, as one just declared, or as a package before its dot."""
        word = found[number]
        if self.names.may_be(word, text):
            return True
        if text[word.end : word.end + 1] in ("", ".") and self.packages.may_be(word, text):
            return True
        return _declared(found, number).may_be(word, text)


def _declared(found: list[Token], number: int) -> _Names:
    """What was said before may be declared there, which the names at the first use do not know of."""
    return _Names(
        token.text for n, token in enumerate(found[:number]) if token.kind == "word" and not _is_member(found, n)
    )


def _is_member(found: list[Token], number: int) -> bool:
    return number > 0 and found[number - 1].text == "." and found[number - 1].end == found[number].start


def _head(context: CursorContext) -> str:
    """The text before the cursor that says what a word is: its line, from where the brackets it stands in begin.

    A block's brace says nothing of that, and what is longer than _MOST_HEAD costs more at each token than it is worth.
    """
    start = line = len(context.function_prefix) - len(context.line_prefix)
    for token in reversed(open_brackets(context.function_prefix)):
        if not holds_elements(context.function_prefix, token.start):
            break
        start = min(start, context.function_prefix.rfind("\n", 0, token.start) + 1)
    return context.function_prefix[start if line - start <= _MOST_HEAD else line :]


def _place(found: list[Token], number: int) -> str:
    """What a word is at its place: "use" of a name, "case" for that of a case, "literal" in braces, "" for all else."""
    at = code_before(found, number)
    before = found[at] if at >= 0 else None
    # Behind a colon at a line's end statements begin.
    if before is None or (at < number - 1 and (before.ends_statement or before.text == ":")):
        return ""
    if before.kind == "word":
        return "case" if before.text == "case" else "use" if before.text in _USED_BEHIND_WORDS else ""
    if before.text in _USED_BEHIND:
        return "use"
    if before.text not in ("(", "[", "{", ","):
        return ""
    opener = _innermost(found, number)
    if opener is None:
        return ""
    if found[opener].text == "{":
        return "literal" if _is_literal(found, opener) else ""
    behind = found[opener - 1] if opener else None
    adjacent = behind is not None and behind.end == found[opener].start
    if behind is None or not adjacent or behind.text in KEYWORDS:
        return ""
    # f(a, b) or f[int](a), and x[a]: not func(a, b int), not [a, b]T.
    return "use" if behind.kind in ("word", "close") else ""


def _must_be_key(found: list[Token], number: int) -> bool:
    """Whether an element of a struct's literal has to have a key: behind one that has, or on a line of its own.

    Values without keys may stand on lines of their own, but hardly ever do; keys say the same.
    """
    if found[number - 1].kind == "newline":
        return True
    opener = _innermost(found, number)
    depth = 0
    for token in found[opener + 1 if opener is not None else 0 : number]:
        depth += (token.kind == "open") - (token.kind == "close")
        if token.text == ":" and not depth:
            return True
    return False


def _is_literal(found: list[Token], opener: int) -> bool:
    """Whether a brace is a composite literal's: behind its type, or without one as an element of another literal."""
    at = opener - 1
    if at >= 0 and found[at].end == found[opener].start and found[at].kind in ("word", "close"):
        return found[at].text not in KEYWORDS and found[at].text != ")"
    at = code_before(found, opener)
    if at < 0 or found[at].text not in ("{", ",", ":"):
        return False
    outer = _innermost(found, opener)
    return outer is not None and found[outer].text == "{" and _is_literal(found, outer)


def _innermost(found: list[Token], number: int) -> int | None:
    """Index of the bracket that is open before the token, the innermost one; None when there is none in the text."""
    closed = 0
    for at in range(number - 1, -1, -1):
        if found[at].kind == "close":
            closed += 1
        elif found[at].text in _OPENS:
            if not closed:
                return at
            closed -= 1
    return None
