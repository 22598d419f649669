"""Claims about goassist_lsp.explain: a person can read what a completion came to, and what a session did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from goassist_index.verdict import ImportSpec, Unfinished, Verdict
from goassist_lsp.explain import DETAILED, EXCERPT_CHARS, explanation, session_report, summary
from goassist_lsp.history import Asked
from goassist_lsp.types import Candidate, Completion, RefusedName, Rejected, StageTiming
from goassist_models.engine import Generation
from support.places import candidate, in_function

SHOWN = replace(candidate("foo(a)", in_function("\t<CURSOR>")), verdict=Verdict("ok"), trail=("cut back",))
TIMES = (StageTiming("generate", 40.4), StageTiming("names", 3.0), StageTiming("check", 12.3))


def said(text: str, generated: str) -> Candidate:
    return replace(SHOWN, insert_text=text, generation=Generation(generated, "eos"))


def test_before_the_first_request_there_is_nothing_to_explain() -> None:
    assert explanation(None) == session_report(()) == "Nothing has been asked yet."


def test_a_skipped_request_says_why() -> None:
    assert explanation(Completion(skip_reason="generated file")) == "**Silent**: generated file."


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        (Completion(), "the model said nothing"),
        (Completion(rejected=(Rejected(" ", "postprocess", "drop_blank"),)), "the model said nothing"),
        (Completion(degraded=("check",)), "the type check could not be had, and nothing is shown unchecked"),
        (
            Completion(rejected=(Rejected("x", "postprocess", "drop_blank"), Rejected("y", "check", "undefined: y"))),
            "nothing that was generated may be shown; the type check says undefined: y",
        ),
        (
            Completion(rejected=(Rejected("x", "postprocess", "drop_repeat_of_lines_above"),)),
            "nothing that was generated may be shown; it was dropped by the filter drop repeat of lines above",
        ),
        (
            Completion(rejected=(Rejected("x", "imports", "no place for its import"),)),
            "nothing that was generated may be shown; imports: no place for its import",
        ),
    ],
)
def test_silence_begins_with_its_reason(completion: Completion, reason: str) -> None:
    assert explanation(completion).startswith(f"**Silent**: {reason}.\n")
    assert summary(completion) == f"silent: {reason}"


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


def test_what_was_generated_is_told_where_something_else_is_shown() -> None:
    text = explanation(Completion(candidates=(said("foo(a)", "foo(a)\n\tbad()"),), timings=TIMES))
    assert "It was generated as:\n\n```go\nfoo(a)\n\tbad()\n```" in text
    same = explanation(Completion(candidates=(said("a\r\nb", "a\nb\n"),), timings=TIMES))
    assert "generated as" not in same


def test_what_was_typed_through_says_that_the_model_was_not_asked() -> None:
    text = explanation(Completion(candidates=(SHOWN,), timings=(StageTiming("reuse", 0.1),)))
    assert "the model was not asked" in text
    assert "the model was not asked" not in explanation(Completion(candidates=(SHOWN,), timings=TIMES))


def test_what_is_left_to_later_lines_is_told() -> None:
    verdict = Verdict("ok", unfinished=(Unfinished("unused_variable", 1, 1, "declared and not used: x", False),))
    text = explanation(Completion(candidates=(replace(SHOWN, verdict=verdict),)))
    assert "Left to later lines: declared and not used: x." in text


def test_what_was_dropped_comes_with_stage_and_reason() -> None:
    text = explanation(Completion(rejected=(Rejected("bar()", "check", "undefined: bar"),)))
    assert "nothing that was generated may be shown" in text
    assert "Dropped by check: undefined: bar" in text
    assert "```go\nbar()\n```" in text


def test_where_it_failed_is_told_by_the_text_there() -> None:
    rejected = Rejected("foo()\n\tbar(1)\n\tbaz()", "check", "undefined: bar", at=7)
    assert "Dropped by check at `bar(1)`: undefined: bar" in explanation(Completion(rejected=(rejected,)))
    at_end = replace(rejected, at=len(rejected.text))
    assert "Dropped by check at its end: undefined: bar" in explanation(Completion(rejected=(at_end,)))


def test_what_was_mended_says_how() -> None:
    rejected = Rejected("foo()\n\tbar()", "check", "undefined: bar", at=7, mended="cut back")
    text = explanation(Completion(candidates=(SHOWN,), rejected=(rejected,)))
    assert "Failed the check at `bar()`, then cut back: undefined: bar" in text
    assert "Dropped" not in text


def test_what_decoding_refused_is_told() -> None:
    names = (RefusedName("Foo", "x."), RefusedName("raw", "`a` +"), RefusedName("oth", ""))
    text = explanation(Completion(refused_tokens=7, refused_names=names))
    assert (
        "Refused while decoding: 7 tokens, among them `Foo` behind `x.`; `raw` behind `` `a` + ``; "
        "`oth` at the line's beginning.\n" in text
    )
    assert "Refused while decoding: 1 token.\n" in explanation(Completion(refused_tokens=1))
    assert "Refused" not in explanation(Completion())


def test_what_was_put_into_the_prompt_is_told_if_there_is_any() -> None:
    text = explanation(Completion(prompt_notes=("type of x: *T", "snippet store.go:12")))
    assert "In the prompt:\n\n- type of x: *T\n- snippet store.go:12\n" in text
    assert "In the prompt" not in explanation(Completion())


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


def test_no_text_of_code_is_told_at_length() -> None:
    long = "x" * 1000
    completion = Completion(
        candidates=(said(long, long + "()"),),
        rejected=(Rejected(long, "check", long, at=0),),
        refused_names=(RefusedName(long, long),),
        prompt_notes=(long,),
        timings=TIMES,
    )
    asked = Asked(datetime(2026, 1, 2, tzinfo=UTC), long, "line", completion)
    runs = [len(run) for run in session_report((asked,)).replace("\n", " ").split() if set(run) <= set("x…")]
    assert max(runs) == EXCERPT_CHARS
    assert "x" * (EXCERPT_CHARS + 1) not in session_report((asked,))
    assert "x" * (EXCERPT_CHARS + 1) not in explanation(replace(completion, candidates=(), skip_reason=long))


def test_code_with_backquotes_stays_in_its_block() -> None:
    text = explanation(Completion(rejected=(Rejected("s := `\n```\n`", "check", "bad"),)))
    assert "````go\ns := `\n```\n`\n````\n" in text


@pytest.mark.parametrize(
    ("completion", "line"),
    [
        (Completion(candidates=(SHOWN,), timings=TIMES), "shown `foo(a)` (ok (cut back), 53 ms)"),
        (Completion(candidates=(replace(SHOWN, trail=()),)), "shown `foo(a)` (ok, 0 ms)"),
        (Completion(candidates=(said("\n\tfoo()\n\tb()", ""),)), "shown `foo()` (ok (cut back), 1 more line, 0 ms)"),
        (Completion(candidates=(SHOWN, SHOWN)), "shown `foo(a)` (ok (cut back), first of 2, 0 ms)"),
        (Completion(skip_reason="cursor stands in a comment"), "silent: cursor stands in a comment"),
    ],
)
def test_a_completion_in_one_line(completion: Completion, line: str) -> None:
    assert summary(completion) == line


def test_a_session_has_a_line_for_each_completion_and_the_first_few_in_full() -> None:
    asked = [
        Asked(
            datetime(2026, 1, 2, 15, 4, second, tzinfo=UTC),
            f"a.go:{second}:1",
            "line" if second % 2 else "",
            Completion(candidates=(said(f"f{second}()", f"f{second}()"),), timings=TIMES),
        )
        for second in range(9, 0, -1)
    ]
    lines = session_report(asked).splitlines()
    assert lines[0] == "# The last 9 completions, newest first"
    assert lines[2] == "- 15:04:09 `a.go:9:1` (line): shown `f9()` (ok (cut back), 53 ms)"
    assert lines[3] == "- 15:04:08 `a.go:8:1`: shown `f8()` (ok (cut back), 53 ms)"
    assert len([line for line in lines if line.startswith("- ")]) == 9
    headings = [line for line in lines if line.startswith("## ")]
    assert headings[0] == "## 15:04:09 `a.go:9:1` (line)"
    assert len(headings) == DETAILED
    assert sum(line.startswith("**Shown 1**") for line in lines) == DETAILED
