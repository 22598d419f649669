"""The weights that training begins from, as transformers reads them: a directory, or a GGUF file taken back to one.

A GGUF file of a model whose input and output matrices are one holds them twice, each quantised for itself. They are
made one again, from the output's, or else training would move one and the other would stay.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError, ModelError
from goassist_models import registry
from goassist_models.gguf_header import read_header

VOCABULARY, PRETOKENIZER = "vocabulary.sha256", "pretokenizer.txt"
_SAME_COSINE = 0.95


def weights(base: str, cache: Path, tell: Callable[[str], None] = lambda message: None) -> Path:
    """Directory of `base`'s weights in bfloat16 with its tokenizer: `base` itself, or made once below `cache`.

    Raises ModelError or ConfigError when there is no such model.
    """
    named = Path(base).expanduser()
    if named.is_dir():
        if not (named / "config.json").is_file():
            raise ConfigError("no weights that transformers reads", path=str(named), cure="Name a model's directory")
        return named
    model = registry.resolve(base).path
    size = model.stat().st_size
    made = cache / "train" / "bases" / f"{model.stem}-{vocabulary_digest(read_header(model).tokens)[:8]}-{size}"
    if not made.is_dir():
        made.parent.mkdir(parents=True, exist_ok=True)
        tell(f"reading {model.name} back into weights (some minutes, once)")
        with tempfile.TemporaryDirectory(dir=made.parent) as scratch:
            target = Path(scratch) / "weights"
            _unpack(model, target)
            header = read_header(model)
            (target / VOCABULARY).write_text(vocabulary_digest(header.tokens))
            (target / PRETOKENIZER).write_text(str(header.metadata.get("tokenizer.ggml.pre", "")))
            target.rename(made)
    return made


def _unpack(model: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(model.parent), "gguf_file": model.name}
    tokenizer: Any = AutoTokenizer.from_pretrained(**where)
    whole = GgufConfig(dequantize=True)
    loaded: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16, quantization_config=whole)
    inner, outer = loaded.get_input_embeddings().weight, loaded.get_output_embeddings().weight
    with torch.no_grad():
        some = slice(0, min(4096, inner.shape[0]))
        alike = torch.nn.functional.cosine_similarity(inner[some].float(), outer[some].float()).mean()
        if alike > _SAME_COSINE:
            inner.copy_(outer)
            loaded.config.tie_word_embeddings = True
            loaded.tie_weights()
    loaded.hf_quantizer = None
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    # What ends an infill; the instruct model's own end is that of a turn.
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    loaded.config.eos_token_id = loaded.generation_config.eos_token_id = end
    tokenizer.eos_token = "<|endoftext|>"
    loaded.save_pretrained(target)
    tokenizer.save_pretrained(target)


def vocabulary_digest(tokens: Sequence[bytes]) -> str:
    """SHA-256 of a vocabulary's texts by id: equal for two models that can share samples."""
    return hashlib.sha256(b"\0".join(tokens)).hexdigest()


def check_vocabulary(directory: Path, expected: str) -> None:
    """Raise ModelError when the weights' tokenizer is not the one that the samples were made with.

    `expected` is the digest that the samples stage kept. A base that is no GGUF may have unused ids more at its end.
    """
    kept = directory / VOCABULARY
    if kept.is_file():
        own = kept.read_text().strip()
    else:
        from transformers import AutoTokenizer

        found: Any = AutoTokenizer.from_pretrained(str(directory))
        texts = sorted(found.get_vocab().items(), key=lambda pair: pair[1])
        own = vocabulary_digest([text.encode() for text, _ in texts])
    if own != expected:
        raise ModelError(
            "the base's tokenizer is another one than that of the samples",
            path=str(directory),
            cure="Make the samples with this base's vocabulary, in another --out",
        )
