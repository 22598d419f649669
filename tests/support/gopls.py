"""The real gopls, built once by this machine's Go into the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_models.evaluate.analyzers import built

MODULE = "golang.org/x/tools/gopls", "v0.23.0"


def gopls() -> Path:
    """Its program; the test is skipped where this Go cannot build it, with what Go says of that."""
    try:
        return built(cache_dir(), *MODULE)
    except GoassistError as error:
        pytest.skip(f"gopls: {error}")
