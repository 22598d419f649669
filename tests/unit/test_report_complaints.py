"""Claims about goassist_models.evaluate.report.complaints, with messages that the Go compiler really says."""

import pytest

from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.report.complaints import CLASSES, complaint_class, silence_class

HEAD = """package c

import "strings"

type T struct{ a int }

func f(x int, t T) (int, error) {
	_ = strings.ToUpper
	"""
FAULTS = {
    "if x {": "syntax",
    "return x +": "syntax",
    'return len("a), nil': "syntax",
    "x := = 1": "syntax",
    "x + 1 := 2": "syntax",
    "return frist, nil": "undefined name",
    "goto end": "undefined name",
    "return x, undefined(1)": "undefined name",
    "return t.b, nil": "missing member",
    "return t.A(), nil": "missing member",
    "_ = strings.ToUper": "missing member",
    "_ = strings.indexFunc": "missing member",
    "_ = T{b: 1}": "missing member",
    'return "a", nil': "type mismatch",
    'return x + "a", nil': "type mismatch",
    "if x { }": "type mismatch",
    "for range t { }": "type mismatch",
    "x()": "type mismatch",
    "var _ error = t": "type mismatch",
    "return x.(int), nil": "type mismatch",
    "_ = [2]int{}[5]": "type mismatch",
    "var _ int8 = 1000": "type mismatch",
    "return !x, nil": "type mismatch",
    "return f(x)": "argument count",
    "return f(x, t, 1)": "argument count",
    "return x": "argument count",
    "x, _, _ = f(x, t)": "argument count",
    "_ = T{1, 2}": "argument count",
    "unused := x": "unused",
    "x == 1": "unused",
    "x := 1; x := 2": "redeclared",
    "switch x { case 1: case 1: }": "redeclared",
    "x++": "other",
}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> CompileJudge:
    root = tmp_path_factory.mktemp("module")
    (root / "go.mod").write_text("module example.com/c\n\ngo 1.22\n")
    (root / "c.go").write_text("package c\n")
    return CompileJudge.open(root)


@pytest.mark.parametrize(("statement", "expected"), FAULTS.items())
def test_the_compiler_s_own_words_fall_into_their_class(judge: CompileJudge, statement: str, expected: str) -> None:
    path = judge.directory / "c.go"
    found = judge.judge(judge.package_of(path), {path: f"{HEAD}{statement}\n}}\n".encode()})
    errors = sorted(found.errors, key=lambda error: error.message == "missing return")
    assert complaint_class(errors[0].message) == expected, found.output


@pytest.mark.parametrize("name", ["no/such/package", "example.org/not/required", "example.com/c"])
def test_imports_that_cannot_be_had_are_a_class_of_their_own(judge: CompileJudge, name: str) -> None:
    path = judge.directory / "c.go"
    found = judge.build(judge.package_of(path), {path: f'package c\n\nimport _ "{name}"\n'.encode()})
    said = found.errors[0].message if found.errors else found.output
    assert complaint_class(said) == "import", found.output


def test_an_unused_import_is_unused() -> None:
    assert complaint_class('a.go:3:8: "strings" imported and not used') == "unused"


def test_every_class_has_a_message() -> None:
    assert {*FAULTS.values(), "import"} == set(CLASSES)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", "no reason given"),
        ("skipped: inside a comment", "skipped: inside a comment"),
        ("check: undefined: frobnicate", "check: undefined name"),
        ("check: x.y undefined (type T has no field or method y)", "check: missing member"),
        ("postprocess: drop_blank", "postprocess: drop_blank"),
        ('error: no answer for "a" within 120 s', "error: no answer for … within … s"),
        ("nothing was generated", "nothing was generated"),
    ],
)
def test_reasons_for_silence_lose_the_names_of_one_hole(reason: str, told: str) -> None:
    assert silence_class(reason) == told
