"""Stand-ins for torch and sentence-transformers, which are gigabytes: vectors of what a text is made of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goassist_index.embed import EmbeddingModel

TINY = EmbeddingModel("tiny", "/models/tiny", 3, 7, "ask: ", "")
TORCH = "def set_num_threads(n): assert n == 1\n"
# A processor that multiplies short floats.
SHORT = """
class cpu:
    def get_capabilities():
        return {"avx512_bf16": True}
"""
SENTENCES = """
import os, sys
import numpy
class SentenceTransformer:
    def __init__(self, directory, device):
        print("loading", directory)
        assert os.environ["HF_HUB_OFFLINE"] == "1" and device == "cpu"
        if "broken" in directory:
            raise OSError("no file named model.safetensors in", directory)
    def bfloat16(self):
        self.short = True
        return self
    def encode(self, texts, normalize_embeddings, **_):
        if "exit" in texts:
            sys.exit("out of memory")
        assert normalize_embeddings and self.max_seq_length == 7
        nice = os.nice(0) if os.name == "posix" else 0
        return numpy.array([[len(text), text.startswith("ask: "), nice] for text in texts])
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *, short: bool = False) -> None:
    """Have processes that are started from now on find the stand-ins first; `short`: on a processor of short floats."""
    folder.mkdir()
    (folder / "torch.py").write_text(TORCH + SHORT if short else TORCH)
    (folder / "sentence_transformers.py").write_text(SENTENCES)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", ""))))
