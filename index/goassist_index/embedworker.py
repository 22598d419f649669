"""The process that holds an embedding model: lists of texts in, vectors out. Only here torch is imported.

`python -m goassist_index.embedworker MODEL` with a model as embed.py describes it, as JSON. Each line of standard input
is a JSON list of texts; the answer is a line with their number, then that many rows of 32-bit floats in this machine's
order of bytes. It ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
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
        encoder = _loaded(model)
    except Exception as error:  # whatever a library says of files that it cannot use
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    for line in sys.stdin.buffer:
        texts = json.loads(line)
        matrix: Matrix = encoder.encode(
            texts, batch_size=_BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        try:
            answers.write(f"{len(texts)}\n".encode() + matrix.astype("float32").tobytes())
            answers.flush()
        except BrokenPipeError:
            return 1  # who asked is gone
    return 0


def _loaded(model: EmbeddingModel) -> Any:
    # Nothing is fetched and nothing is told to anybody, whatever the model's files say.
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    # A directory of a plain transformer is given average pooling: the mean of all tokens' vectors.
    encoder = SentenceTransformer(model.directory, device="cpu")
    encoder.max_seq_length = model.max_tokens
    return encoder


if __name__ == "__main__":
    sys.exit(main())
