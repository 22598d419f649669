"""Bodies to type: what is a key, which functions come first, how modules take turns; figures with their intervals."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_index.gotools import list_packages
from goassist_index.syntax import functions, parse, signature
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.keystrokes import (
    BodyRecord,
    KeyRecord,
    Replay,
    TypedBody,
    as_typed,
    bodies_of,
    bootstrap_95,
    keys_of,
    typed_bodies,
)

SOURCE = """package small

import "errors"

func Half(number int) (int, error) {
	if number%2 != 0 {
		return 0, errors.New("odd")
	}

	return number / 2, nil
}

func Double(number int) (int, error) {
	if number > 1<<30 {
		return 0, errors.New("too large")
	}
	return number * 2, nil
}

func short() {
	println()
}

func greet() {
	println("füür", "a body of a moderate length")
}
"""


def judge_of(root: Path, source: str) -> CompileJudge:
    (root / "go.mod").write_text("module example.com/small\n\ngo 1.22\n")
    (root / "in").mkdir()
    (root / "in" / "small.go").write_text(source)
    return CompileJudge(root, list_packages(root, ["./..."], export=False), {})


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> CompileJudge:
    return judge_of(tmp_path_factory.mktemp("small"), SOURCE.replace("ü", "u"))


def test_keys_add_up_to_the_body_and_each_knows_its_place(judge: CompileJudge) -> None:
    bodies = list(typed_bodies(judge, 1, module="example.com/small@v1"))
    assert {body.function for body in bodies} == {"Half", "Double", "greet"}
    for body in bodies:
        assert body.before + body.text + body.after == SOURCE.replace("ü", "u")
        assert (body.place, body.module) == ("in/small.go", "example.com/small@v1")


def test_a_file_that_keys_cannot_type_is_left_out(tmp_path: Path) -> None:
    assert list(typed_bodies(judge_of(tmp_path, SOURCE), 1)) == []


def test_functions_that_the_older_release_lacks_come_first(judge: CompileJudge) -> None:
    source = SOURCE.encode()
    older = frozenset(("in", signature(node, source)) for node in functions(parse(source))[:1])
    for seed in range(5):
        bodies = list(typed_bodies(judge, seed, older))
        assert [body.new for body in bodies] == [True, True, False]
        assert bodies[-1].function == "Half"


def test_near_copies_within_a_module_are_left_out_where_they_would_help(tmp_path: Path) -> None:
    alike = SOURCE[SOURCE.index("func Half") : SOURCE.index("func Double")].replace("Half", "Third")
    judge = judge_of(tmp_path, SOURCE.replace("ü", "u") + alike.replace("number / 2", "number / 3"))
    assert {body.function for body in typed_bodies(judge, 1)} == {"Half", "Third", "Double", "greet"}
    assert {body.function for body in typed_bodies(judge, 1, copies=False)} == {"Double", "greet"}


def test_the_same_seed_gives_the_same_bodies_under_the_same_names(judge: CompileJudge) -> None:
    first = [body.key for body in typed_bodies(judge, 1)]
    assert [body.key for body in typed_bodies(judge, 1)] == first
    assert sorted(body.key for body in typed_bodies(judge, 2)) == sorted(first)
    assert len(set(first)) == 3


def test_an_indentation_comes_with_its_line_break_and_a_blank_line_costs_a_key() -> None:
    assert keys_of("a {\n\t\tb\n\n\tc") == ("a", " ", "{", "\n\t\t", "b", "\n", "\n\t", "c")
    assert keys_of("\ta") == ("\t", "a")


def test_nobody_types_the_blanks_that_align() -> None:
    aligned = 'x := T{\n\t\ta:   1,    // one  two\n\t\tbcd: "p  q",\n\t}\n'
    assert as_typed(aligned) == 'x := T{\n\t\ta: 1, // one  two\n\t\tbcd: "p  q",\n\t}\n'
    assert as_typed("a\n  b  ") == "a\n  b  "


def test_modules_take_turns_until_all_are_used_up() -> None:
    def bodies(module: str, count: int) -> list[TypedBody]:
        return [TypedBody(Path("/m"), Path("/m/f.go"), str(n), "", "", ("x",), module) for n in range(count)]

    order = [body.module + body.function for body in bodies_of(bodies("a", 1), bodies("b", 3), bodies("c", 2))]
    assert order == ["a0", "b0", "c0", "b1", "c1", "b2"]


def record(name: str, *keys: KeyRecord, cpu_s: float | None = 1.0, abandoned: str = "") -> BodyRecord:
    return BodyRecord(
        *("s", 180, name, "m", "f.go", name, True, list(keys), len(keys)),
        seconds=1.0,
        cpu_s=cpu_s,
        others_cpu_s=None if cpu_s is None else 2 * cpu_s,
        abandoned=abandoned,
    )


def test_an_interval_is_that_of_bodies_not_of_keys() -> None:
    # All keys of one body answered, none of the other: drawing two bodies gives 0, 50 or 100 %.
    answered = record("a", *(KeyRecord("key", 1, 10.0) for _ in range(500)))
    silent = record("b", *(KeyRecord("key", 1) for _ in range(500)))
    share = Replay([answered, silent]).figures()["answered"]
    assert (share["percent"], share["low"], share["high"]) == (50, 0, 100)


def test_bodies_that_are_alike_leave_no_doubt_and_a_single_one_says_nothing_of_others() -> None:
    assert bootstrap_95([(1, 4)] * 5) == (25, 25)
    assert bootstrap_95([(1, 4)]) == (None, None)
    assert bootstrap_95([(0, 0), (0, 0)]) == (None, None)


def test_an_interval_covers_what_most_samples_of_the_bodies_give() -> None:
    low, high = bootstrap_95([(n % 2, 1) for n in range(100)])
    # A share of 50 % of 100 has a standard error of 5 points.
    assert low == pytest.approx(40, abs=2) and high == pytest.approx(60, abs=2)


def test_an_abandoned_body_counts_nowhere_but_by_name() -> None:
    figures = Replay([record("a", KeyRecord("key", 1)), record("b", KeyRecord("key", 1), abandoned="died")]).figures()
    assert (figures["bodies"], figures["keys"]) == (1, 1)
    assert [left["function"] for left in figures["abandoned"]] == ["b"]


def test_processor_time_is_unknown_where_one_body_s_is() -> None:
    known, unknown = record("a", KeyRecord("key", 1)), record("b", KeyRecord("key", 1), cpu_s=None)
    assert Replay([known]).figures()["cpu_s_per_100_keys"] == 100
    assert Replay([known, unknown]).figures()["cpu_s_per_100_keys"] is None
    assert Replay([]).figures()["cpu_s_per_100_keys"] is None


def test_what_others_used_is_a_number_of_cores() -> None:
    bodies = [record("a", KeyRecord("key", 1), cpu_s=0.5), record("b", KeyRecord("key", 1), cpu_s=1.0)]
    assert Replay(bodies).figures()["others_cores"] == 1.5
    assert Replay([record("a", KeyRecord("key", 1), cpu_s=None)]).figures()["others_cores"] is None
