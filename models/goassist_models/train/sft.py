"""Supervised fine-tuning of a LoRA adapter on samples, by trl's SFTTrainer.

The loss is on what has to be written alone. Every so many updates the held-out loss is measured and the adapter kept;
the best one stays. A run that was stopped goes on from its last checkpoint, to the same losses.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError, GoassistError, ModelError
from goassist_models.data.samples import Sample
from goassist_models.data.shards import write_whole
from goassist_models.train.recipe import SftRules

HISTORY = "history.json"
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Trained:
    """An adapter's directory, held-out loss in nats a token before and after, and the updates that were made."""

    adapter: Path
    before: float
    after: float
    steps: int


def sft(
    weights: Path,
    samples: Sequence[Sample],
    held_out: Sequence[Sample],
    rules: SftRules,
    out: Path,
    tell: Callable[[str], None] = lambda message: None,
) -> Trained:
    """Train on `samples` until `rules` say that it is enough; `out` holds checkpoints, history and the adapter.

    Raises ConfigError for too few samples, GoassistError for a loss that is no number, ModelError where memory ran out.
    """
    if not samples or not held_out:
        raise ConfigError("there are no samples to train on, or none to measure with", path=str(out.parent))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers import EarlyStoppingCallback, set_seed
    from transformers.trainer_utils import get_last_checkpoint
    from trl import SFTTrainer

    set_seed(rules.seed)
    model, tokenizer = lora_model(weights, rules)
    last = get_last_checkpoint(str(out / "checkpoints")) if (out / "checkpoints").is_dir() else None
    trainer: Any = SFTTrainer(
        model=model,
        args=_arguments(rules, out, begins=last is None),
        train_dataset=_dataset(samples, rules.max_tokens),
        eval_dataset=_dataset(held_out, rules.max_tokens),
        processing_class=tokenizer,
        data_collator=None if rules.packed else padded,
        callbacks=[EarlyStoppingCallback(rules.patience), watch(tell, rules.max_steps)],
    )
    try:
        trainer.train(resume_from_checkpoint=last)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ModelError(
            "memory ran out while training", path=str(out), cure="Lower [sft] max_tokens or batch in the recipe"
        ) from error
    trainer.model.save_pretrained(str(out / "adapter"))
    history = [row for row in trainer.state.log_history if "loss" in row or "eval_loss" in row]
    write_whole(out / HISTORY, json.dumps(history, indent=1) + "\n")
    held = [row["eval_loss"] for row in history if "eval_loss" in row]
    return Trained(out / "adapter", held[0], min(held), int(trainer.state.global_step))


def lora_model(weights: Path, rules: SftRules) -> tuple[Any, Any]:
    """The base with a fresh adapter, in bfloat16 or 4-bit NF4, and its tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    more = {"quantization_config": quantised} if rules.four_bit else {}
    model: Any = AutoModelForCausalLM.from_pretrained(str(weights), dtype=torch.bfloat16, **more)
    if rules.four_bit:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=rules.checkpointing)
    return get_peft_model(model, LoraConfig(**lora_settings(rules))), AutoTokenizer.from_pretrained(str(weights))


def lora_settings(rules: SftRules) -> dict[str, Any]:
    """What peft is told of the adapter."""
    return {
        "r": rules.rank,
        "lora_alpha": rules.alpha,
        "lora_dropout": rules.dropout,
        "target_modules": list(rules.modules),
        "modules_to_save": list(rules.modules_to_save) or None,
        "task_type": "CAUSAL_LM",
    }


def _arguments(rules: SftRules, out: Path, *, begins: bool) -> Any:
    import torch
    from trl import SFTConfig

    return SFTConfig(
        **shared_arguments(rules.seed, out / "checkpoints"),
        per_device_train_batch_size=rules.batch,
        per_device_eval_batch_size=rules.batch,
        gradient_accumulation_steps=rules.accumulate,
        gradient_checkpointing=rules.checkpointing,
        learning_rate=rules.learning_rate,
        warmup_steps=rules.warmup,
        lr_scheduler_type="cosine",
        max_grad_norm=rules.clip,
        max_steps=rules.max_steps,
        bf16=torch.cuda.is_available(),
        eval_strategy="steps",
        eval_steps=rules.evaluate_every,
        eval_on_start=begins,
        save_strategy="steps",
        save_steps=rules.evaluate_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        max_length=rules.max_tokens,
        packing=rules.packed,
        dataset_kwargs=None if rules.packed else {"skip_prepare_dataset": True},
    )


def shared_arguments(seed: int, checkpoints: Path) -> dict[str, Any]:
    """Settings of every trainer: deterministic, and nothing leaves the machine."""
    import torch

    return {
        "output_dir": str(checkpoints),
        "seed": seed,
        "data_seed": seed,
        "logging_steps": 1,
        # A loss that is no number must be seen, not smoothed over.
        "logging_nan_inf_filter": False,
        "report_to": "tensorboard",
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "remove_unused_columns": False,
    }


def _dataset(samples: Sequence[Sample], max_tokens: int) -> Any:
    from datasets import Dataset

    fitting = [sample for sample in samples if len(sample.ids) <= max_tokens]
    rows = {"input_ids": [list(sample.ids) for sample in fitting]}
    rows["labels"] = [[IGNORED] * sample.prompt + list(sample.ids[sample.prompt :]) for sample in fitting]
    return Dataset.from_dict(rows)


def padded(rows: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Any]:
    """A batch of sequences, filled up at their ends with what is not looked at."""
    import torch

    length = max(len(row["input_ids"]) for row in rows)

    def filled(name: str, value: int) -> Any:
        return torch.tensor([[*row[name], *[value] * (length - len(row[name]))] for row in rows])

    lengths = [len(row["input_ids"]) for row in rows]
    mask = torch.tensor([[1] * n + [0] * (length - n) for n in lengths])
    return {"input_ids": filled("input_ids", 0), "labels": filled("labels", IGNORED), "attention_mask": mask}


def watch(tell: Callable[[str], None], steps: int) -> Any:
    """A callback that says how far training is, and ends it when a loss is no number."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            for name in ("loss", "eval_loss", "grad_norm"):
                value = (logs or {}).get(name)
                if value is None:
                    continue
                if not math.isfinite(value):
                    raise GoassistError(
                        f"{name} is {value} at update {state.global_step}, of batch {state.global_step} in order",
                        path=args.output_dir,
                        cure="Lower learning_rate in the recipe; it goes on from the last checkpoint",
                    )
                if name != "grad_norm":
                    tell(f"update {state.global_step} of {steps}: {name} {value:.3f}")

    return Watch()
