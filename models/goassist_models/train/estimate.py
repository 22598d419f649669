"""What a recipe takes, computed from the shapes of its base without any weights: `train sft --dry-run`.

Parameters are counted on torch's meta device, where tensors have shapes and no data. Memory is an estimate: weights,
adapter with its gradients and two moments, activations kept between layers, and logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError
from goassist_models.train.recipe import SftRules
from goassist_models.train.sft import lora_settings

# config.json of Qwen2.5-Coder-7B-Instruct, its shapes alone.
SHAPES_7B = {
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
}
KNOWN = {"Qwen2.5-Coder-7B-Instruct": SHAPES_7B}
# NF4 keeps 4 bits a weight and, quantised twice, 0.127 bits of scales (Dettmers et al. 2023, section 3).
_NF4_BYTES = 4.127 / 8
_BF16, _F32 = 2, 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts of parameters (all, those trained, those kept in NF4), and bytes by part."""

    parameters: int
    trainable: int
    quantised: int
    weight_bytes: int
    adapter_bytes: int
    activation_bytes: int
    logit_bytes: int

    @property
    def total_bytes(self) -> int:
        """All parts together."""
        return self.weight_bytes + self.adapter_bytes + self.activation_bytes + self.logit_bytes


def estimate(base: str, rules: SftRules) -> Estimate:
    """Count what training `base` by these rules takes. Raises ConfigError when nothing is known of its shapes."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, Qwen2Config, Qwen2ForCausalLM

    if (Path(base).expanduser() / "config.json").is_file():
        config: Any = AutoConfig.from_pretrained(str(Path(base).expanduser()))
    elif Path(base).name in KNOWN:
        config = Qwen2Config(**KNOWN[Path(base).name])
    else:
        raise ConfigError("nothing is known of the base's shapes", path=base, cure="Name a directory with config.json")
    with torch.device("meta"):
        whole: Any = Qwen2ForCausalLM(config)
        parameters = sum(p.numel() for p in whole.parameters())
        linear = sum(p.numel() for n, p in whole.named_parameters() if n.endswith("_proj.weight"))
        model = get_peft_model(whole, LoraConfig(**lora_settings(rules)))
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    quantised = linear if rules.four_bit else 0
    kept = rules.batch * rules.max_tokens * config.hidden_size * _BF16
    # With checkpointing one activation a layer is kept, and those of one layer while it is done again.
    layers = config.num_hidden_layers + 16 if rules.checkpointing else config.num_hidden_layers * 16
    return Estimate(
        parameters=parameters,
        trainable=trainable,
        quantised=quantised,
        weight_bytes=int(quantised * _NF4_BYTES) + (parameters - quantised) * _BF16,
        adapter_bytes=trainable * 4 * _F32,
        activation_bytes=kept * layers,
        logit_bytes=rules.batch * min(rules.max_tokens, 1024) * config.vocab_size * _F32 * 2,
    )
