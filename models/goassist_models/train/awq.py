"""Merged weights in four bits by AWQ (Lin et al. 2023), as vLLM serves them on a GPU. By llm-compressor.

What is shown to it to find the weights that matter are samples: the very sequences that will be served. Its releases
ask for older torch and transformers than training does, so it has an environment of its own (extra `awq`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError, ModelError
from goassist_models.data.samples import Sample
from goassist_models.train.recipe import AwqRules


def to_awq(
    weights: Path,
    samples: Sequence[Sample],
    rules: AwqRules,
    target: Path,
    tell: Callable[[str], None] = lambda message: None,
) -> Path:
    """Write `weights`, quantised, to the directory `target`, which appears when it is whole.

    Raises ConfigError where there are no weights or samples, ModelError when the library refuses.
    """
    if not (weights / "config.json").is_file():
        raise ConfigError("there are no merged weights", path=str(weights), cure="Run `train export --keep-merged`")
    shown = [sample for sample in samples if len(sample.ids) <= rules.max_tokens][: rules.samples]
    if not shown:
        raise ConfigError("no sample fits", path=str(weights), cure="Raise [awq] max_tokens, or run `train samples`")
    from datasets import Dataset
    from llmcompressor import oneshot
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier

    tell(f"AWQ, by {len(shown)} samples")
    rows = {"input_ids": [list(one.ids) for one in shown], "attention_mask": [[1] * len(one.ids) for one in shown]}
    recipe: list[Any] = [
        AWQModifier(duo_scaling="both"),
        # A tied output matrix is the input's too, and stays as it is.
        QuantizationModifier(ignore=["lm_head"], scheme=rules.scheme, targets=["Linear"]),
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        try:
            oneshot(
                model=str(weights),
                dataset=Dataset.from_dict(rows),
                recipe=recipe,
                num_calibration_samples=len(shown),
                max_seq_length=rules.max_tokens,
                output_dir=str(made),
            )
        except (RuntimeError, ValueError) as error:
            cure = "Lower [awq] max_tokens or samples" if "memory" in str(error) else None
            raise ModelError(f"AWQ failed: {str(error).splitlines()[0]}", path=str(weights), cure=cure) from error
        config = json.loads((made / "config.json").read_text(encoding="utf-8"))
        if "quantization_config" not in config:
            raise ModelError("llm-compressor wrote weights that are not quantised", path=str(target))
        made.replace(target)
    return target
