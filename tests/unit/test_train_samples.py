"""Copies are found whatever their names are, and samples are the very sequences that the server decodes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.syntax import functions, parse
from goassist_lsp.cli import main
from goassist_lsp.cli.train.samples import prompt_builder
from goassist_models.data.collect import read
from goassist_models.data.dedup import THRESHOLD, Signed, copies, labelled_pairs, precision_recall, signed
from goassist_models.data.records import SourceFile, shard_text
from goassist_models.data.samples import SampleRules, make_samples, read_samples
from goassist_models.data.similar import digest, normalised
from goassist_models.engine.vocabulary import Vocabulary, load_vocabulary
from goassist_models.train.recipe import read_recipe
from support import tiny_gguf

RECIPES = Path(__file__).parent.parent.parent / "models" / "recipes"
SUM = """func Sum(values []int, limit int) (int, error) {
	total := 0
	for number, value := range values {
		if value > limit {
			return 0, fmt.Errorf("value %d of %d is too large", number, limit)
		}
		total += value
	}
	if total > limit {
		return 0, errors.New("too much")
	}
	return total, nil
}
"""
RENAMED = SUM.replace("total", "result").replace("value", "item").replace("Sum", "Add").replace("too large", "bad")
NEAR = RENAMED.replace("\treturn result, nil", "\treturn result + 1, nil")
OTHER = """func (s *Store) Walk(visit func(key string, size int64) bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key, entry := range s.entries {
		if entry.expired() || !visit(key, entry.size) {
			delete(s.seen, key)
			break
		}
	}
	s.walks++
	s.last = s.clock.Now()
}
"""


def of(module: str, start: int, text: str) -> Signed:
    source = f"package p\n{text}".encode()
    return signed(module, f"{module}/a.go", start, normalised(functions(parse(source))[0], source))


def test_a_renamed_copy_has_the_same_digest_and_other_code_another() -> None:
    assert of("a", 0, SUM).digest == of("b", 0, RENAMED).digest != of("c", 0, OTHER).digest


def test_the_first_of_several_copies_stays() -> None:
    found = [of("a", 1, SUM), of("b", 1, RENAMED), of("c", 1, NEAR), of("d", 1, OTHER)]
    assert copies(found, []) == {("b/a.go", 1): "dedup: copy", ("c/a.go", 1): "dedup: near copy"}


def test_what_an_evaluation_asks_for_is_out_under_any_name() -> None:
    assert copies([of("a", 1, NEAR), of("b", 1, OTHER)], [of("", 0, SUM)]) == {
        ("a/a.go", 1): "dedup: asked by an evaluation"
    }


def test_a_fork_is_out_with_all_that_it_has() -> None:
    originals = [of("a", n, f"func F() int {{\n\treturn a.M{n}()\n}}\n") for n in range(30)]
    fork = [replace(one, module="fork", file="fork/a.go") for one in originals[:20]]
    own = replace(of("fork", 99, OTHER), file="fork/a.go")
    found = copies([*originals, *fork, own], [])
    assert found[own.place] == "dedup: fork of a"


def test_the_threshold_was_the_best_of_labelled_pairs() -> None:
    pairs = labelled_pairs()
    precision, recall = precision_recall(THRESHOLD, pairs)
    assert len(pairs) >= 40
    assert precision >= 0.8
    assert recall >= 0.85


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return load_vocabulary(tiny_gguf.write_bigram_model(tmp_path_factory.mktemp("model") / "tiny.gguf", {}))


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards") / "a.jsonl"
    text = f'package p\n\nimport (\n\t"errors"\n\t"fmt"\n)\n\n// Sum adds.\n{SUM}\n{OTHER}'
    path.write_text(shard_text([read(SourceFile("m", "v1", "proxy", "", "a.go", "", spdx=("MIT",)), text.encode())]))
    return path


@pytest.mark.parametrize("form", ["joined", "anchored", "psm", "spm"])
def test_what_is_learnt_is_the_hole_with_what_healing_took_back(vocabulary: Vocabulary, shard: Path, form: str) -> None:
    rules = SampleRules(forms={form: 1.0}, holes=8)
    text, counts = make_samples(str(shard), vocabulary=lambda: vocabulary, build=prompt_builder(400), rules=rules)
    rows = [json.loads(line) for line in text.splitlines()]
    source = json.loads(shard.read_text())["text"].encode()
    assert len(rows) == counts["samples"] == counts[f"form {form}"] >= 8
    healed = 0
    for row in rows:
        learnt = row["ids"][row["prompt"] :]
        assert learnt[-1] == tiny_gguf.token_id("<|endoftext|>")
        written = b"".join(vocabulary.pieces[token] for token in learnt[:-1])
        hole = source[row["start"] : row["end"]]
        assert written.endswith(hole)
        tie = written[: len(written) - len(hole)]
        assert source[: row["start"]].endswith(tie)
        healed += bool(tie)
        # What the model takes for the middle begins behind its token; in the joined form that is the prefix.
        assert row["ids"][row["told"] - 1] == tiny_gguf.token_id("<|fim_middle|>")
        assert tiny_gguf.token_id("<|fim_middle|>") not in row["ids"][row["told"] :]
        assert (row["told"] < row["prompt"]) or form != "joined"
        assert row["spdx"] == ["MIT"]
    assert (healed > 0) == (form in ("joined", "anchored"))


def test_some_holes_begin_inside_a_word(vocabulary: Vocabulary, shard: Path) -> None:
    source = json.loads(shard.read_text())["text"].encode()

    def inside(share: float) -> int:
        rules = SampleRules(forms={"joined": 1.0}, holes=12, cut_inside=share)
        text, _ = make_samples(str(shard), vocabulary=lambda: vocabulary, build=prompt_builder(400), rules=rules)
        starts = [json.loads(line)["start"] for line in text.splitlines()]
        return sum(chr(source[at - 1]).isalnum() and chr(source[at]).isalnum() for at in starts)

    assert inside(0.0) == 0 < inside(1.0)


def test_a_sample_that_is_there_twice_is_refused(vocabulary: Vocabulary, shard: Path, tmp_path: Path) -> None:
    rules = SampleRules(forms={"joined": 1.0})
    text, _ = make_samples(str(shard), vocabulary=lambda: vocabulary, build=prompt_builder(400), rules=rules)
    (tmp_path / "a.jsonl").write_text(text)
    (tmp_path / "b.jsonl").write_text(text)
    assert list(read_samples([tmp_path / "a.jsonl"]))
    with pytest.raises(GoassistError, match="is there twice"):
        list(read_samples([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]))


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_read(recipe: Path) -> None:
    assert read_recipe(recipe).name == recipe.stem


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "x', "no TOML"),
        ('name = "x"\nbase = "b"\ncontext_tokens = 1\n[collect]\nsources = []\n', "samples"),
        (
            'name = "x"\nbase = "b"\ncontext_tokens = 1\n[collect]\nsources = []\n[samples]\nforms = {joined = 1}\n'
            "[sft]\nrang = 1\n",
            "rang",
        ),
    ],
)
def test_a_wrong_recipe_is_named_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_recipe(path)


def test_a_run_does_not_go_on_with_another_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'name = "r"\nbase = "b"\ncontext_tokens = 1\n[collect]\nsources = []\n[samples]\nforms = {joined = 1}\n'
    )
    run = ["train", "collect", "--out", str(tmp_path / "run")]
    assert main([*run, "--recipe", str(recipe)]) == 0
    recipe.write_text(recipe.read_text().replace('"b"', '"c"'))
    assert main([*run, "--recipe", str(recipe)]) == 2
    assert "another recipe" in capsys.readouterr().err


def test_digest_is_over_tokens() -> None:
    assert digest([b"a", b"b"]) != digest([b"ab"])
