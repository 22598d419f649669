"""What the unit tests share: models of a few thousand weights, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny_gguf


@pytest.fixture(scope="session")
def random_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, as a GGUF file that nobody changes."""
    return tiny_gguf.write_random_model(tmp_path_factory.mktemp("models") / "random.gguf")
