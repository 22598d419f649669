"""Claims about goassist_models.evaluate.judge: the compiler's word on replaced files, with the real toolchain."""

from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_models.evaluate.judge import CompileJudge, errors_within

FILES = {
    "go.mod": "module example.com/j\n\ngo 1.22\n",
    "a.go": 'package j\n\nimport "strings"\n\nfunc A(s string) string {\n\treturn strings.ToUpper(s) + B()\n}\n',
    "b.go": 'package j\n\nfunc B() string {\n\treturn "b"\n}\n',
    "broken/c.go": "package broken\n\nfunc C() int {\n\treturn missing\n}\n",
    "embedding/d.go": 'package embedding\n\nimport _ "embed"\n\n//go:embed text.txt\nvar Text string\n',
    "embedding/text.txt": "text\n",
    "tested/f.go": "package tested\n\nfunc F() int {\n\treturn f()\n}\n\nfunc f() int { return 1 }\n",
    "tested/f_test.go": 'package tested\n\nimport "testing"\n\nfunc TestInside(t *testing.T) {\n\t_ = f()\n}\n',
    "tested/x_test.go": (
        'package tested_test\n\nimport (\n\t"testing"\n\n\t"example.com/j/tested"\n)\n\n'
        "func TestOutside(t *testing.T) {\n\t_ = tested.F()\n}\n"
    ),
    "use/e.go": 'package use\n\nimport "example.com/j"\n\nvar E = j.A("e")\n',
}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> CompileJudge:
    root = tmp_path_factory.mktemp("judged module")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return CompileJudge.open(root)


def judged(judge: CompileJudge, name: str, text: str):  # type: ignore[no-untyped-def]
    path = judge.directory / name
    return judge.judge(judge.package_of(path), {path: text.encode()})


def test_accepts_every_package_that_compiles_on_disk_and_no_other(judge: CompileJudge) -> None:
    accepted = {p.import_path for p in judge.packages if judge.accepts_untouched(p)}
    assert accepted == {"example.com/j", "example.com/j/embedding", "example.com/j/tested", "example.com/j/use"}


def test_sees_the_replaced_file_against_the_others_on_disk(judge: CompileJudge) -> None:
    assert judged(judge, "b.go", "package j\n\nfunc B() string { return A(``) }\n").ok
    wrong = judged(judge, "b.go", "package j\n\nfunc B() int { return 1 }\n")
    assert not wrong.ok
    assert [(e.file, e.line) for e in wrong.errors] == [("a.go", 6)]


def test_an_import_that_nothing_was_built_for_is_built_now(judge: CompileJudge) -> None:
    text = 'package j\n\nimport "container/ring"\n\nfunc B() string { _ = ring.New(1); return "" }\n'
    assert judged(judge, "b.go", text).ok


def test_an_import_that_does_not_exist_is_refused(judge: CompileJudge) -> None:
    assert not judged(judge, "b.go", 'package j\n\nimport _ "no/such/package"\n\nfunc B() string { return "" }\n').ok


def test_unused_things_are_refused_but_told_apart(judge: CompileJudge) -> None:
    found = judged(judge, "b.go", 'package j\n\nfunc B() string {\n\tx := 1\n\treturn ""\n}\n')
    assert not found.ok
    assert [error.curable for error in found.errors] == [True]
    assert errors_within(found, judge.directory / "b.go", 1, 9) == ()


def test_errors_are_told_by_the_lines_they_stand_on(judge: CompileJudge) -> None:
    found = judged(judge, "b.go", "package j\n\nfunc B() string {\n\treturn 1\n}\n")
    path = judge.directory / "b.go"
    assert [error.line for error in errors_within(found, path, 4, 4)] == [4]
    assert errors_within(found, path, 5, 9) == ()


def test_the_module_on_disk_is_left_as_it_was(judge: CompileJudge) -> None:
    judged(judge, "b.go", "package j\n")
    assert (judge.directory / "b.go").read_text() == FILES["b.go"]
    assert {p.relative_to(judge.directory).as_posix() for p in judge.directory.rglob("*") if p.is_file()} == set(FILES)


def test_a_file_of_no_package_is_an_error(judge: CompileJudge) -> None:
    with pytest.raises(GoassistError, match="belongs to no package"):
        judge.package_of(Path("/nowhere/x.go"))


def test_a_test_file_is_judged_with_the_tests_of_its_package(judge: CompileJudge) -> None:
    inside, outside = FILES["tested/f_test.go"], FILES["tested/x_test.go"]
    assert judge.accepts_untouched_tests(judge.package_of(judge.directory / "tested" / "f_test.go"))
    assert judged(judge, "tested/f_test.go", inside.replace("_ = f()", "_ = f() + F()")).ok
    assert judged(judge, "tested/x_test.go", outside.replace("_ = tested", "_ = 1 + tested")).ok


def test_a_broken_test_file_is_refused_with_the_compilers_messages(judge: CompileJudge) -> None:
    wrong = judged(judge, "tested/f_test.go", FILES["tested/f_test.go"].replace("_ = f()", '_ = f() + "x"'))
    assert not wrong.ok
    assert [(e.file, e.line, "mismatched types" in e.message) for e in wrong.errors] == [("f_test.go", 6, True)]
    outside = judged(judge, "tested/x_test.go", FILES["tested/x_test.go"].replace("tested.F", "tested.f"))
    assert not outside.ok
    assert [(e.file, e.line) for e in outside.errors] == [("x_test.go", 10)]


def test_a_test_file_of_broken_syntax_is_refused_at_its_line(judge: CompileJudge) -> None:
    broken = judged(judge, "tested/f_test.go", FILES["tested/f_test.go"].replace("_ = f()", "if if"))
    assert not broken.ok
    assert [(e.file, e.line) for e in broken.errors][:1] == [("f_test.go", 6)]


def test_a_build_names_the_replaced_file_by_its_own_name(judge: CompileJudge) -> None:
    path = judge.directory / "b.go"
    found = judge.build(judge.package_of(path), {path: b"package j\n\nfunc B() string { return 1 }\n"})
    assert [(e.file, e.line) for e in found.errors] == [("b.go", 3)]
