"""The process that holds an embedding model: lists of texts in, vectors out. Only here torch is imported.

`python -m goassist_index.embedworker MODEL` with a model as embed.py describes it, as JSON. Each line of standard input
is a JSON list of texts; the answer is a line with their number, then that many rows of 32-bit floats in this machine's
order of bytes. It ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from goassist_index.embed import EmbeddingModel, Matrix
from goassist_index.priority import yield_to_others

# At once: texts of one length waste least, and a stop is waited for no longer than this takes.
_BATCH = 8


def main() -> int:
    """Serve standard input and output; exit status 1 when the model cannot be loaded, with the cause in one line."""
    yield_to_others()
    answers = os.fdopen(os.dup(1), "wb")
    # What libraries print goes where errors go, not between the answers.
    os.dup2(2, 1)
    model = EmbeddingModel(**json.loads(sys.argv[1]))
    try:
        vectors_of = _loaded(model)
    except Exception as error:  # whatever a library says of files that it cannot use
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    for line in sys.stdin.buffer:
        texts = json.loads(line)
        matrix = vectors_of(texts)
        try:
            answers.write(f"{len(texts)}\n".encode() + matrix.tobytes())
            answers.flush()
        except BrokenPipeError:
            return 1  # who asked is gone
    return 0


def _loaded(model: EmbeddingModel) -> Callable[[list[str]], Matrix]:
    # Nothing is fetched and nothing is told to anybody, whatever the model's files say.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    # A directory of a plain transformer is given average pooling: the mean of all tokens' vectors.
    encoder = SentenceTransformer(model.directory, device="cpu")
    encoder.max_seq_length = model.max_tokens
    # Where the processor multiplies short floats by itself it takes half the time, and vectors are the same to 1e-4.
    short = _multiplies_short_floats(torch)
    if short:
        encoder = encoder.bfloat16()

    def vectors_of(texts: list[str]) -> Matrix:
        found = encoder.encode(
            texts, batch_size=_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        matrix: Matrix = found.astype("float32")
        # Of length 1 in short floats is not yet of length 1.
        return matrix / (matrix * matrix).sum(axis=1, keepdims=True) ** 0.5 if short else matrix

    return vectors_of


def _multiplies_short_floats(torch: Any) -> bool:
    # Older versions of torch do not tell.
    told: dict[str, bool] = getattr(getattr(torch, "cpu", None), "get_capabilities", dict)()
    return bool(told.get("avx512_bf16") or told.get("amx_bf16"))


if __name__ == "__main__":
    sys.exit(main())
