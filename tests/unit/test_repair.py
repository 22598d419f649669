"""Claims about goassist_lsp.generate.repair: which token a failed candidate is said otherwise from."""

from __future__ import annotations

import re

import pytest

from goassist_index.verdict import Diagnostic, Verdict
from goassist_lsp.generate.repair import blamed_step, mistyped_word, step_at
from goassist_lsp.types import Candidate
from goassist_models.engine import Generation, Step


def failed(text: str, message: str, *, unsure: str = "", generated: str | None = None) -> Candidate:
    """A candidate with its error at «; the token `unsure` is the one that the model was least sure of."""
    at = text.index("«")
    text = text.replace("«", "")
    said = text if generated is None else generated
    words = [match.group() for match in re.finditer(r"\w+|\W", said)]
    ends = [len("".join(words[: n + 1])) for n in range(len(words))]
    steps = tuple(
        Step(n, -9.0 if word == unsure else -0.1, end) for n, (word, end) in enumerate(zip(words, ends, strict=True))
    )
    verdict = Verdict("error", errors=(Diagnostic(1, 1, message, len(text[:at].encode())),))
    return Candidate(text, 5, 5, Generation(said, "eos", steps=steps), verdict)


@pytest.mark.parametrize(
    ("text", "message", "unsure", "blamed"),
    [
        ("conn.«Foo(bar)", "conn.Foo undefined", "bar", "Foo"),
        ("«nowhere(bar)", "undefined: nowhere", "bar", "nowhere"),
        ("take(«item.name, other)", "cannot use item.name (type string) as int value", "name", "name"),
        ("take(«item.name, other)", "cannot use item.name (type string) as int value", "item", "item"),
        ("take(«item.name, other)", "cannot use item.name (type string) as int value", "other", "item"),
        ("take(«f(a, b).c)\n\tnext", "cannot use f(a, b).c (type string) as int value", "b", "b"),
        ("take(«item)\n\tnext", "cannot use item (type string) as int value", "next", "item"),
    ],
)
def test_the_blamed_token(text: str, message: str, unsure: str, blamed: str) -> None:
    candidate = failed(text, message, unsure=unsure)
    step = blamed_step(candidate)
    assert step is not None
    steps = candidate.generation.steps
    start = steps[step - 1].end if step else 0
    assert candidate.generation.text[start : steps[step].end] == blamed


def test_what_was_not_generated_is_not_said_otherwise() -> None:
    assert blamed_step(failed("\tconn.«Foo()", "undefined", generated="conn.Foo()")) is None
    assert blamed_step(Candidate("x", 0, 0, Generation("x", "eos"), Verdict("error"))) is None


@pytest.mark.parametrize(
    ("text", "message", "word"),
    [
        ("take(«item.name, other)", "cannot use item.name (type string) as int value", "name, other)"),
        ("take(«f(a, b).c)\n\tnext", "cannot use f(a, b).c (type string) as int value", "c)\n\tnext"),
        ("take(«f.g(a, b))\n\tnext", "cannot use f.g(a, b) (type string) as int value", "g(a, b))\n\tnext"),
        ("take(«item)\n\tnext", "cannot use item (type string) as int value", "item)\n\tnext"),
        ("take(«1)", 'cannot use "x" (type string) as int value', "1)"),
        ('take(«"x")', 'cannot use "x" (type string) as int value', None),
        ("conn.«Foo(bar)", "conn.Foo undefined", None),
    ],
)
def test_the_word_whose_type_is_wrong(text: str, message: str, word: str | None) -> None:
    candidate = failed(text, message)
    at = mistyped_word(candidate)
    assert (candidate.generation.text[at:] if at is not None else None) == word


def test_the_token_that_says_a_place() -> None:
    generation = failed("take(«item.name)", "cannot use item.name (type string) as int value").generation
    assert [step_at(generation, at) for at in (0, 3, 4, 5, 9, 10)] == [0, 0, 1, 2, 3, 4]
