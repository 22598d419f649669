"""What the stages of one training run share: its recipe, its directory, who works, and how long each stage took."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import ConfigError
from goassist_lsp.cli.bench_report import progress
from goassist_models.data.shards import Workers, shards_of, write_whole
from goassist_models.registry import resolve
from goassist_models.train.recipe import Recipe, read_recipe

_RECIPE = "recipe.toml"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A run's directory `out`, with the recipe that made what is in it."""

    out: Path
    recipe: Recipe
    workers: Workers

    @classmethod
    def of(cls, args: argparse.Namespace) -> TrainingRun:
        """Begin the run that the flags name, or go on with it.

        Raises ConfigError when the directory holds a run of another recipe, and when it holds none and none is named.
        """
        out: Path = args.out.expanduser().absolute()
        kept = out / _RECIPE
        named: Path | None = args.recipe
        if named is None and not kept.is_file():
            raise ConfigError("there is no training run in it", path=str(out), cure="Name --recipe and --out")
        recipe = read_recipe(named or kept)
        if named is not None:
            text = named.read_text(encoding="utf-8")
            if kept.is_file() and kept.read_text(encoding="utf-8") != text:
                raise ConfigError(
                    "the directory holds a run of another recipe", path=str(out), cure="Name another --out"
                )
            out.mkdir(parents=True, exist_ok=True)
            write_whole(kept, text)
        return cls(out, recipe, Workers(args.processes, args.ray))

    def stage(self, name: str) -> Path:
        """Directory of a stage's shards or files."""
        return self.out / name

    def shards(self, stage: str) -> dict[str, str]:
        """Shard names and paths that a stage has made. Raises GoassistError when it has not run."""
        return {path.name: str(path) for path in shards_of(self.stage(stage))}

    def recipe_text(self) -> str:
        """The recipe's file, as it was when the run began."""
        return (self.out / _RECIPE).read_text(encoding="utf-8")

    def vocabulary_file(self) -> Path:
        """The GGUF file whose tokens the samples are made of. Raises ModelError when it is not there."""
        return resolve(self.recipe.vocabulary or self.recipe.base).path

    @contextmanager
    def timed(self, stage: str) -> Iterator[Callable[[str], None]]:
        """Show what a stage is at, and add its minutes to the run's."""
        begun = time.monotonic()
        with progress.status(stage) as status:
            yield lambda message: status.update(f"{stage}: {message}")
        minutes = self.minutes()
        minutes[stage] = minutes.get(stage, 0.0) + (time.monotonic() - begun) / 60
        write_whole(self.out / "minutes.json", json.dumps(minutes, indent=1) + "\n")

    def minutes(self) -> dict[str, float]:
        """Minutes of each stage so far, all its runs together."""
        path = self.out / "minutes.json"
        found: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every stage has."""
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="what the run is made of (models/recipes/*.toml)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the run; the same one goes on with it")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="workers on this machine (default 1)")
    parser.add_argument("--ray", default="", metavar="ADDRESS", help="work on this Ray cluster; local: one made here")


def print_counts(title: str, counts: Mapping[str, int]) -> None:
    """Print a stage's counts, the largest first."""
    print(title)
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        print(f"  {count:>9,}  {name}")
