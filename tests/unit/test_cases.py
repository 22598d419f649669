"""Claims about goassist_models.evaluate: verdict cases made from a small module, and the pinned modules."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.syntax import functions, parse
from goassist_models.evaluate.cases import Case, make_cases, read_cases, write_cases
from goassist_models.evaluate.faults import FAULTS
from goassist_models.evaluate.holes import holes
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.metrics import Share, percentile
from goassist_models.evaluate.modules import named_module, pinned_modules, prepare

SOURCE = """package small

import (
	"errors"
	"fmt"
)

type Store struct {
	items map[string]int
	limit int
}

func New(limit int) *Store {
	return &Store{items: map[string]int{}, limit: limit}
}

// Put says how many there are.
func (s *Store) Put(key string, value int) (int, error) {
	if key == "" {
		return 0, errors.New("no key")
	}
	if old, ok := s.items[key]; ok && old == value {
		return len(s.items), nil
	}
	s.items[key] = value
	return len(s.items), nil
}

func (s *Store) Sum(keys ...string) (int, error) {
	total, missing := 0, 0
	for _, key := range keys {
		value, ok := s.items[key]
		if !ok {
			missing = missing + 1
			continue
		}
		total = total + clamp(value, s.limit)
	}
	if missing > 0 {
		return total, fmt.Errorf("%d keys are missing", missing)
	}
	return total, nil
}

func clamp(value, limit int) int {
	if value > limit {
		return limit
	}
	return value
}
"""


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> CompileJudge:
    root = tmp_path_factory.mktemp("small")
    (root / "go.mod").write_text("module example.com/small\n\ngo 1.22\n")
    (root / "small.go").write_text(SOURCE)
    return CompileJudge.open(root)


@pytest.fixture(scope="module")
def cases(judge: CompileJudge) -> list[Case]:
    return make_cases(judge, "example.com/small", 14, seed=3).cases


def text_with(case: Case) -> bytes:
    source = Path(case.file).read_bytes()
    return source[: case.offset] + case.insert.encode() + source[case.end :]


def test_good_cases_put_back_what_stood_there(cases: list[Case]) -> None:
    good = [case for case in cases if case.good]
    assert len(good) == 14
    assert all(text_with(case).decode() == SOURCE for case in good)
    assert {case.piece for case in good} == {"statement", "expression", "body"}


def test_every_fault_is_there_and_the_compiler_refuses_it(judge: CompileJudge, cases: list[Case]) -> None:
    broken = [case for case in cases if not case.good]
    assert Counter(case.fault for case in broken) == dict.fromkeys(FAULTS, 2)
    for case in broken:
        path = Path(case.file)
        assert not judge.judge(judge.package_of(path), {path: text_with(case)}).ok
        assert case.judge and case.insert != case.truth


def test_the_same_seed_makes_the_same_cases_and_another_one_others(judge: CompileJudge, cases: list[Case]) -> None:
    assert make_cases(judge, "example.com/small", 14, seed=3).cases == cases
    assert make_cases(judge, "example.com/small", 14, seed=4).cases != cases


def test_what_cannot_be_made_is_counted(tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    (empty / "go.mod").write_text("module example.com/empty\n\ngo 1.22\n")
    (empty / "empty.go").write_text("package empty\n\nfunc F() {\n\tprintln()\n}\n")
    made = make_cases(CompileJudge.open(empty), "example.com/empty", 7, seed=1)
    assert {case.fault for case in made.cases}.isdisjoint({"missing_return", "assignment", "wrong_member"})
    assert any(why.endswith("too few places") for why in made.discarded)


def test_a_package_that_does_not_compile_gives_no_cases(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/bad\n\ngo 1.22\n")
    (tmp_path / "bad.go").write_text("package bad\n\nfunc F() int {\n\treturn missing\n}\n")
    made = make_cases(CompileJudge.open(tmp_path), "example.com/bad", 4, seed=1)
    assert made.cases == []
    assert made.refused_packages == ["example.com/bad"]


def test_cases_survive_their_file(tmp_path: Path, cases: list[Case]) -> None:
    path = tmp_path / "cases.jsonl"
    write_cases(path, [*cases, replace(cases[0], insert="é\n\t\U0001f600")])
    assert read_cases(path) == [*cases, replace(cases[0], insert="é\n\t\U0001f600")]


def test_a_damaged_case_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"file": "x"}\n')
    with pytest.raises(GoassistError, match=r"cases\.jsonl: line 1 is no case"):
        read_cases(path)


def test_holes_cover_the_roles_of_expressions() -> None:
    source = SOURCE.encode()
    roles = {hole.role for node in functions(parse(source)) for hole in holes(node)}
    assert {"argument", "right side", "member", "selector", "results", "condition", "element value"} <= roles
    assert {"if_statement", "for_statement", "return_statement", "body"} <= roles


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([5.0, 1.0, 3.0, 2.0], 50) == 2.0
    assert percentile([5.0, 1.0, 3.0, 2.0], 95) == 5.0
    assert percentile([], 50) is None


def test_a_share_of_nothing_has_no_percentage() -> None:
    assert Share().percent is None
    share = Share()
    share.add(True)
    share.add(False)
    assert share.percent == 50.0


def test_the_pinned_list_has_verdict_modules_and_two_halves_apart() -> None:
    pinned = pinned_modules()
    assert sum(spec.verdicts for spec in pinned) >= 6
    assert len({spec.path for spec in pinned}) == len(pinned)
    assert Counter(spec.split for spec in pinned if spec.split).keys() == {"dev", "test"}
    assert sum(bool(spec.split) for spec in pinned) >= 12


def test_a_directory_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.com/own\n\ngo 1.22\n")
    assert prepare(named_module(str(tmp_path)), tmp_path / "cache") == tmp_path


def test_a_directory_without_a_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match=r"no go\.mod"):
        prepare(named_module(str(tmp_path)), tmp_path / "cache")


def test_a_name_without_a_version_is_an_error_unless_it_is_pinned() -> None:
    assert named_module("github.com/spf13/cobra").version
    with pytest.raises(ConfigError, match="neither"):
        named_module("example.com/unheard/of")
