"""The embedding model that finding by meaning uses, when all that it needs is there.

The command line asks for it and says what is missing; the server (app.py) does without where something is.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from goassist_index.errors import ConfigError

if TYPE_CHECKING:
    from goassist_index.embed import EmbeddingModel, WorkerEmbedder


def embedder(name: str | None = None) -> WorkerEmbedder:
    """The registry's embedding model of this name, None: its default. Nothing is loaded yet.

    Raises ConfigError when there is no such model or FAISS is not installed, ModelError when it is not downloaded.
    """
    from goassist_index import dense
    from goassist_index.embed import WorkerEmbedder
    from goassist_models import registry

    entry = registry.default_embedding() if name is None else registry.embedding(name)
    if entry is None:
        known = ", ".join(one.name for one in registry.embeddings())
        raise ConfigError(f"there is no embedding model {name!r} in the registry", cure=f"Use one of {known}")
    if not dense.available():
        raise ConfigError("finding by meaning needs FAISS", cure="Install goassist-lsp[embed], or do without")
    registry.there(entry)
    return WorkerEmbedder(entry.model)


def model_there() -> EmbeddingModel | None:
    """The registry's default embedding model, if it is downloaded and the extra `embed` installed."""
    from goassist_models import registry

    entry = registry.default_embedding()
    installed = all(importlib.util.find_spec(name) is not None for name in ("faiss", "sentence_transformers"))
    return entry.model if installed and entry.present else None
