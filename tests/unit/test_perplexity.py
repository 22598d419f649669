"""Bits a byte: which functions are held out, the same holes for all forms, failures apart, figures that add up."""

from __future__ import annotations

import json
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest

from goassist_index.errors import GoassistError, ModelError
from goassist_lsp import cli
from goassist_lsp.cli.eval import perplexity as verb
from goassist_lsp.settings import Settings
from goassist_models.engine.sequence import ScoredText
from goassist_models.evaluate.example import Case, Question
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.perplexity import (
    KINDS,
    added,
    figures,
    form_names,
    formed,
    go_root,
    held_out,
    measure,
    perplexity_cases,
)
from goassist_models.evaluate.runs import Run
from goassist_models.infill import FORMS, InfillPrompt
from support import tiny_gguf

BODY = """	total := 0
	for _, v := range values {
		if v > limit {
			total += v
			continue
		}
		total -= v
	}
	return total
"""
SOURCE = "".join(
    (
        "package sums\n\n",
        *(
            f"// {name} adds.\nfunc {name}(values []int, limit int) int {{\n{BODY}}}\n\n"
            for name in ("New", "Old", "Two")
        ),
        "func Tiny() int {\n\treturn 1\n}\n\n",
        "type List[T any] struct{ v []T }\n\n",
        "func (l *List[T]) Each(f func(T)) {\n\tfor _, v := range l.v {\n\t\tf(v)\n\t\tf(v)\n\t}\n}\n\n",
        "func (l List[T]) Old(f func(T)) {\n\tfor _, v := range l.v {\n\t\tf(v)\n\t\tf(v)\n\t}\n}\n",
    )
)
API_24 = """pkg sums, func New([]int, int) int #1
pkg sums, func Tiny() int #2
pkg sums, func Gone //deprecated #3
pkg sums, const Limit = 4 #4
pkg sums, type List[$0 interface{}] struct #5
pkg sums (linux-amd64), func Old([]int, int) int #6
pkg nowhere, func New() #7
"""
API_25 = "pkg sums, func Two([]int, int) int #1\npkg sums, method (*List[$0]) Each(func($0)) #2\n"


@pytest.fixture
def goroot(tmp_path: Path) -> Path:
    root = tmp_path / "goroot"
    (root / "api").mkdir(parents=True)
    (root / "src/sums").mkdir(parents=True)
    (root / "api/go1.23.txt").write_text("pkg sums, func Old([]int, int) int #1\n")
    (root / "api/go1.24.txt").write_text(API_24)
    (root / "api/go1.25.txt").write_text(API_25)
    (root / "src/sums/sums.go").write_text(SOURCE)
    (root / "src/sums/sums_test.go").write_text(SOURCE)
    return root


def test_only_what_was_added_since_go_1_24_on_every_platform_is_held_out(goroot: Path) -> None:
    assert added(goroot) == {"sums": {"New", "Tiny", "Two", "List.Each"}, "nowhere": {"New"}}
    assert [place.name for place in held_out(goroot)] == ["New", "Two", "List.Each"]


def test_the_real_distribution_holds_out_functions_that_are_there(tmp_path: Path) -> None:
    root, version = go_root()
    if not (root / "api").is_dir():
        pytest.skip("this Go distribution comes without api/")
    names = {(place.path.parent.name, place.name) for place in held_out(root)}
    assert version.startswith("go1.")
    assert {("strings", "Lines"), ("os", "Root.MkdirAll")} <= names
    assert ("strings", "Index") not in names


def test_a_distribution_without_its_lists_is_named_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match=r"api.*go\.dev/dl"):
        added(tmp_path)


def test_holes_are_those_of_the_file_and_every_kind_has_some(goroot: Path) -> None:
    cases = perplexity_cases(goroot, "go1.25", 9, 1)
    assert cases == perplexity_cases(goroot, "go1.25", 9, 1) != perplexity_cases(goroot, "go1.25", 9, 2)
    assert len({case.key for case in cases}) == len(cases) == 9
    assert sorted(case.kind for case in cases) == sorted(KINDS * 3)
    for case in cases:
        assert SOURCE.encode()[case.start : case.end].decode() == case.truth
        assert case.function_start < case.start < case.end < case.function_end


def test_few_holes_come_from_as_many_functions(goroot: Path) -> None:
    cases = perplexity_cases(goroot, "go1.25", 3, 1)
    assert {case.function for case in cases} == {"New", "Two", "List.Each"}
    assert {case.kind for case in cases} == set(KINDS)


def test_every_healed_form_is_followed_by_itself_unhealed() -> None:
    assert form_names() == ("joined", "joined-unhealed", "anchored", "anchored-unhealed", "psm", "spm")
    prompt = InfillPrompt(FORMS["joined"], "a", "b")
    assert formed(prompt, "joined") is prompt
    assert formed(prompt, "joined-unhealed").form == replace(FORMS["joined"], name="joined-unhealed", healed=False)


def test_prompts_are_those_that_are_served(goroot: Path) -> None:
    (case,) = perplexity_cases(goroot, "go1.25", 1, 1)
    asked = question(case, goroot / "src")
    prompt = verb.served_prompt(asked, "psm", Settings())
    assert prompt == InfillPrompt(FORMS["psm"], asked.text[: asked.offset], asked.text[asked.offset :])
    assert case.truth not in asked.text[asked.offset - 20 : asked.offset + 20]


def served(asked: Question, form: str) -> InfillPrompt:
    return InfillPrompt(FORMS[form], asked.text[: asked.offset], asked.text[asked.offset :])


class Known:
    """Costs `bits` a byte by form, and fails at texts that hold `bad`."""

    def __init__(self, bits: dict[str, float], bad: str = "\0") -> None:
        self.bits = bits
        self.bad = bad
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, prompt: InfillPrompt, text: str) -> ScoredText:
        self.asked.append((prompt.form.name, text))
        if self.bad in text and prompt.form.name == "psm":
            raise ModelError("no room")
        return ScoredText(self.bits[prompt.form.name] * log(2) * len(text), 7, len(text))


async def measured(run: Run, scorer: Known, cases: list[Case], goroot: Path, *forms: str) -> Run:
    return await measure(run, "m", scorer, served, cases, forms or ("joined", "psm"), goroot / "src")


def of(found: dict[str, Any], form: str) -> dict[str, Any]:
    return next(system for system in found["systems"] if system["form"] == form)["kinds"]


async def test_known_costs_come_out_as_they_are(tmp_path: Path, goroot: Path) -> None:
    cases = perplexity_cases(goroot, "go1.25", 9, 1)
    run = Run.open(tmp_path / "run", "perplexity", {})
    run = await measured(run, Known({"joined": 1.0, "psm": 1.5}), cases, goroot)
    found = figures(run, "joined")
    assert (found["holes"], found["functions"]) == (9, 3)
    assert found["bytes"] == sum(len(case.truth) for case in cases)
    for kind in ("all", *KINDS):
        assert of(found, "joined")[kind]["difference"] is None
        assert of(found, "joined")[kind]["bits_a_byte"]["value"] == pytest.approx(1.0)
        assert of(found, "psm")[kind]["bits_a_byte"]["value"] == pytest.approx(1.5)
        difference = of(found, "psm")[kind]["difference"]
        assert [difference[name] for name in ("value", "low", "high")] == pytest.approx([0.5, 0.5, 0.5])


async def test_intervals_are_over_functions_and_hold_the_value(tmp_path: Path, goroot: Path) -> None:
    class ByFunction(Known):
        async def __call__(self, prompt: InfillPrompt, text: str) -> ScoredText:
            scored = await super().__call__(prompt, text)
            return replace(scored, nats=scored.nats * (2 if "f(v)" in text else 1))

    cases = [case for case in perplexity_cases(goroot, "go1.25", 9, 1) if case.kind == "body"]
    run = Run.open(tmp_path / "run", "perplexity", {})
    found = figures(await measured(run, ByFunction({"joined": 1.0, "psm": 1.0}), cases, goroot), "joined")
    sizes = {case.function: len(case.truth) for case in cases}
    value = (sum(sizes.values()) + sizes["List.Each"]) / sum(sizes.values())
    estimate = of(found, "joined")["all"]["bits_a_byte"]
    assert estimate["value"] == pytest.approx(value)
    assert (estimate["low"], estimate["high"], estimate["n"]) == (pytest.approx(1.0), pytest.approx(2.0), 3)


async def test_function_that_one_form_fails_at_is_left_out_for_all_and_named(tmp_path: Path, goroot: Path) -> None:
    cases = perplexity_cases(goroot, "go1.25", 9, 1)
    run = Run.open(tmp_path / "run", "perplexity", {})
    run = await measured(run, Known({"joined": 1.0, "psm": 1.5}, bad="f(v)"), cases, goroot)
    found = figures(run, "joined")
    assert found["functions_failed"] == {"sums/sums.go List.Each": "no room."}
    assert (found["holes"], found["functions"], found["functions_not_asked_by_all"]) == (6, 2, 0)
    assert of(found, "joined")["all"]["holes"] == of(found, "psm")["all"]["holes"] == 6
    assert of(found, "joined")["all"]["bits_a_byte"]["n"] == 2


async def test_a_run_goes_on_where_it_stood_and_tries_failures_again(tmp_path: Path, goroot: Path) -> None:
    cases = perplexity_cases(goroot, "go1.25", 6, 1)
    run = Run.open(tmp_path / "run", "perplexity", {})
    costs = {"joined": 1.0, "psm": 1.5}
    await measured(run, Known(costs), cases[:3], goroot)
    failing = Known(costs, bad=cases[4].truth)
    run = await measured(Run.open(tmp_path / "run", "perplexity", {}), failing, cases, goroot)
    assert [text for _, text in failing.asked] == [case.truth for case in cases[3:] for _ in costs]
    assert figures(run, "joined")["functions_failed"]
    again = Known(costs)
    run = await measured(Run.open(tmp_path / "run", "perplexity", {}), again, cases, goroot)
    assert set(again.asked) == {("psm", case.truth) for case in cases[3:] if cases[4].truth in case.truth}
    assert (figures(run, "joined")["functions_failed"], figures(run, "joined")["holes"]) == ({}, 6)


async def test_functions_that_one_form_was_not_asked_about_are_counted_apart(tmp_path: Path, goroot: Path) -> None:
    cases = perplexity_cases(goroot, "go1.25", 3, 1)
    run = Run.open(tmp_path / "run", "perplexity", {})
    run = await measured(run, Known({"joined": 1.0}), cases, goroot, "joined")
    run = await measured(run, Known({"psm": 1.0}), cases[:1], goroot, "psm")
    found = figures(run, "joined")
    assert (found["holes"], found["functions_not_asked_by_all"], found["functions_failed"]) == (1, 2, {})


def test_command_scores_all_forms_of_a_model_and_the_page_gets_its_table(
    tmp_path: Path, goroot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "go_root", lambda: (goroot, "go1.25"))
    model = tiny_gguf.write_random_model(tmp_path / "random.gguf")
    words = ["eval", "perplexity", "--model", str(model), "--limit", "3", "--out", str(tmp_path / "run")]
    assert cli.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["holes"], found["functions_failed"]) == (3, {})
    assert [system["form"] for system in found["systems"]] == list(form_names())
    # One that knows nothing of Go: a byte costs it about what it costs to name one of its 288 tokens, or more.
    assert all(4 < system["kinds"]["all"]["bits_a_byte"]["value"] < 20 for system in found["systems"])
    tables = verb.markdown(Run.read(tmp_path / "run"))
    assert tables.count("\n| ") == 1 + len(form_names())
    assert "3 holes in 3 functions" in tables


def test_forms_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["eval", "perplexity", "--forms", "joined,sideways", "--out", str(tmp_path / "run")]) == 2
    assert "'sideways'" in capsys.readouterr().err
