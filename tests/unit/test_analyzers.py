"""What analyzers say is read as findings or as failures, and idiom measures find what they define, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_models.evaluate.analyzers import (
    ERRCHECK_MODULE,
    STATICCHECK_MODULE,
    Analyzer,
    built,
    errcheck,
    errcheck_findings,
    staticcheck,
    staticcheck_findings,
    vet,
    vet_findings,
)
from goassist_models.evaluate.idioms import idiom_findings

SOURCE = """package tiny

import (
	"errors"
	"fmt"
	"os"
)

var errGone = errors.New("Gone.")

func Bad(name string) error {
	fmt.Printf("%d\\n", name)
	os.Remove(name)
	return errGone
}
"""
IDIOM_KEEPING = """package p

import "errors"

func f(err error) (int, error) {
	if v, ok := g(); ok {
		return v, nil
	} else {
		return v, nil
	}
	if a {
		return 1, nil
	} else if b {
		return 2, nil
	} else {
		h()
	}
	if a {
		h()
	} else {
		h()
	}
	if errors.Is(err, ErrGone) || err == nil || err == io.EOF || n == 3 {
		return 0, fmt.Errorf("f: %w", err)
	}
	_, camelCase := 1, "a_b"
	camelCase = snake_case.Value
	return 0, fmt.Errorf("f: %d of %s", n, err.Error())
}

func MustF() { panic("no") }

func init() { panic("no") }
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    root = tmp_path / "tiny"
    (root / "sub").mkdir(parents=True)
    (root / "go.mod").write_text("module example.com/tiny\n\ngo 1.22\n")
    (root / "tiny.go").write_text(SOURCE)
    (root / "sub/sub.go").write_text("package sub\n\nfunc Two() int {\n\treturn missing\n}\n")
    return root


# Recorded from go 1.26.8, staticcheck v0.8.2 and errcheck v1.20.0 on a package of our own.
VET_SAID = """# example.com/m/p
# [example.com/m/p]
{
	"example.com/m/p": {
		"printf": [
			{
				"posn": "/m/p/a.go:10:14",
				"end": "/m/p/a.go:10:16",
				"message": "fmt.Printf format %d has arg \\"x\\" of wrong type string"
			}
		]
	}
}
{"example.com/m/p [example.com/m/p.test]": {"printf": [{"posn": "/m/p/a.go:10:14",
  "message": "fmt.Printf format %d has arg \\"x\\" of wrong type string"}]}}
"""
STATICCHECK_SAID = (
    '{"code":"SA5009","severity":"error","location":{"file":"/m/p/a.go","line":10,"column":13},"end":{"file":'
    '"/m/p/a.go","line":10,"column":19},"message":"Printf format %d has arg #1 of wrong type string"}\n'
    '{"code":"ST1005","severity":"error","location":{"file":"/m/p/a.go","line":12,"column":9},"end":{"file":'
    '"/m/p/a.go","line":12,"column":33},"message":"error strings should not be capitalized"}\n'
)
STATICCHECK_FAILED = (
    '{"code":"compile","severity":"error","location":{"file":"","line":0,"column":0},"end":{"file":"","line":0,'
    '"column":0},"message":"# example.com/m/q\\nq/q.go:4:12: undefined: undefined"}\n'
)
ERRCHECK_SAID = '/m/p/a.go:11:11:\tos.Remove("x")\n/m/p/a_test.go:5:29:\tfunc TestA(t *testing.T) { A() }\n'


def test_recorded_words_of_vet_are_read_once_for_package_and_tests() -> None:
    (finding,) = vet_findings(VET_SAID, Path("/m"))
    assert (finding.check, finding.file, finding.line) == ("printf", "p/a.go", 10)
    assert vet_findings("{}\n", Path("/m")) == vet_findings("", Path("/m")) == []


def test_recorded_words_of_staticcheck_and_errcheck_are_read() -> None:
    found = staticcheck_findings(STATICCHECK_SAID, Path("/m"))
    assert [(f.check, f.file, f.line) for f in found] == [("SA5009", "p/a.go", 10), ("ST1005", "p/a.go", 12)]
    found = errcheck_findings(ERRCHECK_SAID, Path("/m"))
    assert [(f.check, f.file, f.line) for f in found] == [
        ("error dropped", "p/a.go", 11),
        ("error dropped", "p/a_test.go", 5),
    ]


def test_words_that_are_no_findings_are_failures() -> None:
    with pytest.raises(GoassistError, match="undefined: undefined"):
        staticcheck_findings(STATICCHECK_FAILED, Path("/m"))
    with pytest.raises(GoassistError, match="no JSON"):
        staticcheck_findings("panic: runtime error", Path("/m"))
    with pytest.raises(GoassistError, match="no finding"):
        errcheck_findings("panic: runtime error", Path("/m"))
    with pytest.raises(GoassistError, match="printf failed: it broke"):
        vet_findings('{"p": {"printf": {"error": "it broke"}}}', Path("/m"))


def test_vet_of_a_package_that_does_not_type_check_is_a_failure(module: Path) -> None:
    with pytest.raises(GoassistError, match="undefined: missing"):
        vet(module, "sub")


@pytest.mark.parametrize(
    ("make", "tool", "checks"),
    [
        (staticcheck, STATICCHECK_MODULE, [("SA5009", 12), ("ST1005", 9)]),
        (errcheck, ERRCHECK_MODULE, [("error dropped", 13)]),
    ],
)
def test_built_analyzers_find_what_the_author_did(
    module: Path, make: Callable[[Path], Analyzer], tool: tuple[str, str], checks: list[tuple[str, int]]
) -> None:
    analyze = make(built(cache_dir(), *tool))
    assert sorted((f.check, f.line) for f in analyze(module, ".") if f.check in dict(checks)) == sorted(set(checks))
    with pytest.raises(GoassistError, match=r"check failed.*missing"):
        analyze(module, "sub")


def test_code_that_keeps_the_idioms_has_no_finding() -> None:
    assert list(idiom_findings(IDIOM_KEEPING.encode())) == []


@pytest.mark.parametrize(
    ("code", "check"),
    [
        ("func f() int {\n\tif a {\n\t\treturn 1\n\t} else {\n\t\tg()\n\t}\n\treturn 2\n}", "else after return"),
        ("func f() bool {\n\n\n\treturn err == ErrGone\n}", "error compared with =="),
        ("func f() bool {\n\n\n\treturn err != fs.ErrNotExist\n}", "error compared with =="),
        ("func f() bool {\n\n\n\treturn err == errGone\n}", "error compared with =="),
        ('func f() error {\n\n\n\treturn fmt.Errorf("f: %v", err)\n}', "error not wrapped"),
        ("func f() error {\n\n\n\treturn fmt.Errorf(`f: %s`, closeErr)\n}", "error not wrapped"),
        ('func (t T) Run() {\n\n\n\tfunc() { panic("no") }()\n}', "panic in a library"),
        ("func f() {\n\n\n\tmax_len := 3\n}", "underscore in a name"),
        ("func f() {\n\n\n\tvar max_len int\n}", "underscore in a name"),
        ("func f() {\n\n\n\tfor k_i := range m {\n\t}\n}", "underscore in a name"),
        ("\n\n\nfunc do_it() {}", "underscore in a name"),
        ("\n\n\nfunc f(a, b_c int) {}", "underscore in a name"),
        ("type T struct {\n\n\n\ta_b int\n}", "underscore in a name"),
    ],
)
def test_code_that_breaks_an_idiom_has_one_finding_on_its_line(code: str, check: str) -> None:
    found = list(idiom_findings(f"package p\n{code}\n".encode()))
    assert [(name, line) for name, line, _ in found] == [(check, 5)]


def test_programs_and_tests_may_panic_and_tests_may_have_underscores_in_their_names() -> None:
    panics = "\n\nfunc TestA_b() {\n\tpanic(1)\n}\n"
    checks = [check for check, _, _ in idiom_findings(f"package p{panics}".encode())]
    assert checks == ["underscore in a name", "panic in a library"]
    assert list(idiom_findings(f"package p{panics}".encode(), test=True)) == []
    assert [check for check, _, _ in idiom_findings(f"package main{panics}".encode())] == ["underscore in a name"]
