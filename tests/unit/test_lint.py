"""Findings on accepted lines: exact counts in a tiny module, both sides the same holes, failures never as nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_lsp import cli
from goassist_lsp.cli.eval import lint as verb
from goassist_models.evaluate.analyzers import (
    ERRCHECK,
    IDIOMS,
    STATICCHECK,
    VET,
    Analyzer,
    Finding,
    idioms,
    vet,
)
from goassist_models.evaluate.example import Answer, Case, Edit, Example, Scores
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.lint import NOT_TOGETHER, OTHER_FILE, OVERLAPS, Report, lint, piece_of, put_together
from goassist_models.evaluate.runs import Run
from goassist_models.evaluate.scores import inserted

SOURCE = """package tiny

import (
	"errors"
	"fmt"
	"os"
)

var errGone = errors.New("Gone.")

func Show(name string) {
	fmt.Printf("%s\\n", name)
}

func Remove(name string) error {
	if name == "" {
		return errGone
	}
	err := os.Remove(name)
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

func Bad(name string) {
	fmt.Printf("%d\\n", name)
	os.Remove(name)
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    root = tmp_path / "tiny"
    (root / "sub").mkdir(parents=True)
    (root / "go.mod").write_text("module example.com/tiny\n\ngo 1.22\n")
    (root / "tiny.go").write_text(SOURCE)
    (root / "sub/sub.go").write_text("package sub\n\nfunc Two() int {\n\treturn 2\n}\n")
    return root


def case(truth: str, function: str, *, file: str = "tiny.go", source: str = SOURCE) -> Case:
    assert source.count(truth) == 1
    start = len(source[: source.index(truth)].encode())
    end = start + len(truth.encode())
    return Case("tiny", file, "line", "rest of line", function, True, start, end, 0, len(source), truth)


def accepted(root: Path, of: Case, text: str, system: str = "ours", *, imports: tuple[Edit, ...] = ()) -> Example:
    asked = question(of, root)
    answer = Answer((Edit(asked.offset, asked.offset, text), *imports))
    scores = Scores(True, inserted(asked, answer), compiles=True, compiles_bare=not imports)
    return Example(of, system, answer, scores)


def linted(
    root: Path, tmp_path: Path, examples: list[Example], analyzers: Mapping[str, Analyzer] | None = None
) -> Report:
    chosen = analyzers or {VET: vet, IDIOMS: idioms}
    by_system: dict[str, list[Example]] = {}
    for example in examples:
        by_system.setdefault(example.system, []).append(example)
    return lint(by_system, lambda name: root, chosen, tmp_path / "scratch")


def side(report: Report, analyzer: str, of: str, system: str = "ours") -> tuple[int, int, dict[str, int]]:
    """Lines, findings, and findings by check."""
    found = report.as_json([system], [analyzer])["systems"][system]["analyzers"][analyzer][of]
    return found["lines"], found["findings"], found["checks"]


SHOW = 'fmt.Printf("%s\\n", name)'
BAD = 'fmt.Printf("%d\\n", name)\n\tos.Remove(name)'
WRAP = 'fmt.Errorf("remove %s: %w", name, err)'


def test_findings_on_accepted_lines_are_counted_by_check_and_beside_the_authors(module: Path, tmp_path: Path) -> None:
    report = linted(
        module,
        tmp_path,
        [
            accepted(module, case(SHOW, "Show"), 'fmt.Printf("%d %d\\n", name)\n\tfmt.Println("a")'),
            accepted(module, case(WRAP, "Remove"), 'fmt.Errorf("remove %s: %v", name, err)'),
            accepted(module, case(BAD, "Bad"), "fmt.Println(name)"),
        ],
    )
    assert report.failures == report.dropped == []
    assert side(report, VET, "accepted") == (4, 1, {"printf": 1})
    assert side(report, VET, "author") == (4, 1, {"printf": 1})
    assert side(report, IDIOMS, "accepted") == (4, 1, {"error not wrapped": 1})
    assert side(report, IDIOMS, "author") == (4, 0, {})
    assert {(f["side"], f["check"], f["line"]) for f in report.findings} == {
        ("accepted", "printf", 12),
        ("accepted", "error not wrapped", 22),
        ("author", "printf", 27),
    }


def test_findings_beside_accepted_lines_do_not_count(module: Path, tmp_path: Path) -> None:
    report = linted(module, tmp_path, [accepted(module, case(SHOW, "Show"), "fmt.Println(name)")])
    assert (side(report, VET, "accepted"), side(report, VET, "author")) == ((1, 0, {}), (1, 0, {}))


def test_the_authors_text_as_the_answer_finds_what_the_author_has(module: Path, tmp_path: Path) -> None:
    examples = [accepted(module, case(text, "F"), text) for text in (SHOW, WRAP, BAD)]
    report = linted(module, tmp_path, examples)
    for analyzer in (VET, IDIOMS):
        assert side(report, analyzer, "accepted") == side(report, analyzer, "author")
    assert side(report, VET, "author") == (4, 1, {"printf": 1})


def test_systems_are_counted_apart(module: Path, tmp_path: Path) -> None:
    of = case(SHOW, "Show")
    report = linted(
        module,
        tmp_path,
        [
            accepted(module, of, 'fmt.Printf("%d\\n", name)', "bad"),
            accepted(module, of, "fmt.Println(name)", "good"),
        ],
    )
    assert side(report, VET, "accepted", "bad")[1] == 1
    assert side(report, VET, "accepted", "good")[1] == 0


def test_what_is_silent_or_does_not_compile_is_no_accepted_line(module: Path, tmp_path: Path) -> None:
    good = accepted(module, case(SHOW, "Show"), 'fmt.Printf("%d\\n", name)')
    assert good.scores is not None
    silent = replace(good, answer=Answer(), scores=Scores(False))
    broken = replace(good, scores=replace(good.scores, compiles=False))
    unjudged = replace(good, scores=replace(good.scores, compiles=None))
    report = linted(module, tmp_path, [silent, broken, unjudged])
    assert report.accepted["ours"] == 0
    assert side(report, VET, "accepted") == (0, 0, {})


def test_a_text_that_does_not_compile_with_the_others_is_dropped_and_named(module: Path, tmp_path: Path) -> None:
    # Each of the three compiles by itself; the last import is then written twice, under two names for one package.
    top = SOURCE.index('\t"os"\n')
    first = accepted(
        module, case(SHOW, "Show"), "fmt.Println(strings.ToUpper(name))", imports=(Edit(top, top, '\t"strings"\n'),)
    )
    second = accepted(module, case(BAD, "Bad"), "strings.Println(name)", imports=(Edit(top, top, '\tstrings "fmt"\n'),))
    third = accepted(module, case(WRAP, "Remove"), "err")
    report = linted(module, tmp_path, [first, second, third])
    assert [(d["key"], d["why"]) for d in report.dropped] == [(second.case.key, NOT_TOGETHER)]
    assert "redeclared" in report.dropped[0]["complaint"]
    assert (report.accepted["ours"], report.together["ours"]) == (3, 2)
    assert side(report, VET, "accepted")[0] == side(report, VET, "author")[0] == 2


def test_overlapping_texts_are_dropped_and_named(module: Path, tmp_path: Path) -> None:
    whole, part = accepted(module, case(BAD, "Bad"), "return"), accepted(module, case("%d", "Bad"), "%v")
    report = linted(module, tmp_path, [whole, part])
    assert [(d["key"], d["why"]) for d in report.dropped] == [(part.case.key, OVERLAPS)]
    assert report.together["ours"] == 1


def test_a_case_of_another_file_is_dropped_and_the_rest_goes_on(module: Path, tmp_path: Path) -> None:
    good = accepted(module, case(SHOW, "Show"), "fmt.Println(name)")
    other = replace(good, case=replace(good.case, truth="something else"))
    report = linted(module, tmp_path, [other, good])
    assert [d["why"] for d in report.dropped] == [OTHER_FILE]
    assert side(report, VET, "accepted")[0] == 1


def test_an_analyzer_that_fails_is_named_and_its_lines_count_nowhere(module: Path, tmp_path: Path) -> None:
    def fails_on_ours(root: Path, folder: str) -> list[Finding]:
        if "Println" in (root / "tiny.go").read_text():
            raise GoassistError("it crashed")
        return [Finding("x", "tiny.go", 12, "on the author's line")]

    def fails(root: Path, folder: str) -> list[Finding]:
        raise GoassistError("it crashed")

    report = linted(
        module,
        tmp_path,
        [accepted(module, case(SHOW, "Show"), "fmt.Println(name)")],
        {VET: vet, STATICCHECK: fails_on_ours, ERRCHECK: fails},
    )
    failed = [(f["analyzer"], f["system"], f["package"]) for f in report.failures]
    assert failed == [(ERRCHECK, "", "."), (STATICCHECK, "ours", ".")]
    for analyzer in (STATICCHECK, ERRCHECK):
        assert side(report, analyzer, "accepted") == side(report, analyzer, "author") == (0, 0, {})
        assert report.as_json(["ours"], [analyzer])["systems"]["ours"]["analyzers"][analyzer]["accepted"][
            "per_100_lines"
        ] is (None)
    assert side(report, VET, "accepted")[0] == 1


def test_a_package_that_its_author_left_broken_fails_by_name_and_others_go_on(module: Path, tmp_path: Path) -> None:
    (module / "sub/sub_test.go").write_text('package sub\n\nvar x int = "no"\n')
    two = case("2", "Two", file="sub/sub.go", source=(module / "sub/sub.go").read_text())
    examples = [accepted(module, case(SHOW, "Show"), SHOW), accepted(module, two, "3")]
    report = linted(module, tmp_path, examples)
    assert [(f["analyzer"], f["system"], f["package"]) for f in report.failures] == [(VET, "", "sub")]
    assert "as int value" in report.failures[0]["why"]
    assert side(report, VET, "accepted")[0] == 1
    assert side(report, IDIOMS, "accepted")[0] == 2


def test_a_module_that_cannot_be_had_is_named_and_nothing_counts(module: Path, tmp_path: Path) -> None:
    example = accepted(module, case(SHOW, "Show"), SHOW)

    def nowhere(name: str) -> Path:
        raise GoassistError("the module cannot be downloaded", path=name)

    report = lint({"ours": [example]}, nowhere, {VET: vet}, tmp_path / "scratch")
    assert [(f["module"], f["package"]) for f in report.failures] == [("tiny", "")]
    assert (report.accepted["ours"], report.together["ours"]) == (1, 0)


def test_neither_the_module_nor_the_next_system_sees_what_was_put_in(module: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def looks(root: Path, folder: str) -> list[Finding]:
        seen.append((root / "tiny.go").read_text())
        return []

    of = case(SHOW, "Show")
    examples = [accepted(module, of, text, text) for text in ("one()", "two()")]
    linted(module, tmp_path, examples, {STATICCHECK: looks})
    assert seen == [SOURCE, SOURCE.replace(SHOW, "one()"), SOURCE.replace(SHOW, "two()")]
    assert (module / "tiny.go").read_text() == SOURCE


def test_lines_of_texts_put_together_are_where_they_stand(module: Path) -> None:
    top = SOURCE.index('\t"os"\n')
    imports = (Edit(top, top, '\t"io"\n'),)
    examples = [
        accepted(module, case(BAD, "Bad"), "\n\tone()\n\ttwo()\n", imports=imports),
        accepted(module, case(SHOW, "Show"), "three(é)", imports=imports),
    ]
    text, lines, overlapping = put_together(SOURCE.encode(), [piece_of(e, module) for e in examples])
    rows = text.decode().split("\n")
    (bad_first, bad_last), (show_first, show_last) = (lines[example.case.key] for example in examples)
    assert overlapping == []
    assert text.decode().count('"io"') == 1
    assert rows[bad_first - 1 : bad_last] == ["\tone()", "\ttwo()"]
    assert rows[show_first - 1 : show_last] == ["\tthree(é)"]


def test_a_suggestion_that_says_typed_text_again_counts_only_what_is_new(module: Path) -> None:
    of = case('"%s\\n", name)', "Show")
    asked = question(of, module)
    typed = len("fmt.Printf(")
    answer = Answer((Edit(asked.offset - typed, asked.offset, 'fmt.Printf(\n\t\t"x")'),))
    scores = Scores(True, inserted(asked, answer), compiles=True)
    piece = piece_of(Example(of, "ours", answer, scores), module)
    assert piece.text[piece.lead : piece.lead + piece.size] == b'"x")'
    text, lines, _ = put_together(SOURCE.encode(), [piece])
    assert lines[of.key] == (13, 13)
    assert text.decode() == SOURCE.replace(SHOW, 'fmt.Printf(\n\t\t"x")')


def finished(module: Path, directory: Path) -> Run:
    run = Run.open(directory, "infill", {"limit": 2}).describe("ours", {"model": "m"}).describe("other", {})
    for text, of in (('fmt.Printf("%d\\n", name)', SHOW), ('fmt.Errorf("%s: %v", name, err)', WRAP)):
        run.append(accepted(module, replace(case(of, "F"), module=str(module)), text))
    return run


def test_command_lints_a_finished_run_and_the_page_gets_its_tables(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        verb, "available", lambda cache, tell: ({VET: vet, IDIOMS: idioms}, {STATICCHECK: "no network"})
    )
    run = finished(module, tmp_path / "run")
    assert cli.main(["eval", "lint", str(run.directory), "--system", "ours", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    of = found["systems"]["ours"]["analyzers"]
    assert {name: of[name]["accepted"]["checks"] for name in of} == {
        VET: {"printf": 1},
        IDIOMS: {"error not wrapped": 1},
    }
    assert of[VET]["accepted"]["per_100_lines"] == 50.0
    assert of[VET]["author"]["per_100_lines"] == 0.0
    page = verb.markdown(Run.read(Path(found["run"])))
    assert re.search(r"\| ours \| go vet \| 2 \| 1 \| 50\.0 \[0\.0, 100\.0\] \| 0 \| 0\.0", page)
    assert re.search(r"\| ours \| idioms \| error not wrapped \| 1 \| 0 \| 50\.00 \| 0\.00", page)
    assert "not measured: staticcheck: no network" in page
    assert cli.main(["eval", "lint", str(run.directory)]) == 0
    assert "other: 0 accepted texts" in capsys.readouterr().out


def test_runs_and_systems_that_are_not_there_are_refused_by_name(
    module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished(module, tmp_path / "run")
    assert cli.main(["eval", "lint", str(run.directory), "--system", "nobody"]) == 2
    assert "Name one of ours, other" in capsys.readouterr().err
    Run.open(tmp_path / "typing", "typing", {})
    assert cli.main(["eval", "lint", str(tmp_path / "typing")]) == 2
    assert "it holds a run of 'typing'" in capsys.readouterr().err
