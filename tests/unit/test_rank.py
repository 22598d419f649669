"""Claims about goassist_lsp.rank: which verified candidates are shown, best first."""

from dataclasses import replace

import pytest

from goassist_index.verdict import Diagnostic, Unfinished, Verdict
from goassist_lsp import rank
from goassist_lsp.types import Candidate
from support.places import candidate, in_function

OK = Verdict("ok")
LATER = Unfinished("unused_variable", 3, 2, "declared and not used: x", final=False)
NEVER = replace(LATER, final=True)


def verified(text: str, *, logprob: float = -0.5, verdict: Verdict = OK, trail: tuple[str, ...] = ()) -> Candidate:
    made = candidate(text, in_function("\t<CURSOR>"))
    return replace(made, verdict=verdict, trail=trail, generation=replace(made.generation, mean_logprob=logprob))


def texts(candidates: tuple[Candidate, ...]) -> list[str]:
    return [candidate.insert_text for candidate in candidates]


def test_the_likelier_comes_first() -> None:
    assert texts(rank.order((verified("a", logprob=-2.0), verified("b", logprob=-0.1)), 2)) == ["b", "a"]


def test_the_whole_comes_before_the_cut() -> None:
    cut = verified("a", logprob=-0.1, trail=(rank.CUT_BACK,))
    assert texts(rank.order((cut, verified("b", logprob=-3.0)), 2)) == ["b", "a"]


def test_what_leans_on_later_lines_comes_last() -> None:
    leaning = verified("a", logprob=-0.1, verdict=Verdict("ok", unfinished=(LATER,)))
    cut = verified("b", logprob=-3.0, trail=(rank.CUT_BACK,))
    assert texts(rank.order((leaning, cut), 2)) == ["b", "a"]


def test_the_same_text_is_shown_once_and_no_more_than_asked() -> None:
    many = tuple(verified(text) for text in "aabbc")
    assert texts(rank.order(many, 2)) == ["a", "b"]


@pytest.mark.parametrize(
    ("verdict", "showable"),
    [
        (OK, True),
        (Verdict("ok", unfinished=(LATER,)), True),
        (Verdict("ok", unfinished=(LATER, NEVER)), False),
        (Verdict("error", errors=(Diagnostic(1, 1, "undefined: x"),)), False),
        (Verdict("unknown", reason="loading"), False),
    ],
)
def test_only_what_type_checks_and_can_be_finished_is_shown(verdict: Verdict, showable: bool) -> None:
    assert verdict.showable is showable


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict("error", errors=(Diagnostic(1, 1, "undefined: x"), Diagnostic(2, 1, "y"))), "undefined: x"),
        (Verdict("ok", unfinished=(LATER, NEVER)), NEVER.message),
        (Verdict("unknown", reason="package is loading"), "package is loading"),
        (Verdict("unknown"), "cannot be checked"),
    ],
)
def test_the_reason_is_in_the_compilers_words(verdict: Verdict, words: str) -> None:
    assert rank.why_not(verdict) == words
