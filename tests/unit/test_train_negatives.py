"""What the gates refused stands beside its nearest good form; tests and staticcheck decide between what compiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from tree_sitter import Node

from goassist_lsp.cli.train.compiler import compiler_reward
from goassist_lsp.cli.train.samples import prompt_builder
from goassist_models.data.collect import below
from goassist_models.data.gates import gate
from goassist_models.data.records import SourceFile, read_shard, shard_text
from goassist_models.data.samples import Sample, sample_of
from goassist_models.data.shards import write_whole
from goassist_models.engine.vocabulary import Vocabulary, load_vocabulary
from goassist_models.evaluate.ghost import Place
from goassist_models.train.negatives import MakeSample, gated_pairs
from goassist_models.train.reward import Hole
from support import tiny_gguf

GOOD = """package shop

import "fmt"

func Report(names []string, counts []int) string {
	text := ""
	for i, name := range names {
		if counts[i] == 0 {
			continue
		}
		text += fmt.Sprintf("%s: %d of all\\n", name, counts[i])
	}
	return text
}

// Same is here for its test.
func Same(values []int) []int {
	found := make([]int, 0, len(values))
	found = append(found, values...)
	return found
}
"""
# The same with a printf verb that does not fit, as an earlier version had it.
BAD = GOOD[: GOOD.index("\n// Same")].replace("Report", "Told").replace("%s: %d of all", "%d: %s of all")
TESTS = """package shop

import "testing"

func TestSame(t *testing.T) {
	if got := Same([]int{1, 2}); len(got) != 2 {
		t.Errorf("Same = %v", got)
	}
}
"""


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return load_vocabulary(tiny_gguf.write_bigram_model(tmp_path_factory.mktemp("model") / "tiny.gguf", {}))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    (root / "go.mod").write_text("module example.com/shop\n\ngo 1.23\n")
    for name, text in (("good.go", GOOD), ("bad.go", BAD), ("shop_test.go", TESTS)):
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def files(shop: Path) -> list[SourceFile]:
    """The module as the gates leave it."""
    shard = shop.parent / "shop.jsonl"
    write_whole(shard, shard_text(below(shop, "", "", "directory")))
    write_whole(shard, gate(str(shard))[0])
    return read_shard(shard)


def make(words: Vocabulary, shop: Path) -> MakeSample:
    def sample(file: SourceFile, node: Node, start: int, end: int) -> Sample:
        place = Place(shop / file.path, file.text.encode(), node, new=False)
        return sample_of(file, place, ("body", start, end), "joined", words, prompt_builder(400), 1)

    return sample


async def test_a_refused_function_is_paired_with_its_nearest_good_form(
    files: list[SourceFile], shop: Path, words: Vocabulary
) -> None:
    refused = {f.name: f.dropped for file in files for f in file.functions if f.dropped}
    assert refused == {"Told": "vet: printf"}
    async with compiler_reward() as reward:
        (pair,), counts = await gated_pairs(files, make(words, shop), reward, words, 8)
    chosen, rejected = (b"".join(words.pieces[t] for t in ids) for ids in (pair.chosen, pair.rejected))
    assert (pair.source, pair.cause) == ("gated", "vet: printf")
    assert chosen.startswith(b"s: %d of all")
    assert rejected.startswith(b"d: %s of all")
    assert counts == {"gated: vet": 1}


async def test_what_has_no_good_form_near_it_gives_no_pair(
    files: list[SourceFile], shop: Path, words: Vocabulary
) -> None:
    alone = [file for file in files if file.path != "good.go"]
    async with compiler_reward() as reward:
        pairs, counts = await gated_pairs(alone, make(words, shop), reward, words, 8)
    assert not pairs
    assert counts == {"gated: no good form is near": 1}


async def test_tests_and_staticcheck_rank_what_compiles(shop: Path) -> None:
    truth = GOOD[GOOD.index("\tfound := make") : GOOD.rindex("\n}")]
    start = GOOD.index(truth)
    hole = Hole(shop / "good.go", GOOD, start, start + len(truth))
    wrong = truth.replace("append(found, values...)", "append(found, len(values))")
    smelly = truth.replace("\tfound = append", "\tfound = found\n\tfound = append")
    before = (shop / "good.go").read_bytes()
    async with compiler_reward(lambda asked: ("TestSame",), lint=True) as reward:
        good, failing, found = await reward(hole, (truth, wrong, smelly))
    assert (good.tests, failing.tests, found.tests) == (True, False, True)
    assert (good.findings, found.findings) == (0, 1)  # SA4018, self-assignment
    assert good.value is not None and failing.value is not None and found.value is not None
    assert good.value > found.value > failing.value
    assert (shop / "good.go").read_bytes() == before
