"""Claims about goassist_lsp.explain: a person can read what a completion came to."""

from dataclasses import replace

from goassist_index.verdict import ImportSpec, Verdict
from goassist_lsp.explain import explanation
from goassist_lsp.types import Completion, Rejected, StageTiming
from support.places import candidate, in_function

SHOWN = replace(candidate("foo(a)", in_function("\t<CURSOR>")), verdict=Verdict("ok"), trail=("cut back",))


def test_before_the_first_request_there_is_nothing_to_explain() -> None:
    assert explanation(None) == "Nothing has been asked yet."


def test_a_skipped_request_says_why() -> None:
    assert explanation(Completion(skip_reason="generated file")) == "**Silent**: generated file."


def test_what_is_shown_comes_with_its_verdict_and_trail() -> None:
    text = explanation(Completion(candidates=(SHOWN,)))
    assert "**Shown 1** — type check: ok (cut back)" in text
    assert "```go\nfoo(a)\n```" in text


def test_imports_that_come_along_are_told() -> None:
    verdict = Verdict("ok", imports=(ImportSpec("", "os"), ImportSpec("m", "example.com/a")))
    text = explanation(Completion(candidates=(replace(SHOWN, verdict=verdict, trail=()),)))
    assert 'type check: ok, with import "os", with import m "example.com/a"\n' in text


def test_an_unchecked_candidate_says_so() -> None:
    assert "type check: not checked" in explanation(Completion(candidates=(replace(SHOWN, verdict=None),)))


def test_what_was_dropped_comes_with_stage_and_reason() -> None:
    text = explanation(Completion(rejected=(Rejected("bar()", "check", "undefined: bar"),)))
    assert "nothing that was generated may be shown" in text
    assert "Dropped by check: undefined: bar" in text
    assert "```go\nbar()\n```" in text


def test_times_tokens_and_degradations_are_told() -> None:
    text = explanation(
        Completion(
            timings=(StageTiming("check", 12.3),),
            degraded=("check",),
            prompt_tokens=10,
            read_tokens=3,
            generated_tokens=2,
        )
    )
    assert "Done without: check." in text
    assert text.endswith("Times: check 12 ms. Tokens: 10 in the prompt, 3 read, 2 said.")
