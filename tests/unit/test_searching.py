"""Claims about the questions that search is measured with: the answer is in the module, and not given away."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from goassist_index.embed import FakeEmbedder
from goassist_lsp.cli import main
from goassist_lsp.cli.eval import search
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.searching import SearchCase, rank_of, search_cases
from support.workspaces import lay_out

MODULE = """\
-- go.mod --
module example.com/clock

go 1.23
-- clock.go --
package clock

// ParseSpan reads a length of time such as "90m" and fails for negative ones.
//
//go:noinline
func ParseSpan(text string) (int, error) {
	return scan(text)
}

// short
func scan(text string) (int, error) {
	return len(text), nil
}

// Total adds up the minutes of all spans that are given.
func (c *Clock) Total(spans []string) int {
	sum := 0
	for _, span := range spans {
		minutes, _ := ParseSpan(span)
		sum += minutes
	}
	return sum
}

// Clock counts.
type Clock struct{}
-- clock_test.go --
package clock

func TestParseSpan(t *testing.T) {
	ParseSpan("90m")
}

func TestClock_Total(t *testing.T) {}

func TestNothing(t *testing.T) {}
-- vendor/x/x.go --
package x

// Hidden is a function that no index reads.
func Hidden() {}
"""


@pytest.fixture
def cases(tmp_path: Path) -> dict[str, list[SearchCase]]:
    root = lay_out(tmp_path / "module", MODULE)
    made = search_cases(root, tmp_path / "copy", "clock", 10, 1)
    assert made == search_cases(root, tmp_path / "again", "clock", 10, 1)
    return {task: [case for case in made if case.task == task] for task in ("comment", "callee", "tested")}


def test_comments_ask_without_the_name_and_are_taken_out_of_what_is_indexed(
    cases: dict[str, list[SearchCase]], tmp_path: Path
) -> None:
    asked = {case.symbol: case.query for case in cases["comment"]}
    assert asked == {
        "ParseSpan": 'reads a length of time such as "90m" and fails for negative ones.',
        "Clock.Total": "adds up the minutes of all spans that are given.",
    }
    copy = (tmp_path / "copy/clock.go").read_text()
    original = (tmp_path / "module/clock.go").read_text()
    assert "length of time" not in copy
    assert "// short" in copy
    assert [line for line in copy.split("\n") if line] == [
        line for line in original.split("\n") if line and "ParseSpan reads" not in line and "adds up" not in line
        and line not in ("//", "//go:noinline")
    ]  # fmt: skip
    assert copy.count("\n") == original.count("\n")
    assert (tmp_path / "copy/go.mod").is_file()
    assert not (tmp_path / "copy/vendor").exists()


def test_a_call_is_asked_for_by_what_stands_before_it(cases: dict[str, list[SearchCase]]) -> None:
    asked = [(case.symbol, case.query.rpartition("\n")[2]) for case in cases["callee"]]
    assert sorted(asked) == [("ParseSpan", "\t"), ("ParseSpan", "\t\tminutes, _ := "), ("scan", "\treturn ")]
    assert not any(re.search(rf"\b{case.symbol}\b", case.query) for case in cases["callee"])


def test_a_test_asks_for_what_it_is_named_after(cases: dict[str, list[SearchCase]]) -> None:
    (case,) = cases["tested"]
    assert (case.symbol, case.package) == ("ParseSpan", "example.com/clock")
    assert case.known == case.query


def test_the_rank_is_that_of_the_function_itself() -> None:
    case = SearchCase("comment", "m", "q", "p", "F")
    assert rank_of(case, [("other", "F"), ("p", "G"), ("p", "F")]) == 3
    assert rank_of(case, [("p", "G")]) is None


def test_the_task_counts_what_stands_among_the_first_five() -> None:
    figures = search._figures(
        [search.Found("comment", "m", "F", {"words": rank}) for rank in (1, 5, 10, None)], "words"
    )
    assert figures["recall"]["value"] == 0.5
    assert figures["mrr"]["value"] == pytest.approx((1 + 1 / 5 + 1 / 10) / 4)
    assert search._figures([], "joined") == {"n": 0, "recall": None, "mrr": None, "less_words": None}


def test_the_whole_task_finds_functions_by_their_comments(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "module", MODULE)
    found = search._asked(root, "clock", 10, 1)
    assert {one.task for one in found} == {"comment", "callee", "tested"}
    assert [one.ranks for one in found if one.task == "tested"] == [{"words": 1, "and its place": 1}]


def test_meaning_and_both_rankings_are_asked_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    root = lay_out(tmp_path / "module", MODULE)
    fake = FakeEmbedder()
    found = search._asked(root, "clock", 10, 1, fake)
    asked = fake.asked
    assert all(set(one.ranks) == {"words", "and its place", "meaning", "joined", "as served"} for one in found)
    assert all(one.ranks["joined"] is not None for one in found)
    assert all(one.ranks["as served"] == one.ranks["joined" if one.task == "comment" else "words"] for one in found)
    figures = search._figures(found, "joined")
    gained = sum(one.within("joined") for one in found) - sum(one.within("words") for one in found)
    assert (figures["n"], figures["less_words"]["difference"]) == (len(found), pytest.approx(gained / len(found)))
    assert search._asked(root, "clock", 10, 1, fake) == found
    assert fake.asked == asked + len(found)  # only the questions


def test_a_run_is_kept_goes_on_and_has_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    root = lay_out(tmp_path / "module", MODULE)
    (root / ".git").mkdir()
    command = ["eval", "search", str(root), "--limit", "10", "--out", str(tmp_path / "run"), "--json"]
    assert main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["tasks"]["tested"]["words"]["recall"]["value"] == 1.0
    for path in root.glob("*.go"):
        path.write_text("package clock\n")  # nobody looks at it again
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == said
    shown = search.markdown(Run.read(tmp_path / "run"))
    assert "| tested | words | 1.00 (0.03-1.00) |" in shown
    assert "1 modules" in shown
