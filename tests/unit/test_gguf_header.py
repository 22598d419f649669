"""Reading GGUF headers before the native library does: damaged files are errors that name the file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from goassist_index.errors import ModelError
from goassist_models.gguf_header import read_header
from support import tiny_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_bigram_model(tmp_path_factory.mktemp("gguf") / "tiny.gguf", {})


def test_header_tells_architecture_vocabulary_and_length(model: Path) -> None:
    header = read_header(model)
    assert header.string("general.architecture") == "qwen2"
    assert header.integer("qwen2.block_count") == 1
    assert header.tokens[tiny_gguf.token_id("Println")] == b"Println"
    assert header.needed_bytes == header.size_bytes == model.stat().st_size


def test_embeddings_are_told_where_only_rows_of_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    rows, others = np.arange(48, dtype=np.float32).reshape(6, 8), np.ones((3, 5), np.float32)
    tiny_gguf.write_gguf(path, {}, {"blk.0.x": others, "token_embd.weight": rows, "output.weight": others})
    embeddings = read_header(path).embeddings
    assert embeddings is not None
    assert path.read_bytes()[slice(*embeddings)] == rows.tobytes()
    # Where it is the output's matrix too, all of it is read at each token.
    tiny_gguf.write_gguf(path, {}, {"token_embd.weight": rows})
    assert read_header(path).embeddings is None


@pytest.mark.parametrize("kept_bytes", [4, 8, 20, 40, 3000, -1, -100_000])
def test_file_cut_anywhere_is_called_truncated(model: Path, tmp_path: Path, kept_bytes: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model.read_bytes()[:kept_bytes])
    with pytest.raises(ModelError, match=r"cut\.gguf.*truncated"):
        read_header(cut)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 a zip", "not a GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "impossible length"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<I", 99), "type 99"),
    ],
)
def test_what_is_no_model_is_said_plainly(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "wrong.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=what) as raised:
        read_header(path)
    assert raised.value.path == str(path)
    assert raised.value.cure


def test_absent_file_and_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        read_header(tmp_path / "absent.gguf")
    with pytest.raises(ModelError, match="directory"):
        read_header(tmp_path)
