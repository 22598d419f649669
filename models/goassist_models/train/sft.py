"""Supervised fine-tuning of a LoRA adapter on samples, by trl's SFTTrainer.

The loss is on what has to be written alone. Every so many updates the held-out loss is measured and the adapter kept;
the best one stays. A run that was stopped goes on from its last checkpoint, to the same losses.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
    before_update: Callable[[], None] = lambda: None,
) -> Trained:
    """Train on `samples` until `rules` say that it is enough; `out` holds checkpoints, history and the adapter.

    `before_update` is called before each update and may wait.
    Raises ConfigError for too few samples, GoassistError for a loss that is no number, ModelError where memory ran out.
    """
    if not samples or not held_out:
        raise ConfigError("there are no samples to train on, or none to measure with", path=str(out.parent))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers import EarlyStoppingCallback, set_seed
    from transformers.trainer_utils import get_last_checkpoint

    set_seed(rules.seed)
    model, tokenizer = lora_model(weights, rules)
    last = get_last_checkpoint(str(out / "checkpoints")) if (out / "checkpoints").is_dir() else None
    batches = Batches(2 * rules.accumulate)
    trainer: Any = _trainer_class()(
        model=model,
        args=_arguments(rules, out, begins=last is None),
        train_dataset=_dataset(samples, rules),
        # What is asked of it is the hole, whatever else is learnt.
        eval_dataset=_dataset(held_out, replace(rules, learn="hole")),
        processing_class=tokenizer,
        data_collator=None if rules.packed else batches,
        callbacks=[
            EarlyStoppingCallback(rules.patience),
            watch(tell, rules.max_steps, batches.recent, before_update),
        ],
    )
    with memory_named("sft", out):
        trainer.train(resume_from_checkpoint=last)
    save_adapter(trainer, out / "adapter")
    history = [row for row in trainer.state.log_history if "loss" in row or "eval_loss" in row]
    write_whole(out / HISTORY, json.dumps(history, indent=1) + "\n")
    held = [row["eval_loss"] for row in history if "eval_loss" in row]
    return Trained(out / "adapter", held[0], min(held), int(trainer.state.global_step))


def save_adapter(trainer: Any, target: Path) -> None:
    """Write the adapter, by the first of several processes; the others wait until it is there."""
    if trainer.is_world_process_zero():
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(str(target))
    trainer.accelerator.wait_for_everyone()


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


def _trainer_class() -> Any:
    """The SFTTrainer of trl, which outside of CUDA and the like projects every position onto the vocabulary.

    For a small model on a CPU that is most of the work, so there the loss is taken of the learnt positions alone.
    """
    import torch
    from trl import SFTTrainer

    if torch.cuda.is_available() or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return SFTTrainer

    class LearntAlone(SFTTrainer):  # type: ignore[misc]
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            each = -token_logprobs(model, inputs)[0]
            count = each.numel() if num_items_in_batch is None else num_items_in_batch
            loss = each.sum() / max(1, int(count))
            return (loss, {"loss": loss.detach()}) if return_outputs else loss

    return LearntAlone


def token_logprobs(model: Any, batch: Mapping[str, Any]) -> tuple[Any, Any]:
    """Log-probabilities in nats of a batch's labelled tokens, shape (tokens,), and the sequence of each.

    Only where something is learnt is the hidden state projected: a row of logits is as wide as the vocabulary.
    """
    import torch

    inputs = {k: batch[k] for k in ("input_ids", "attention_mask", "position_ids") if k in batch}
    labels = batch["labels"][:, 1:]
    learnt = labels != IGNORED
    if hasattr(model, "module"):  # wrapped for several processes: its own forward is what joins their gradients
        logits = model(**inputs, use_cache=False).logits[:, :-1][learnt].float()
    else:
        whole = model.get_base_model() if hasattr(model, "get_base_model") else model
        states = whole.model(**inputs, use_cache=False).last_hidden_state
        logits = whole.get_output_embeddings()(states[:, :-1][learnt]).float()
    rows = torch.log_softmax(logits, dim=-1)
    return rows.gather(1, labels[learnt].unsqueeze(1)).squeeze(1), learnt.nonzero()[:, 0]


@contextmanager
def memory_named(stage: str, out: Path) -> Iterator[None]:
    """Where memory runs out, on a device or here, say which of the recipe's settings to lower."""
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch raises a plain RuntimeError where the machine's own memory is meant.
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "allocate memory" not in str(error):
            raise
        raise ModelError(
            "memory ran out while training", path=str(out), cure=f"Lower [{stage}] max_tokens or batch in the recipe"
        ) from error


def _dataset(samples: Sequence[Sample], rules: SftRules) -> Any:
    from datasets import Dataset

    fitting = [sample for sample in samples if len(sample.ids) <= rules.max_tokens]
    rows: dict[str, list[Any]] = {"input_ids": [list(sample.ids) for sample in fitting], "labels": []}
    for sample in fitting:
        given = max(1, sample.told) if rules.learn == "middle" else sample.prompt
        rows["labels"].append([IGNORED] * given + list(sample.ids[given:]))
    if not rules.packed:
        rows["sample"] = [sample.id for sample in fitting]
    return Dataset.from_dict(rows)


class Batches:
    """Makes batches of rows, and remembers whose samples the last `keep` of them were."""

    def __init__(self, keep: int) -> None:
        self._ids: deque[list[str]] = deque(maxlen=keep + 1)  # the loader is one batch ahead

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The batch of these rows, whose samples' ids are remembered."""
        self._ids.append([row["sample"] for row in rows if "sample" in row])
        return padded(rows)

    def recent(self) -> list[str]:
        """Ids of the samples in the last batches."""
        return [one for batch in self._ids for one in batch]


def padded(rows: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Any]:
    """A batch of sequences, filled up at their ends with what is not looked at."""
    import torch

    length = max(len(row["input_ids"]) for row in rows)

    def filled(name: str, value: int) -> Any:
        return torch.tensor([[*row[name], *[value] * (length - len(row[name]))] for row in rows])

    lengths = [len(row["input_ids"]) for row in rows]
    mask = torch.tensor([[1] * n + [0] * (length - n) for n in lengths])
    return {"input_ids": filled("input_ids", 0), "labels": filled("labels", IGNORED), "attention_mask": mask}


def watch(
    tell: Callable[[str], None],
    steps: int,
    recent: Callable[[], Sequence[str]] = lambda: (),
    before_update: Callable[[], None] = lambda: None,
) -> Any:
    """A callback that says how far training is, and ends it when a loss is no number.

    `recent` names the samples of the last batches; `before_update` is called before each update.
    """
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            before_update()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            for name in ("loss", "eval_loss", "grad_norm"):
                value = (logs or {}).get(name)
                if value is None:
                    continue
                if not math.isfinite(value):
                    samples = f", among samples {', '.join(recent())}" if recent() else ""
                    raise GoassistError(
                        f"{name} is {value} at update {state.global_step}, of batch {state.global_step}{samples}",
                        path=args.output_dir,
                        cure="Lower learning_rate in the recipe; it goes on from the last checkpoint",
                    )
                if name != "grad_norm":
                    tell(f"update {state.global_step} of {steps}: {name} {value:.3f}")

    return Watch()
