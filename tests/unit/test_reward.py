"""The reward ranks texts as a reviewer would, and its loopholes do not pay: with the real compiler."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from goassist_index.syntax import functions, parse
from goassist_index.typeservice import TypeService
from goassist_index.verdict import Verdict
from goassist_models.evaluate.faults import FAULTS, edits
from goassist_models.evaluate.perplexity import go_root
from goassist_models.train import proof
from goassist_models.train.reward import BROKEN, COMPILES, TRIVIAL, Check, CompilerRewardModel, Hole

PAIRS = 200
SOURCE = """package shop

import (
	"errors"
	"fmt"
)

var ErrEmpty = errors.New("empty")

type Line struct {
	Name  string
	Count int
}

func Total(lines []Line) (int, error) {
	if len(lines) == 0 {
		return 0, ErrEmpty
	}
	total := 0
	for _, line := range lines {
		total += line.Count
	}
	return total, nil
}

func Zero() (int, error) {
	return 0, nil
}

func Name(l Line) string {
	return fmt.Sprintf("%s x%d", l.Name, l.Count)
}
"""
TESTS = """package shop

import "testing"

func TestTotal(t *testing.T) {
	got, err := Total([]Line{{"a", 2}, {"b", 3}})
	if err != nil || got != 5 {
		t.Errorf("Total = %d, %v", got, err)
	}
}
"""
TOTAL = SOURCE[SOURCE.index("\tif len(lines)") : SOURCE.index("\n}\n\nfunc Zero")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    (root / "go.mod").write_text("module example.com/shop\n\ngo 1.23\n")
    (root / "shop.go").write_text(SOURCE)
    (root / "shop_test.go").write_text(TESTS)
    return root


@pytest_asyncio.fixture
async def model(shop: Path) -> AsyncIterator[CompilerRewardModel]:
    service = await TypeService.start(shop)
    yield CompilerRewardModel(checker(service), run_tests=proof.tests_of(shop, lambda hole: ("TestTotal",)))
    await service.aclose()


def checker(service: TypeService) -> Check:
    async def check(hole: Hole, texts: Sequence[str]) -> Sequence[Verdict]:
        return await service.check(hole.path, None, hole.start, hole.end, texts, complete=True, loading_limit_s=120)

    return check


def hole_of(root: Path, name: str, text: str, truth: str) -> Hole:
    start = text.encode().index(truth.encode())
    return Hole(root / name, text, start, start + len(truth.encode()))


async def test_each_step_is_above_the_one_below(shop: Path, model: CompilerRewardModel) -> None:
    texts = (
        "\tif len(lines) == 0 {",
        "\treturn undefined, nil",
        "\treturn 0, nil",
        "\tif len(lines) == 0 {\n\t\treturn 0, ErrEmpty\n\t}\n\treturn lines[0].Count, nil",
        TOTAL,
    )
    scores = [s.value for s in await model.score(hole_of(shop, "shop.go", SOURCE, TOTAL), texts)]
    assert scores == sorted(scores)
    assert scores[0] == 0.0
    assert 0 < scores[1] <= BROKEN < scores[2] == TRIVIAL < COMPILES <= scores[3] < scores[4]


@pytest.mark.parametrize(
    "loophole",
    [
        "",
        "\t// TODO",
        '\tpanic("not implemented")',
        "\t_ = lines\n\treturn 0, nil",
        "\t_ = lines\n\t_ = len(lines)\n\t_ = cap(lines)\n\treturn 0, ErrEmpty",
        "\tfor {\n\t}",
        "\tif len(lines) == 0 {\n\t\treturn 0, nil\n\t}\n\treturn 0, nil",
        "\treturn 0, nil\n}\n\nfunc Other() (int, error) {\n\treturn 1, nil",
    ],
)
async def test_a_loophole_loses_to_honest_code(shop: Path, model: CompilerRewardModel, loophole: str) -> None:
    honest = TOTAL.replace("total += line.Count", "total = total + line.Count")
    low, high = await model.score(hole_of(shop, "shop.go", SOURCE, TOTAL), (loophole, honest))
    assert low.value is not None and high.value is not None
    assert low.value < COMPILES <= high.value


@pytest.mark.parametrize(
    "loophole", ["\t_, _ = Total(nil)", '\tt.Skip("later")', "\tt.Log(Total(nil))", "\tgot := 5\n\t_ = got"]
)
async def test_a_test_without_assertions_does_not_win(shop: Path, model: CompilerRewardModel, loophole: str) -> None:
    body = TESTS[TESTS.index("\tgot, err") : TESTS.rindex("\n}")]
    low, high = await model.score(hole_of(shop, "shop_test.go", TESTS, body), (loophole, body))
    assert low.value is not None and high.value is not None
    assert low.value < high.value


async def test_length_earns_nothing(shop: Path, model: CompilerRewardModel) -> None:
    body = SOURCE[SOURCE.index("\treturn fmt") : SOURCE.rindex("\n}")]
    padded = "\tname := l.Name\n\tif name == name+name {\n\t\tname = l.Name\n\t}\n" + body.replace("l.Name", "name")
    short, long = await model.score(hole_of(shop, "shop.go", SOURCE, body), (body, padded))
    assert short.value is not None and long.value is not None
    assert long.value <= short.value


async def test_what_its_author_left_empty_may_be_said_otherwise(shop: Path, model: CompilerRewardModel) -> None:
    (score,) = await model.score(hole_of(shop, "shop.go", SOURCE, "\treturn 0, nil"), ["return 0, nil"])
    assert not score.trivial


async def test_failing_tests_cost_and_passing_ones_earn(shop: Path, model: CompilerRewardModel) -> None:
    wrong = TOTAL.replace("+= line.Count", "-= line.Count")
    good, bad = await model.score(hole_of(shop, "shop.go", SOURCE, TOTAL), (TOTAL, wrong))
    assert (good.tests, bad.tests) == (True, False)
    assert good.value is not None and bad.value is not None
    assert good.value > bad.value


async def test_ranks_mutated_code_of_the_standard_library_below_the_original() -> None:
    root = go_root()[0] / "src"
    service = await TypeService.start(root)
    model = CompilerRewardModel(checker(service))
    rng = random.Random(1)
    right, wrong = 0, []
    kinds = [kind for kind in FAULTS if kind != "bracket"]
    try:
        for path in sorted((root / "strings").glob("*.go")) + sorted((root / "encoding/csv").glob("*.go")):
            if path.name.endswith("_test.go"):
                continue
            source = path.read_bytes()
            for node in functions(parse(source)):
                body = node.child_by_field_name("body")
                assert body is not None
                hole = Hole(path, source.decode(), body.start_byte + 1, body.end_byte - 1)
                made = [edit for kind in kinds for edit in edits(kind, node, source, hole.start, hole.end, rng)[:1]]
                mutated = [edit.apply(source, hole.start, hole.end).decode() for edit in made]
                good, *scores = await model.score(hole, (hole.truth, *mutated))
                # An edit may break nothing; neither is then the better one.
                for bad in [s for s in scores if not s.compiles][: PAIRS - right - len(wrong)]:
                    if good.value is not None and bad.value is not None and good.value > bad.value:
                        right += 1
                    else:
                        wrong.append((path.name, good, bad))
    finally:
        await service.aclose()
    assert right + len(wrong) == PAIRS
    assert right >= 0.99 * PAIRS, wrong
