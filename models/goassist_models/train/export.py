"""From an adapter to what the server loads: merged weights as GGUF, quantised, and the adapter alone as GGUF.

Both conversions are llama.cpp's own scripts, quantising its own library's. A file appears under its name when it is
whole and its header can be read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError, ModelError
from goassist_models.engine.library import load_library
from goassist_models.evaluate.peers import llama_cpp
from goassist_models.gguf_header import read_header
from goassist_models.infill import tokens_of
from goassist_models.train.base import PRETOKENIZER

# llama.h, enum llama_ftype.
FILE_TYPES = {"F16": 1, "Q8_0": 7, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18}
_TAIL_LINES = 8
# A converter tells a pre-tokenizer by what it makes of one text, which a vocabulary of few words does not show. Where
# the base was a GGUF file, that has named it.
_NAMED_PRETOKENIZER = """
import runpy, sys
name, script = sys.argv[1:3]
sys.argv = sys.argv[2:]
sys.path.insert(0, script.rpartition("/")[0])
from conversion import base
base.TextModel.get_vocab_base_pre = lambda self, tokenizer: name
runpy.run_path(script, run_name="__main__")
"""

Tell = Callable[[str], None]


def merge(weights: Path, adapter: Path, target: Path) -> Path:
    """Weights with the adapter worked in, beside the base's tokenizer, in `target`.

    Raises ModelError when the adapter was trained on a base of another shape.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base: Any = AutoModelForCausalLM.from_pretrained(str(weights), dtype=torch.float32)
    try:
        merged: Any = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"the adapter does not fit the base ({str(error).splitlines()[0]})",
            path=str(adapter),
            cure=f"It was trained on another base than {weights.name}",
        ) from error
    merged.to(torch.bfloat16).save_pretrained(target)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(weights))
    tokenizer.save_pretrained(target)
    if (weights / PRETOKENIZER).is_file():
        shutil.copyfile(weights / PRETOKENIZER, target / PRETOKENIZER)
    return target


def to_gguf(weights: Path, target: Path, tell: Tell = lambda message: None) -> Path:
    """`weights` as an F16 GGUF file. Raises ModelError, with the script's last words, when it cannot be made."""
    return _converted("convert_hf_to_gguf.py", [str(weights), "--outtype", "f16"], weights, target, tell)


def adapter_to_gguf(adapter: Path, weights: Path, target: Path, tell: Tell = lambda message: None) -> Path:
    """A LoRA adapter as a GGUF file of its own, for use with a GGUF of its base in any quantisation."""
    arguments = ["--base", str(weights), "--outtype", "f16", str(adapter)]
    return _converted("convert_lora_to_gguf.py", arguments, weights, target, tell)


def _converted(script: str, arguments: Sequence[str], weights: Path, target: Path, tell: Tell) -> Path:
    scripts = llama_cpp.scripts(tell)
    tell(f"{script}: {target.name}")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        named = weights / PRETOKENIZER
        hook = ["-c", _NAMED_PRETOKENIZER, named.read_text().strip()] if named.is_file() else []
        command = [sys.executable, *hook, str(scripts / script), *arguments, "--outfile", str(made)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(scripts / "gguf-py")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0 or not made.is_file():
            words = " / ".join(done.stderr.strip().splitlines()[-_TAIL_LINES:])
            raise ModelError(f"{script} failed: {words}", path=str(target))
        read_header(made)
        made.replace(target)
    return target


def quantise(
    model: Path, target: Path, file_type: str, importance: Path | None = None, tell: Tell = lambda message: None
) -> Path:
    """An F16 GGUF file in `file_type`, by an importance matrix (llama-imatrix's file) where there is one.

    Raises ConfigError for a type that is not in FILE_TYPES, ModelError when the library or tool refuses.
    """
    if file_type not in FILE_TYPES:
        raise ConfigError(f"there is no file type {file_type!r}", cure=f"Use some of {', '.join(FILE_TYPES)}")
    tell(f"quantising to {file_type}")
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if importance is not None:
            tool = llama_cpp.build("llama-quantize", tell)
            _tool([str(tool), "--imatrix", str(importance), str(model), str(scratch), file_type], target)
        else:
            library = load_library()
            parameters = library.llama_model_quantize_default_params()
            parameters.ftype = FILE_TYPES[file_type]
            if library.llama_model_quantize(str(model).encode(), str(scratch).encode(), parameters) != 0:
                raise ModelError(f"llama.cpp cannot quantise it to {file_type}", path=str(model))
        tokens_of(read_header(scratch))
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def importance_matrix(model: Path, text: Path, target: Path, tell: Tell = lambda message: None) -> Path:
    """How much each weight matters for `text`, which should be gated Go, by llama-imatrix.

    Raises ModelError when the tool cannot be built or fails.
    """
    tool = llama_cpp.build("llama-imatrix", tell)
    tell("importance matrix")
    _tool([str(tool), "-m", str(model), "-f", str(text), "-o", str(target), "-c", "512"], target)
    return target


def _tool(command: Sequence[str], target: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        words = " / ".join(done.stderr.strip().splitlines()[-_TAIL_LINES:])
        raise ModelError(f"{Path(command[0]).name} failed: {words}", path=str(target))
