"""A recipe: one short TOML file that says what a run is made of. The command line says where it is made.

Each section is one frozen dataclass; what a recipe does not say has its default here, beside its meaning.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cattrs

from goassist_index.errors import ConfigError
from goassist_models.data.samples import SampleRules

ATTENTION_AND_MLP = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class CollectRules:
    """Sources as collect.py names them, in order."""

    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SftRules:
    """Supervised fine-tuning of a LoRA adapter (Hu et al. 2021; QLoRA, Dettmers et al. 2023, with `four_bit`).

    `batch` sequences a device and step, `accumulate` of them for one update: together the effective batch.
    `max_steps` are updates. Every `evaluate_every` of them the held-out loss is measured and the adapter kept;
    after `patience` such without a better one, training stops. `modules_to_save` trains and saves whole matrices
    (docs/decisions: harmful where input and output are tied). `packed` joins samples to `max_tokens`,
    `checkpointing` computes activations twice and keeps fewer. `held_out` samples are measured with.
    `learn`: the loss is on the "hole" and its end, or on all that the model takes for the "middle": in the joined form,
    where prefix and hole follow each other, every place of the prefix is then learnt as a hole that begins there.
    """

    four_bit: bool = False
    rank: int = 32
    alpha: int = 16
    dropout: float = 0.05
    modules: tuple[str, ...] = ATTENTION_AND_MLP
    modules_to_save: tuple[str, ...] = ()
    learning_rate: float = 2e-4
    warmup: float = 0.05
    clip: float = 1.0
    batch: int = 1
    accumulate: int = 1
    max_steps: int = 100
    max_tokens: int = 4096
    packed: bool = False
    checkpointing: bool = False
    held_out: int = 32
    evaluate_every: int = 20
    patience: int = 3
    seed: int = 1
    learn: Literal["hole", "middle"] = "hole"


@dataclass(frozen=True, slots=True)
class PreferenceRules:
    """Pairs for DPO: `mutated` from faults put into good code, `natural` holes that the model itself is asked.

    `draws` answers a hole; a pair needs one that compiles and one that does not, or the author's text for the first.
    `gated` of what the gates refused, each beside its nearest good form. With `tests` a text that compiles and fails
    the function's tests loses to one that passes them; `lint` ranks by staticcheck's findings too: seconds a text.
    """

    mutated: int = 32
    natural: int = 32
    gated: int = 32
    tests: bool = False
    lint: bool = False
    draws: int = 2
    max_new_tokens: int = 48
    temperature: float = 0.8
    seed: int = 1


@dataclass(frozen=True, slots=True)
class DpoRules:
    """DPO (Rafailov et al. 2023) with a margin term: -logsigmoid(beta d) + margin_weight relu(margin - d)."""

    beta: float = 0.1
    margin: float = 1.0
    margin_weight: float = 0.2
    learning_rate: float = 2e-5
    max_steps: int = 12
    batch: int = 1
    accumulate: int = 1
    max_tokens: int = 1024
    seed: int = 1


@dataclass(frozen=True, slots=True)
class ExportRules:
    """Quantisations that are made, the first of which is served; tokens of gated Go for the importance matrix."""

    types: tuple[str, ...] = ("Q5_K_M", "Q4_K_M", "Q8_0")
    importance_tokens: int = 20_000


@dataclass(frozen=True, slots=True)
class AwqRules:
    """AWQ for vLLM: `samples` of up to `max_tokens` tokens show which weights matter; a `scheme` of llm-compressor."""

    samples: int = 256
    max_tokens: int = 2048
    scheme: str = "W4A16_ASYM"
    seed: int = 1


@dataclass(frozen=True, slots=True)
class EvaluateRules:
    """Held-out holes: `likelihood` of the standard library's new functions, `infill` of the development modules."""

    likelihood: int = 30
    infill: int = 32
    forms: tuple[str, ...] = ("joined", "anchored", "psm")
    split: str = "dev"
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a run is made of. `base` names a model of the registry, a GGUF file or a directory of weights.

    `context_tokens` is the prompt's budget, as served; `vocabulary` the GGUF model whose tokens the samples are made
    of, "" for the base's own.
    """

    name: str
    base: str
    context_tokens: int
    collect: CollectRules
    samples: SampleRules
    sft: SftRules = field(default_factory=SftRules)
    preference: PreferenceRules = field(default_factory=PreferenceRules)
    dpo: DpoRules = field(default_factory=DpoRules)
    export: ExportRules = field(default_factory=ExportRules)
    awq: AwqRules = field(default_factory=AwqRules)
    evaluate: EvaluateRules = field(default_factory=EvaluateRules)
    vocabulary: str = ""


_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises ConfigError, which names the file and the key, for what is none."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return _CONVERTER.structure(table, Recipe)
    except OSError as error:
        raise ConfigError(
            f"the recipe cannot be read ({error.strerror})", path=str(path), cure="Name one of models/recipes"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the recipe is no TOML ({error})", path=str(path), cure="Mend that line") from error
    except cattrs.BaseValidationError as error:
        words = "; ".join(cattrs.transform_error(error, path="recipe"))
        raise ConfigError(f"the recipe is wrong: {words}", path=str(path), cure="See train/recipe.py") from error
