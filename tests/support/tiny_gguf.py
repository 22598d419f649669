"""Makes tiny GGUF models for tests: a qwen2 that knows which token follows which, or one with random weights."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SPECIALS = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|file_sep|>")
# llama.cpp matches tokens of this kind in any text, unless they are hidden from it.
USER_DEFINED_TOKENS = ("<tool_call>",)
# Words that the tokenizer knows whole; each is built from the merges of its letters, left to right.
WORDS = ("fmt", "Pr", "Print", "Println", "Printf", "Close", "return", "err", "nil", "\n\t", "\t\t")
HEAD_DIM = 32
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

Matrix = npt.NDArray[np.float32]


def byte_letters() -> dict[int, str]:
    """The byte-level alphabet of GPT-2: printable bytes stand for themselves, the others for U+0100 and up."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(0x100 + len(letters) - len(printable))
    return letters


def vocabulary() -> tuple[list[str], list[str]]:
    """The tokens as stored, by id, and the merges that make the words."""
    letters = byte_letters()
    tokens = [letters[byte] for byte in range(256)]
    merges: list[str] = []
    for word in WORDS:
        parts = [letters[byte] for byte in word.encode()]
        have = parts[0]
        for part in parts[1:]:
            if f"{have} {part}" not in merges:
                merges.append(f"{have} {part}")
            have += part
            if have not in tokens:
                tokens.append(have)
    return [*tokens, *SPECIALS, *USER_DEFINED_TOKENS], merges


def token_id(text: str) -> int:
    """The id of a special token, or of a text that is one token."""
    tokens, _ = vocabulary()
    letters = byte_letters()
    return tokens.index(
        text if text in SPECIALS + USER_DEFINED_TOKENS else "".join(letters[byte] for byte in text.encode())
    )


def write_bigram_model(path: Path, follows: Mapping[str, Sequence[str]], **changes: Any) -> Path:
    """A model in which after each token of `follows` those named come, the first likeliest; after others, the end."""
    tokens, _ = vocabulary()
    size = _width(len(tokens))
    output = np.zeros((len(tokens), size), np.float32)
    output[token_id("<|endoftext|>"), :] = 0.5
    for token, nexts in follows.items():
        for rank, following in enumerate(nexts):
            output[token_id(following), token_id(token)] = 1.5 - 0.1 * rank
    return _write_model(path, np.eye(len(tokens), size, dtype=np.float32), output, None, **changes)


def write_random_model(path: Path, seed: int = 1, *, endless: bool = False, **changes: Any) -> Path:
    """A model with random weights everywhere: what it says depends on every token of its prompt.

    `endless`: it says nothing but ASCII, and never the end.
    """
    tokens, _ = vocabulary()
    rng = np.random.default_rng(seed)
    size = _width(len(tokens))
    embeddings = rng.standard_normal((len(tokens), size)).astype(np.float32)
    output = rng.standard_normal((len(tokens), size)).astype(np.float32) * 0.3
    if endless:
        output[128:256] = output[-len(SPECIALS + USER_DEFINED_TOKENS) :] = 0.0
    return _write_model(path, embeddings, output, rng, **changes)


def _kind(token: str) -> int:
    return CONTROL if token in SPECIALS else USER_DEFINED if token in USER_DEFINED_TOKENS else NORMAL


def _width(count: int) -> int:
    return -(-count // HEAD_DIM) * HEAD_DIM


def _write_model(
    path: Path, embeddings: Matrix, output: Matrix, rng: np.random.Generator | None, **changes: Any
) -> Path:
    """Write a one-layer qwen2; without `rng` its layer passes the embedding through. `changes` edit metadata."""
    size, hidden = embeddings.shape[1], 64

    def weights(rows: int, columns: int) -> Matrix:
        if rng is None:
            return np.zeros((rows, columns), np.float32)
        return (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    one = np.ones(size, np.float32)
    tensors: dict[str, Matrix] = {
        "token_embd.weight": embeddings,
        "output.weight": output,
        "output_norm.weight": one,
        "blk.0.attn_norm.weight": one,
        "blk.0.ffn_norm.weight": one,
        "blk.0.ffn_gate.weight": weights(hidden, size),
        "blk.0.ffn_up.weight": weights(hidden, size),
        "blk.0.ffn_down.weight": weights(size, hidden),
        "blk.0.attn_output.weight": weights(size, size),
    }
    for name in ("q", "k", "v"):
        tensors[f"blk.0.attn_{name}.weight"] = weights(size, size)
        tensors[f"blk.0.attn_{name}.bias"] = np.zeros(size, np.float32)
    tokens, merges = vocabulary()
    metadata: dict[str, Any] = {
        "general.architecture": "qwen2",
        "general.name": "tiny",
        "qwen2.block_count": 1,
        "qwen2.context_length": 2048,
        "qwen2.embedding_length": size,
        "qwen2.feed_forward_length": hidden,
        "qwen2.attention.head_count": size // HEAD_DIM,
        "qwen2.attention.head_count_kv": size // HEAD_DIM,
        "qwen2.rope.freq_base": 10000.0,
        "qwen2.attention.layer_norm_rms_epsilon": 1e-6,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [_kind(token) for token in tokens],
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.eos_token_id": tokens.index("<|endoftext|>"),
        "tokenizer.ggml.add_bos_token": False,
    }
    metadata.update({key: value for key, value in changes.get("metadata", {}).items()})
    write_gguf(path, {key: value for key, value in metadata.items() if value is not None}, tensors)
    return path


def write_gguf(path: Path, metadata: Mapping[str, Any], tensors: Mapping[str, Matrix]) -> None:
    """Write a GGUF file of version 3 with F32 tensors."""
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for key, value in metadata.items():
        head += _string(key) + _value(value)
    blobs, offset = [], 0
    for name, tensor in tensors.items():
        data = tensor.tobytes()
        dims = tensor.shape[::-1]
        head += _string(name) + struct.pack(f"<I{len(dims)}Q", len(dims), *dims) + struct.pack("<IQ", 0, offset)
        data += bytes(-len(data) % 32)
        blobs.append(data)
        offset += len(data)
    head += bytes(-len(head) % 32)
    path.write_bytes(bytes(head) + b"".join(blobs))


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if all(isinstance(item, int) for item in value):
        return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)
    return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_string, value))
