"""Tokens that no Go program holds behind one another, whatever comes behind them.

Asked in the token loop, beside what names.py knows: with one of these all that follows is lost, so the model says its
next likely token instead. What only a parser can tell is left to the check.
"""

from __future__ import annotations

from collections.abc import Sequence

from goassist_index.scan import KEYWORDS, Token, code_before

# Characters that begin no token of Go (spec, "Operators and punctuation").
_NO_TOKEN = frozenset("?@#$\\")
# Behind these an operand comes, be it on a later line. Not `*`, `&`, `<-` and `...`, which types hold too.
_OPERATORS = "+ - / % | ^ << >> &^ && || == != < > <= >= ! = := += -= *= /= %= &= |= ^= <<= >>= &^="
_WANT_OPERAND = frozenset(_OPERATORS.split())
# What begins no operand. Not `/`, with which a comment may begin.
_OTHERS = ") ] } , ; : == != <= >= > && || = := % | << >> &^ += -= *= /= %= &= |= ^="
_NO_OPERAND = frozenset(_OTHERS.split())


def cannot_stand(found: Sequence[Token], number: int) -> bool:
    """Whether the token of that number can stand nowhere, or not behind the code before it.

    A token at the text's end may still grow; what it may grow to is just as wrong.
    """
    token, at = found[number], code_before(found, number)
    if token.kind == "operator" and (token.text in _NO_TOKEN or not token.text.isascii()):
        return True
    if at < 0:
        return False
    before = found[at]
    if before.text in _WANT_OPERAND:
        return token.text in _NO_OPERAND
    same_line = all(between.kind == "comment" for between in found[at + 1 : number])
    return same_line and _is_literal(before) and _begins_operand(token)


def _is_literal(token: Token) -> bool:
    return (token.kind == "string" and token.closed) or token.text[0].isdigit()


def _begins_operand(token: Token) -> bool:
    return token.kind == "string" or (token.kind == "word" and token.text not in KEYWORDS)
