"""Direct preference optimisation with a margin, on pairs that the compiler ranked.

Loss of a pair: -logsigmoid(beta d) + margin_weight relu(margin - d), where d is the policy's log-ratio of chosen and
rejected less the reference's. With weight 0 it is DPO (Rafailov et al. 2023, equation 7). The reference is the policy
as it was before: its log-probabilities are computed once, first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError
from goassist_models.data.shards import write_whole
from goassist_models.train.preference import Pair
from goassist_models.train.recipe import DpoRules
from goassist_models.train.sft import (
    HISTORY,
    IGNORED,
    Trained,
    memory_named,
    padded,
    save_adapter,
    shared_arguments,
    token_logprobs,
    watch,
)


def dpo_margin_loss(
    policy_chosen: Any, policy_rejected: Any, reference_chosen: Any, reference_rejected: Any, rules: DpoRules
) -> Any:
    """Loss of each pair. The tensors are log-probabilities summed over a text's tokens, in nats, shape (pairs,)."""
    import torch

    difference = (policy_chosen - policy_rejected) - (reference_chosen - reference_rejected)
    preferred = -torch.nn.functional.logsigmoid(rules.beta * difference)
    return preferred + rules.margin_weight * torch.relu(rules.margin - difference)


def summed_logprobs(model: Any, batch: Mapping[str, Any]) -> Any:
    """Log-probability of each sequence's labelled tokens, in nats, shape (sequences,)."""
    import torch

    each, sequences = token_logprobs(model, batch)
    return torch.zeros(batch["labels"].shape[0], device=each.device).index_add(0, sequences, each)


def dpo(
    weights: Path,
    adapter: Path,
    pairs: Sequence[Pair],
    rules: DpoRules,
    out: Path,
    tell: Callable[[str], None] = lambda message: None,
) -> Trained:
    """Train `adapter` further on `pairs`; `out` holds checkpoints, history and the new adapter.

    Raises ConfigError without pairs, GoassistError for a loss that is no number, ModelError where memory ran out.
    """
    fitting = [pair for pair in pairs if pair.tokens <= rules.max_tokens]
    if not fitting:
        raise ConfigError("there are no pairs that fit", path=str(out.parent), cure="Raise [dpo] max_tokens")
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, TrainingArguments, set_seed
    from transformers.trainer_utils import get_last_checkpoint

    set_seed(rules.seed)
    base: Any = AutoModelForCausalLM.from_pretrained(str(weights), dtype=torch.bfloat16)
    model = PeftModel.from_pretrained(base, str(adapter), is_trainable=True)
    for module in model.modules():  # the reference and the policy must not differ by chance
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    tell("log-probabilities of the reference")
    rows = _with_reference(model, fitting)
    trainer = margin_trainer(
        rules,
        model=model,
        args=TrainingArguments(
            **shared_arguments(rules.seed, out / "checkpoints"),
            per_device_train_batch_size=rules.batch,
            gradient_accumulation_steps=rules.accumulate,
            learning_rate=rules.learning_rate,
            warmup_steps=0.1,
            max_steps=rules.max_steps,
            bf16=torch.cuda.is_available(),
            save_steps=max(1, rules.max_steps // 2),
            save_total_limit=2,
        ),
        train_dataset=rows,
        data_collator=collated,
        callbacks=[watch(tell, rules.max_steps)],
    )
    last = get_last_checkpoint(str(out / "checkpoints")) if (out / "checkpoints").is_dir() else None
    with memory_named("dpo", out):
        trainer.train(resume_from_checkpoint=last)
    save_adapter(trainer, out / "adapter")
    history = [row for row in trainer.state.log_history if "loss" in row]
    write_whole(out / HISTORY, json.dumps(history, indent=1) + "\n")
    losses = [row["loss"] for row in history]
    some = max(1, len(losses) // 4)
    return Trained(
        out / "adapter", sum(losses[:some]) / some, sum(losses[-some:]) / some, int(trainer.state.global_step)
    )


def margin_trainer(rules: DpoRules, **arguments: Any) -> Any:
    """A transformers Trainer with this loss; batches are those of `collated`."""
    from transformers import Trainer

    class MarginTrainer(Trainer):  # type: ignore[misc]
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            chosen, rejected = summed_logprobs(model, inputs).chunk(2)
            reference_chosen, reference_rejected = inputs["reference"].chunk(2)
            loss = dpo_margin_loss(chosen, rejected, reference_chosen, reference_rejected, rules).mean()
            # The trainer sums the losses of the batches that make one update.
            loss = loss / self.args.gradient_accumulation_steps if num_items_in_batch is not None else loss
            return (loss, {}) if return_outputs else loss

    return MarginTrainer(**arguments)


def _with_reference(model: Any, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    import torch

    rows = []
    model.eval()
    with torch.no_grad():
        for pair in pairs:
            row: dict[str, Any] = {"chosen": _row(pair, pair.chosen), "rejected": _row(pair, pair.rejected)}
            reference = summed_logprobs(model, padded([row["chosen"], row["rejected"]]))
            rows.append(row | {"reference": reference.tolist()})
    return rows


def _row(pair: Pair, text: Sequence[int]) -> dict[str, list[int]]:
    return {"input_ids": [*pair.prompt, *text], "labels": [IGNORED] * len(pair.prompt) + list(text)}


def collated(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch: the chosen sequences, then the rejected ones, and what the reference says of each."""
    import torch

    batch = padded([*(row["chosen"] for row in rows), *(row["rejected"] for row in rows)])
    reference = torch.tensor([*(row["reference"][0] for row in rows), *(row["reference"][1] for row in rows)])
    return batch | {"reference": reference}
