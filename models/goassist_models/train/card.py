"""A trained model's card and its row of the registry, written from what its run recorded and from nothing else.

What a run has not done yet the card says it has not: a figure that nobody measured does not appear.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import exp
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError
from goassist_models.data.report import DataReport, markdown
from goassist_models.gguf_header import read_header
from goassist_models.infill import FAMILIES, tokens_of
from goassist_models.registry import sha256_of
from goassist_models.train.recipe import Recipe

RESULT, EVALUATION, SOFTWARE = "result.json", "evaluation.md", ("torch", "transformers", "peft", "trl")


@dataclass(frozen=True, slots=True)
class Records:
    """What a run's directory `out` holds: its recipe and that file's text, the data's report, minutes by stage.

    `files` are the GGUF files that were exported, the one that is served first.
    """

    out: Path
    recipe: Recipe
    recipe_text: str
    data: DataReport | None
    minutes: Mapping[str, float]
    files: Sequence[Path]


def model_card(records: Records, licence: str) -> str:
    """The card as Markdown. Raises GoassistError when nothing has been exported."""
    if not records.files:
        raise GoassistError("nothing has been exported", path=str(records.out), cure="Run `train export` first")
    recipe = records.recipe
    parts = [
        f"# {recipe.name}",
        f"Fills holes in Go. LoRA adapter of `{recipe.base}` (rank {recipe.sft.rank}, alpha {recipe.sft.alpha}), alone "
        f"and worked into the weights. Licence: {licence}.",
        "## Files",
        _table(("file", "MB", "SHA-256"), [_file(path) for path in records.files]),
        "## Data",
        markdown(records.data, dict(records.minutes)) if records.data is not None else "The run holds no data report.",
        "## Training",
        *_training(records),
        "## Evaluation",
        _read(records.out / EVALUATION) or "Not evaluated: no claim is made that it is better than its base.",
        "## Limits",
        "It does not know your module, and what it writes may be wrong, insecure or not compile: show it after a type "
        "check alone. Only permissively licensed Go was learnt; what is kept apart for judging was not.",
        "## Recipe",
        f"```toml\n{records.recipe_text.strip()}\n```",
        f"Made with {', '.join(_versions())}.",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _file(path: Path) -> tuple[str, str, str]:
    return f"`{path.name}`", f"{path.stat().st_size / 1e6:,.1f}", f"`{sha256_of(path)}`"


def _training(records: Records) -> list[str]:
    rows = []
    for stage in ("sft", "dpo"):
        text = _read(records.out / stage / RESULT)
        if not text:
            rows.append((stage, "-", "not done", ""))
            continue
        done = json.loads(text)
        before, after = done["before"], done["after"]
        said = (
            f"held-out perplexity {exp(before):.2f} before, {exp(after):.2f} after"
            if stage == "sft"
            else f"loss {before:.3f} in the first quarter, {after:.3f} in the last"
        )
        rows.append((stage, f"{done['steps']:,}", said, f"{records.minutes.get(stage, 0.0):.1f}"))
    return [_table(("stage", "updates", "came to", "minutes"), rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for name in SOFTWARE:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def registry_entry(path: Path, *, name: str, title: str, licence: str, repository: str) -> str:
    """A row of registry.toml for the GGUF model at `path`, which will be had from the hub's `repository`.

    Raises ModelError for a file that cannot fill a hole, GoassistError when its infill tokens are of no known family.
    """
    own = tokens_of(read_header(path))
    wanted = own.prefix, own.suffix, own.middle
    family = next((n for n, row in FAMILIES.items() if (row.prefix, row.suffix, row.middle) == wanted), None)
    if family is None:
        raise GoassistError("its infill tokens are of no known family", path=str(path), cure="Add a row to infill.py")
    values: dict[str, Any] = {
        "name": name,
        "title": title,
        "file": path.name,
        "size_bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "licence": licence,
        "infill": family,
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    source = ["", "[[model.source]]", 'kind = "hub"', f"repository = {json.dumps(repository)}"]
    return "\n".join(["[[model]]", *lines, *source]) + "\n"
