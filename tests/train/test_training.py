"""Losses by hand and beside trl's, a run that is killed and goes on, and errors that name their cause."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from goassist_index.errors import GoassistError, ModelError
from goassist_models.data.samples import Sample
from goassist_models.train.base import VOCABULARY, check_vocabulary
from goassist_models.train.dpo import dpo, dpo_margin_loss, summed_logprobs
from goassist_models.train.estimate import estimate
from goassist_models.train.export import merge
from goassist_models.train.preference import Pair
from goassist_models.train.recipe import DpoRules, SftRules, read_recipe
from goassist_models.train.sft import HISTORY, _dataset, lora_model, memory_named, padded, sft

RECIPES = Path(__file__).parent.parent.parent / "models" / "recipes"
RULES = SftRules(rank=4, alpha=8, max_steps=6, evaluate_every=2, learning_rate=1e-2, max_tokens=64, dropout=0.1)


def sample(number: int) -> Sample:
    rng = random.Random(number)
    ids = tuple(rng.randrange(40, 120) for _ in range(12))
    return Sample(str(number), "m", "m/a.go", "F", "line", "joined", 0, 1, ("MIT",), ids, 6, 3)


def pair(number: int) -> Pair:
    rng = random.Random(number)
    prompt, chosen, rejected = (tuple(rng.randrange(40, 120) for _ in range(n)) for n in (6, 4, 5))
    return Pair(str(number), "mutated", "m/a.go", "undefined", prompt, chosen, rejected)


SAMPLES, HELD_OUT = [sample(n) for n in range(12)], [sample(n) for n in range(100, 103)]


def losses(out: Path) -> list[tuple[str, float]]:
    rows = json.loads((out / HISTORY).read_text())
    return [(name, row[name]) for row in rows for name in ("loss", "eval_loss") if name in row]


def test_the_margin_loss_is_what_one_calculates_by_hand() -> None:
    rules = DpoRules(beta=0.1, margin=1.0, margin_weight=0.2)
    values = [torch.tensor([v], dtype=torch.float64) for v in (-3.0, -4.5, -3.2, -4.1)]
    # d = (-3 + 4.5) - (-3.2 + 4.1) = 0.6; ln(1 + e^-0.06) + 0.2 (1 - 0.6)
    by_hand = math.log1p(math.exp(-0.06)) + 0.2 * 0.4
    assert dpo_margin_loss(*values, rules).item() == pytest.approx(by_hand, abs=1e-5)


def test_before_the_first_step_it_is_ln_2_and_the_whole_margin() -> None:
    same = torch.zeros(3)
    loss = dpo_margin_loss(same, same, same, same, DpoRules(margin=1.0, margin_weight=0.2))
    assert loss.tolist() == pytest.approx([math.log(2) + 0.2] * 3, abs=1e-5)


def test_beyond_the_margin_nothing_is_added() -> None:
    rules = DpoRules(beta=0.1, margin=1.0, margin_weight=0.2)
    far = torch.tensor([4.0]), torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([0.0])
    assert dpo_margin_loss(*far, rules).item() == pytest.approx(math.log1p(math.exp(-0.4)), abs=1e-5)


def test_without_margin_it_is_the_loss_of_trl(weights: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    model: Any = AutoModelForCausalLM.from_pretrained(str(weights), dtype=torch.float32)
    texts = {"prompt": ["fmt."], "chosen": ["Print"], "rejected": ["Close"]}
    trainer: Any = DPOTrainer(
        model=model,
        args=DPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", beta=0.3,
                       precompute_ref_log_probs=True),
        train_dataset=Dataset.from_dict(texts),
        processing_class=AutoTokenizer.from_pretrained(str(weights)),
    )  # fmt: skip
    one, other = pair(1), pair(2)
    rows = [
        (p, text)
        for p, text in ((one, one.chosen), (other, other.chosen), (one, one.rejected), (other, other.rejected))
    ]
    batch = padded(
        [{"input_ids": [*p.prompt, *text], "labels": [-100] * len(p.prompt) + list(text)} for p, text in rows]
    )
    reference = torch.tensor([-20.0, -18.0, -25.0, -21.0])
    theirs = trainer._compute_loss(
        trainer.model,
        {
            "input_ids": batch["input_ids"],
            "attention_mask": batch["attention_mask"],
            "completion_mask": (batch["labels"] != -100).long(),
            "ref_chosen_logps": reference[:2],
            "ref_rejected_logps": reference[2:],
        },
        False,
    )
    chosen, rejected = summed_logprobs(trainer.model, batch).chunk(2)
    rules = DpoRules(beta=0.3, margin_weight=0.0)
    ours = dpo_margin_loss(chosen, rejected, reference[:2], reference[2:], rules).mean()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-5)


def test_a_killed_run_goes_on_to_the_same_losses(weights: Path, tmp_path: Path) -> None:
    whole = sft(weights, SAMPLES, HELD_OUT, RULES, tmp_path / "whole")

    def kill(message: str) -> None:
        if message.startswith("update 5"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sft(weights, SAMPLES, HELD_OUT, RULES, tmp_path / "killed", kill)
    again = sft(weights, SAMPLES, HELD_OUT, RULES, tmp_path / "killed")
    assert again.steps == whole.steps == 6
    assert len(losses(tmp_path / "whole")) == 6 + 4
    for (name, value), (other, expected) in zip(losses(tmp_path / "killed"), losses(tmp_path / "whole"), strict=True):
        assert name == other
        assert value == pytest.approx(expected, abs=1e-4)


def test_training_lowers_the_loss_on_what_is_learnt(weights: Path, tmp_path: Path) -> None:
    rules = replace(RULES, max_steps=20, evaluate_every=5, patience=9, dropout=0.0)
    trained = sft(weights, SAMPLES[:4], SAMPLES[:4], rules, tmp_path / "run")
    assert trained.after < 0.8 * trained.before
    assert (trained.adapter / "adapter_model.safetensors").is_file()


def test_dpo_raises_the_chosen_above_the_rejected(weights: Path, tmp_path: Path) -> None:
    start = sft(weights, SAMPLES, HELD_OUT, replace(RULES, max_steps=2), tmp_path / "sft")
    rules = DpoRules(max_steps=12, learning_rate=1e-2, accumulate=2)
    trained = dpo(weights, start.adapter, [pair(n) for n in range(4)], rules, tmp_path / "dpo")
    history = json.loads((tmp_path / "dpo" / HISTORY).read_text())
    assert history[0]["loss"] == pytest.approx(math.log(2) + 0.2, abs=2e-2)
    assert trained.after < trained.before


def test_a_loss_that_is_no_number_ends_training_and_names_the_samples(weights: Path, tmp_path: Path) -> None:
    rules = replace(RULES, learning_rate=1e30, clip=1e30, warmup=0.0)
    with pytest.raises(GoassistError, match=r"(loss|grad_norm) is (nan|inf) at update \d, .* among samples \d+"):
        sft(weights, SAMPLES, HELD_OUT, rules, tmp_path / "run")
    assert not (tmp_path / "run" / "adapter").exists()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_want_of_memory_names_the_setting_to_lower(tmp_path: Path, error: Exception) -> None:
    for stage in ("sft", "dpo"):
        with (
            pytest.raises(ModelError, match=rf"memory ran out while training.*Lower \[{stage}\] max_tokens or batch"),
            memory_named(stage, tmp_path),
        ):
            raise error
    with pytest.raises(RuntimeError, match="another cause"), memory_named("sft", tmp_path):
        raise RuntimeError("another cause")


def test_what_is_learnt_alone_is_projected_to_the_loss_of_trl(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = replace(RULES, dropout=0.0, max_steps=3, evaluate_every=3, accumulate=2)
    ours = sft(weights, SAMPLES, HELD_OUT, rules, tmp_path / "ours")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("WORLD_SIZE", "1")
    from trl import SFTTrainer

    monkeypatch.setattr("goassist_models.train.sft._trainer_class", lambda: SFTTrainer)
    theirs = sft(weights, SAMPLES, HELD_OUT, rules, tmp_path / "theirs")
    assert ours.steps == theirs.steps == 3
    for (name, value), (other, expected) in zip(losses(tmp_path / "ours"), losses(tmp_path / "theirs"), strict=True):
        assert name == other
        assert value == pytest.approx(expected, abs=2e-2)  # bfloat16, and another order of sums


def test_the_whole_middle_is_learnt_where_the_recipe_says_so() -> None:
    ids = list(sample(1).ids)
    (hole,), (middle,) = (_dataset([sample(1)], replace(RULES, learn=learn))["labels"] for learn in ("hole", "middle"))
    assert hole == [-100] * 6 + ids[6:]
    assert middle == [-100] * 3 + ids[3:]


def test_an_adapter_of_another_base_is_named(weights: Path, tmp_path: Path) -> None:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    other = Qwen2ForCausalLM(Qwen2Config(vocab_size=287, hidden_size=64, intermediate_size=32, num_hidden_layers=1,
                                         num_attention_heads=2, num_key_value_heads=2))  # fmt: skip
    other.save_pretrained(tmp_path / "other")
    model, _ = lora_model(weights, RULES)
    model.save_pretrained(tmp_path / "adapter")
    with pytest.raises(ModelError, match="does not fit the base"):
        merge(tmp_path / "other", tmp_path / "adapter", tmp_path / "merged")


def test_samples_of_another_tokenizer_are_refused(weights: Path) -> None:
    check_vocabulary(weights, (weights / VOCABULARY).read_text())
    with pytest.raises(ModelError, match="tokenizer is another one"):
        check_vocabulary(weights, "0" * 64)


def test_the_7b_recipe_is_counted_from_its_shapes() -> None:
    recipe = read_recipe(RECIPES / "qwen2.5-coder-7b.toml")
    found = estimate(recipe.base, recipe.sft)
    assert found.parameters == 7_615_616_512
    # r (in + out) for q, k, v, o, up and down of 28 layers
    by_hand = 28 * 32 * ((3584 + 3584) * 2 + (3584 + 512) * 2 + (3584 + 18944) * 2)
    assert found.trainable == by_hand
    assert found.total_bytes < 16 * 2**30
