"""Claims about a run's figures and tables: what counts for what, what stands apart, and how it is written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Answer, Example
from goassist_models.evaluate.report.measures import OUTCOMES, outcome
from goassist_models.evaluate.report.tables import markdown, markdown_of, summary
from support.examples import case, failed, run, shown, silent, unjudged, wrong

CASES = [case(number) for number in range(70)]


def rows(text: str, title: str) -> dict[str, list[str]]:
    """Cells by the first, of the table with this title."""
    part = text[text.index(f"### {title}") :].split("\n\n")[1]
    lines = [line.strip("| ").split(" | ") for line in part.splitlines()]
    return {cells[0]: cells[1:] for cells in lines[2:]}


def test_18_against_2_is_better_and_4_against_2_is_noise(tmp_path: Path) -> None:
    right_of = {"base": {*range(18, 20), *range(50, 54)}, "joined": {*range(18)}, "other": {*range(18, 22)}}
    right_of["joined"] |= {*range(50, 54)}
    right_of["other"] |= {*range(50, 54)}
    made = [shown(c, s) if c.start in right else wrong(c, s) for s, right in right_of.items() for c in CASES]
    told = summary(run(tmp_path, made), against="base")["paired"]
    joined, other = (told["systems"][system]["first_line"] for system in ("joined", "other"))
    assert (joined["gained"], joined["lost"], joined["n"], joined["verdict"]) == (18, 2, 70, "better")
    assert joined["p"] == pytest.approx(422 / 2**20)
    assert joined["difference"] == pytest.approx(16 / 70)
    assert (other["gained"], other["lost"], other["verdict"]) == (2, 0, "within noise")


def test_the_first_system_is_the_base_unless_another_is_named(tmp_path: Path) -> None:
    made = run(tmp_path, [shown(CASES[0], "one"), shown(CASES[0], "two")])
    assert summary(made)["paired"]["base"] == "one"
    assert list(summary(made, against="two")["paired"]["systems"]) == ["one"]
    with pytest.raises(GoassistError, match="no compared system is called 'three'"):
        summary(made, against="three")


def test_what_was_not_judged_is_neither_compiled_nor_refused(tmp_path: Path) -> None:
    made = [shown(CASES[0], "s"), wrong(CASES[1], "s"), unjudged(CASES[2], "s"), silent(CASES[3], "s")]
    told = summary(run(tmp_path, made))
    figures = told["figures"]["s"]
    assert (figures["compiles_of_shown"]["value"], figures["compiles_of_shown"]["n"]) == (1 / 2, 2)
    assert (figures["compiles_of_all"]["value"], figures["compiles_of_all"]["n"]) == (pytest.approx(1 / 3), 3)
    assert (figures["first_line"]["value"], figures["first_line"]["n"]) == (2 / 4, 4)
    assert told["failures"]["s"]["unjudged"] == 1
    assert told["failures"]["s"]["words"]["not judged"] == {"the judge failed: gave up after 300 s": 1}


def test_pairs_that_were_not_both_judged_are_not_compared_by_the_compiler_s_word(tmp_path: Path) -> None:
    made = [shown(c, "a") for c in CASES[:4]] + [unjudged(CASES[0], "b"), *(silent(c, "b") for c in CASES[1:4])]
    pair = summary(run(tmp_path, made))["paired"]["systems"]["b"]
    assert (pair["compiles_and_shown"]["n"], pair["compiles_and_shown"]["lost"]) == (3, 3)
    assert pair["first_line"]["n"] == 4


def test_a_failure_takes_its_case_from_all_and_a_dead_system_stands_apart(tmp_path: Path) -> None:
    made = [shown(c, "a") for c in CASES[:10]]
    made += [failed(CASES[0], "b"), *(shown(c, "b") for c in CASES[1:10])]
    made += [*(shown(c, "dead") for c in CASES[:2]), *(failed(c, "dead", "no server") for c in CASES[2:7])]
    told = summary(run(tmp_path, made, given_up={"dead": "no server"}))
    assert told["cases"] == {"asked": 10, "compared": 9, "left_out": 1, "apart": {"dead": 2}}
    assert [told["figures"][s]["holes"] for s in ("a", "b")] == [9, 9]
    assert "dead" not in told["figures"]
    assert told["failures"]["dead"] == {
        "asked": 7,
        "errors": 5,
        "unjudged": 0,
        "unscored": 0,
        "words": {"system failed": {"no server": 5}, "not judged": {}},
    }
    text = markdown_of(told)
    assert "dead answered 2 of 10 and stands apart" in text
    assert "dead was given up: no server" in text
    assert rows(text, "Failures")["dead"] == ["7", "5", "0", "0", "5 times: no server"]


def test_an_answer_without_scores_is_counted_as_that(tmp_path: Path) -> None:
    told = summary(run(tmp_path, [shown(CASES[0], "s"), Example(CASES[1], "s", Answer(ms=3.0))]))
    assert (told["failures"]["s"]["unscored"], told["figures"]["s"]["holes"]) == (1, 1)


def test_a_case_asked_again_counts_once_as_last_asked(tmp_path: Path) -> None:
    told = summary(run(tmp_path, [failed(CASES[0], "s"), shown(CASES[0], "s")]))
    assert (told["cases"]["asked"], told["failures"]["s"]["errors"], told["figures"]["s"]["holes"]) == (1, 0, 1)


def test_a_run_in_which_nothing_was_asked_or_answered_says_so(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match="nothing was asked"):
        summary(run(tmp_path / "empty", []))
    text = markdown(run(tmp_path / "dead", [failed(CASES[0], "s")]))
    assert "s answered 0 of 1 and stands apart" in text
    assert "### Systems" not in text


def test_groups_count_a_case_in_each_of_its_own(tmp_path: Path) -> None:
    deps = ("golang.org/x/net@v0.62.0 2026-03", "golang.org/x/text@v0.9.0 2023-04")
    made = [
        shown(case(1, slices=("generics", "tests"), dependencies=deps, kind="body"), "s"),
        wrong(case(2, slices=("tests",), new=False), "s"),
    ]
    groups = summary(run(tmp_path, made))["groups"]
    holes = {by: {name: f["s"]["holes"] for name, f in found.items()} for by, found in groups.items()}
    assert holes == {
        "kind": {"body": 1, "line": 1},
        "role": {},
        "slice": {"generics": 1, "tests": 2},
        "age": {"new": 1, "older": 1},
        "dependency": {"golang.org/x/net": 1, "golang.org/x/text": 1, "standard library alone": 1},
        "dependency_year": {"2023": 1, "2026": 1, "standard library alone": 1},
    }
    assert groups["slice"]["tests"]["s"]["first_line"]["value"] == 0.5


def test_kinds_stand_in_the_order_of_their_size(tmp_path: Path) -> None:
    made = [shown(case(n, kind=kind), "s") for n, kind in enumerate(("body", "expression", "line", "block"))]
    assert list(rows(markdown(run(tmp_path, made)), "By kind of hole: first")) == [
        "line",
        "expression",
        "block",
        "body",
    ]


def test_why_silent_and_what_the_compiler_said_are_counted_by_class(tmp_path: Path) -> None:
    said = ("check: undefined: a", "check: undefined: b", "skipped: a comment")
    made = [silent(c, "s", why) for c, why in zip(CASES, said, strict=False)]
    made += [wrong(CASES[5], "s"), wrong(CASES[6], "s", "a.go:2:1: syntax error: unexpected }")]
    text = markdown(run(tmp_path, made))
    assert rows(text, "Why silent") == {"check: undefined name": ["2"], "skipped: a comment": ["1"]}
    assert rows(text, "The compiler's first complaint") == {"undefined name": ["1"], "syntax": ["1"]}


def test_times_and_costs_are_of_what_was_shown_and_of_what_was_asked(tmp_path: Path) -> None:
    made = [shown(c, "s", ms=float(100 * (n + 1))) for n, c in enumerate(CASES[:10])]
    figures = summary(run(tmp_path, [*made, silent(CASES[10], "s")]))["figures"]["s"]
    assert (figures["ms_p50"]["value"], figures["ms_p90"]["value"], figures["ms_p50"]["n"]) == (500, 900, 10)
    assert figures["ms_p50_of_all"]["n"] == 11
    assert (figures["cpu_s"], figures["read_tokens"]) == (None, None)


def test_a_summary_is_json_and_the_tables_are_made_from_it_alone(tmp_path: Path) -> None:
    made = run(tmp_path, [shown(CASES[0], "s"), wrong(CASES[0], "t")])
    assert markdown_of(json.loads(json.dumps(summary(made), allow_nan=False))) == markdown(made)


def test_words_of_others_cannot_break_a_table(tmp_path: Path) -> None:
    made = run(tmp_path, [failed(CASES[0], "a|b`", "x\n| y <img src=x>"), shown(CASES[1], "a|b`")])
    line = next(line for line in markdown(made).splitlines() if "times:" in line)
    assert line == "| a\\|b\\` | 2 | 1 | 0 | 0 | 1 times: x \\| y &lt;img src=x&gt; |"


def test_modules_that_were_not_measured_are_named(tmp_path: Path) -> None:
    made = run(tmp_path, [shown(CASES[0], "s")], failed_modules=[{"module": "example.com/gone", "why": "no such host"}])
    assert "Not measured: example.com/gone: no such host" in markdown(made)


def test_every_outcome_has_its_name() -> None:
    c = CASES[0]
    differs = {"exact": False, "first_line_exact": False}
    every = (shown(c, "s"), shown(c, "s", exact=False), shown(c, "s", **differs), wrong(c, "s"), silent(c, "s"))
    assert tuple(map(outcome, (*every, unjudged(c, "s"), failed(c, "s"), Example(c, "s")))) == OUTCOMES


def test_imports_have_columns_where_holes_need_them(tmp_path: Path) -> None:
    needing = [replace(case(number), needs="os") for number in range(4)]
    added = (("os",), ("io", "os"), ("io",), ())
    made = [
        replace(example, scores=replace(example.scores, imports_added=paths))
        for example, paths in zip((shown(c, "s") for c in needing), added, strict=True)
        if example.scores is not None
    ]
    figures = summary(run(tmp_path / "needing", made))["figures"]["s"]
    assert (figures["import_right"]["value"], figures["import_wrong"]["value"]) == (0.5, 0.5)
    assert "right import" in markdown(run(tmp_path / "needing2", made))
    assert "right import" not in markdown(run(tmp_path / "others", [shown(case(9), "s")]))


def test_stages_have_their_times_and_types_their_sum(tmp_path: Path) -> None:
    def timed(example: Example, **ms: float) -> Example:
        assert example.answer is not None
        return replace(example, answer=replace(example.answer, details={"timings_ms": ms}))

    made = [timed(shown(case(n), "s"), generate=100.0, names=n, check=2.0, fixes=1.0) for n in range(1, 21)]
    told = summary(run(tmp_path, [*made, *(shown(case(n), "silent about it") for n in range(1, 21))]))
    assert told["stages"]["names"] == {"s": {"p50": 10, "p95": 19}}
    assert told["stages"]["types, together"] == {"s": {"p50": 13.0, "p95": 22.0}}
    assert rows(markdown_of(told), "Milliseconds by stage")["check"] == ["2.0 / 2.0"]
