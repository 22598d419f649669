"""What all tests share: the `--update` option and deterministic property tests."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "goassist", deadline=None, derandomize=True, max_examples=300, suppress_health_check=list(HealthCheck)
)
settings.load_profile("goassist")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the @ghost and @verdict sections of tests/cases")
