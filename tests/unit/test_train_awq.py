"""AWQ hands llm-compressor the served sequences and leaves nothing that is not whole. The library is a double."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from goassist_index.errors import ConfigError, ModelError
from goassist_models.data.samples import Sample
from goassist_models.train.awq import to_awq
from goassist_models.train.recipe import AwqRules

RULES = AwqRules(samples=2, max_tokens=8)


def sample(number: int, length: int) -> Sample:
    ids = tuple(range(length))
    return Sample(str(number), "m", "m/a.go", "F", "line", "joined", 0, 1, ("MIT",), ids, 2, 1)


SAMPLES = [sample(1, 4), sample(2, 9), sample(3, 8), sample(4, 5)]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "config.json").write_text("{}")
    return tmp_path / "merged"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., object]], None]:
    """Puts a double of llm-compressor's modules in place, whose `oneshot` is given."""

    def place(oneshot: Callable[..., object]) -> None:
        names: dict[str, dict[str, Any]] = {
            "datasets": {"Dataset": SimpleNamespace(from_dict=dict)},
            "llmcompressor": {"oneshot": oneshot},
            "llmcompressor.modifiers": {},
            "llmcompressor.modifiers.quantization": {"QuantizationModifier": lambda **said: ("quantise", said)},
            "llmcompressor.modifiers.transform": {},
            "llmcompressor.modifiers.transform.awq": {"AWQModifier": lambda **said: ("awq", said)},
        }
        for name, members in names.items():
            module = ModuleType(name)
            vars(module).update(members)
            monkeypatch.setitem(sys.modules, name, module)

    return place


def test_it_is_shown_whole_samples_that_fit(weights: Path, tmp_path: Path, library: Any) -> None:
    asked: dict[str, Any] = {}

    def oneshot(**said: Any) -> None:
        asked.update(said)
        made = Path(said["output_dir"])
        made.mkdir()
        (made / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "compressed-tensors"}}))

    library(oneshot)
    target = to_awq(weights, SAMPLES, RULES, tmp_path / "out" / "mine-awq")
    assert json.loads((target / "config.json").read_text())["quantization_config"]
    assert asked["dataset"]["input_ids"] == [list(range(4)), list(range(8))]
    assert asked["dataset"]["attention_mask"] == [[1] * 4, [1] * 8]
    assert asked["model"] == str(weights)
    (_, quantise) = asked["recipe"]
    assert quantise == ("quantise", {"ignore": ["lm_head"], "scheme": "W4A16_ASYM", "targets": ["Linear"]})
    assert [path.name for path in target.parent.iterdir()] == ["mine-awq"]


@pytest.mark.parametrize(
    ("config", "error", "says"),
    [
        ({}, None, "not quantised"),
        ({}, RuntimeError("CUDA out of memory. Tried 2 GiB"), r"AWQ failed: CUDA.*Lower \[awq\] max_tokens"),
    ],
)
def test_a_failure_leaves_nothing(
    weights: Path, tmp_path: Path, library: Any, config: dict[str, Any], error: Exception | None, says: str
) -> None:
    def oneshot(**said: Any) -> None:
        made = Path(said["output_dir"])
        made.mkdir()
        (made / "config.json").write_text(json.dumps(config))
        if error is not None:
            raise error

    library(oneshot)
    with pytest.raises(ModelError, match=says):
        to_awq(weights, SAMPLES, RULES, tmp_path / "out" / "mine-awq")
    assert not list((tmp_path / "out").iterdir())


def test_what_is_missing_is_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no merged weights"):
        to_awq(tmp_path, SAMPLES, RULES, tmp_path / "awq")
    with pytest.raises(ConfigError, match="no sample fits"):
        to_awq(weights, [sample(1, 99)], RULES, tmp_path / "awq")
