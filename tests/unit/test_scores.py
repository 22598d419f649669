"""Claims about goassist_models.evaluate.scores: what stands in the hole, how it compares, what the compiler says."""

from pathlib import Path

import pytest

from goassist_models.evaluate.example import Answer, Case, Edit, Question, Scores
from goassist_models.evaluate.judge import CompileJudge, Judgement
from goassist_models.evaluate.scores import inserted, score

BEFORE = 'package j\n\nimport "strings"\n\nfunc Äb(words []string) string {\n\tfirst := words[0]\n\treturn '
BEHIND = "\n}\n"
TRUTH = "strings.ToUpper(first) + words[1]"
OFFSET = len(BEFORE)
QUESTION = Question(Path("copy"), Path("copy/a.go"), BEFORE + BEHIND, OFFSET)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> CompileJudge:
    root = tmp_path_factory.mktemp("module")
    (root / "go.mod").write_text("module example.com/j\n\ngo 1.22\n")
    (root / "a.go").write_text(BEFORE + TRUTH + BEHIND, encoding="utf-8")
    return CompileJudge.open(root)


CASE = Case(
    module="example.com/j",
    file="a.go",
    kind="line",
    role="",
    function="Äb",
    new=True,
    start=len(BEFORE.encode()),
    end=len((BEFORE + TRUTH).encode()),
    function_start=0,
    function_end=0,
    truth=TRUTH,
)


def answer(text: str, start: int = 0, end: int = 0, *others: Edit) -> Answer:
    """One whose edit replaces [start, end) relative to the cursor."""
    return Answer((Edit(OFFSET + start, OFFSET + end, text), *others), ms=1.0)


@pytest.mark.parametrize(
    ("start", "end", "text", "hole"),
    [
        (0, 0, "first", "first"),
        (-7, 0, "return first", "first"),
        (0, 2, "first\n}", "first"),
        (0, 3, "first\n}\n", "first"),
        (-1, 2, " first\n}", "first"),
        (-7, 0, "panic(1)", "panic(1)"),
        (0, 2, "first", "first"),
        (0, 0, "", ""),
    ],
)
def test_the_hole_holds_what_is_new_between_prefix_and_suffix(start: int, end: int, text: str, hole: str) -> None:
    assert inserted(QUESTION, answer(text, start, end)) == hole


def test_an_edit_further_on_counts_from_the_cursor() -> None:
    assert inserted(QUESTION, answer("// why\n", 1, 1)) == "\n// why"


def test_silence_leaves_the_hole_empty_and_scores_nothing(judge: CompileJudge) -> None:
    assert inserted(QUESTION, Answer()) == ""
    assert score(CASE, QUESTION, Answer(silent_because="unsure"), judge) == Scores(shown=False)


def test_the_truth_is_right_in_every_way_and_compiles(judge: CompileJudge) -> None:
    assert score(CASE, QUESTION, answer(TRUTH), judge) == Scores(
        shown=True,
        inserted=TRUTH,
        compiles=True,
        compiles_bare=True,
        first_line_exact=True,
        exact=True,
        edit_similarity=1.0,
        prefix_right=1.0,
    )


def test_blanks_at_both_ends_do_not_count(judge: CompileJudge) -> None:
    found = score(CASE, QUESTION, answer(f"  {TRUTH}\t"), judge)
    assert (found.exact, found.first_line_exact, found.prefix_right, found.edit_similarity) == (True, True, 1.0, 1.0)


def test_more_than_the_truth_is_right_in_its_first_line_alone(judge: CompileJudge) -> None:
    found = score(CASE, QUESTION, answer(TRUTH + "\n\tpanic(1)"), judge)
    assert (found.exact, found.first_line_exact, found.prefix_right) == (False, True, 1.0)
    assert found.edit_similarity == pytest.approx(len(TRUTH) / len(TRUTH + "\n\tpanic(1)"))


def test_what_is_wrong_is_measured_from_its_beginning(judge: CompileJudge) -> None:
    found = score(CASE, QUESTION, answer("strings.ToLower(first)"), judge)
    assert (found.compiles, found.exact, found.first_line_exact) == (True, False, False)
    assert found.prefix_right == pytest.approx(len("strings.To") / len(TRUTH))


def test_taking_away_what_was_typed_is_not_right_even_if_the_hole_reads_like_the_truth(judge: CompileJudge) -> None:
    before = score(CASE, QUESTION, answer(TRUTH, -7, 0), judge)
    behind = score(CASE, QUESTION, answer(TRUTH, 0, 2), judge)
    assert [(s.inserted, s.exact, s.compiles) for s in (before, behind)] == [(TRUTH, False, False)] * 2
    assert before.prefix_right == 0.0
    assert not before.first_line_exact


def test_the_compiler_s_first_complaint_is_kept_with_its_place(judge: CompileJudge) -> None:
    found = score(CASE, QUESTION, answer("frist + last"), judge)
    assert found.compiles is False
    assert found.judge == "a.go:7:9: undefined: frist"
    assert found.unjudged == ""


def test_imports_that_come_along_count_for_one_of_the_two_judgements(judge: CompileJudge) -> None:
    line = BEFORE.index("import")
    given = answer("strings.ToUpper(fmt.Sprint(first))", 0, 0, Edit(line, line, 'import "fmt"\n'))
    found = score(CASE, QUESTION, given, judge)
    assert (found.compiles, found.compiles_bare, found.judge) == (True, False, "")


def test_a_system_s_failure_is_not_scored_as_silence(judge: CompileJudge) -> None:
    found = score(CASE, QUESTION, Answer((Edit(OFFSET, OFFSET, TRUTH),), error="it died"), judge)
    assert found == Scores(shown=False, unjudged="the system failed: it died")


@pytest.mark.parametrize("words", ["go build -gcflags=-e: gave up after 300 s\n", "compile: signal: killed\n", ""])
def test_the_judge_s_own_failure_is_no_judgement(
    judge: CompileJudge, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(CompileJudge, "build", lambda *_: Judgement(False, (), words))
    found = score(CASE, QUESTION, answer(TRUTH), judge)
    assert (found.shown, found.exact, found.compiles, found.compiles_bare) == (True, True, None, None)
    assert found.unjudged.startswith("the judge failed: ")


def test_a_file_that_the_judge_does_not_build_is_not_judged(judge: CompileJudge) -> None:
    from dataclasses import replace

    found = score(replace(CASE, file="other.go"), QUESTION, answer(TRUTH), judge)
    assert (found.compiles, "belongs to no package" in found.unjudged) == (None, True)


def test_text_that_is_no_text_does_not_compile(judge: CompileJudge) -> None:
    assert score(CASE, QUESTION, answer('"\ud83d"'), judge).compiles is False


def test_imports_that_come_along_are_named(judge: CompileJudge) -> None:
    at = BEFORE.index("import")
    brought = Edit(at, at, 'import "os"\n\n')
    assert score(CASE, QUESTION, answer("os.Args[0]", 0, 0, brought), judge).imports_added == ("os",)
    assert score(CASE, QUESTION, answer("first"), judge).imports_added == ()
