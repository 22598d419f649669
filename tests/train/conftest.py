"""Tests that need torch: run by `make test-train` in the training environment, not by plain pytest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support import tiny_gguf

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("default"))  # peft and trl warn of each other's changes


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A qwen2 of one layer with random weights, as GGUF."""
    return tiny_gguf.write_random_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="session")
def weights(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as transformers reads it."""
    from goassist_models.train.base import weights

    return weights(str(base), tmp_path_factory.mktemp("cache"))
