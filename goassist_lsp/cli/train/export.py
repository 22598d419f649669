"""`train export`: a run's adapter as files that the server loads, merged and quantised, and by itself."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_models.data.records import read_shard
from goassist_models.data.shards import shards_of, write_whole
from goassist_models.train.base import weights
from goassist_models.train.export import adapter_to_gguf, importance_matrix, merge, quantise, to_gguf

TRAINED = ("dpo", "sft")
_CHARS_A_TOKEN = 3


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("export", help="merge, convert to GGUF and quantise; the adapter as a GGUF of its own")
    add_arguments(parser)
    parser.add_argument("--of", choices=TRAINED, help="which adapter (default: the last one that there is)")
    parser.add_argument("--keep-f16", action="store_true", help="keep the merged model as it is before quantising")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: every file is there; each is printed."""
    the_run = TrainingRun.of(args)
    stage = args.of or next((name for name in TRAINED if (the_run.stage(name) / "adapter").is_dir()), "")
    if not stage:
        raise ConfigError("there is no adapter in this run", path=str(the_run.out), cure="Run `train sft` first")
    with the_run.timed("export") as tell:
        files = [adapter_file(the_run, stage, tell), *_models(the_run, stage, tell, keep_f16=args.keep_f16)]
    for file in files:
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file}")
    print(f"the server loads it by its path, or the adapter as {the_run.recipe.base}+{files[0]}")
    return 0


def adapter_file(the_run: TrainingRun, stage: str, tell: Callable[[str], None]) -> Path:
    """The adapter of a stage as GGUF, made when it is not there. Raises ModelError when it cannot be."""
    target = _folder(the_run, stage) / f"{the_run.recipe.name}-{stage}-adapter.gguf"
    if not target.is_file():
        base = weights(the_run.recipe.base, cache_dir(), tell)
        adapter_to_gguf(the_run.stage(stage) / "adapter", base, target, tell)
    return target


def model_file(the_run: TrainingRun, stage: str, file_type: str) -> Path:
    """Where the merged model of a stage lies, or would lie, in a file type."""
    return _folder(the_run, stage) / f"{the_run.recipe.name}-{stage}-{file_type.lower()}.gguf"


def _folder(the_run: TrainingRun, stage: str) -> Path:
    folder = the_run.stage("export") / stage
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _models(the_run: TrainingRun, stage: str, tell: Callable[[str], None], *, keep_f16: bool) -> list[Path]:
    rules = the_run.recipe.export
    targets = {name: model_file(the_run, stage, name) for name in rules.types}
    whole = model_file(the_run, stage, "F16")
    if all(target.is_file() for target in targets.values()) and (whole.is_file() or not keep_f16):
        return list(targets.values())
    folder = _folder(the_run, stage)
    if not whole.is_file():
        base = weights(the_run.recipe.base, cache_dir(), tell)
        tell("working the adapter into the weights")
        merged = merge(base, the_run.stage(stage) / "adapter", folder / "merged")
        to_gguf(merged, whole, tell)
        shutil.rmtree(merged)
    importance = None
    if rules.importance_tokens:
        text = folder / "gated.txt"
        write_whole(text, _gated_go(the_run, rules.importance_tokens * _CHARS_A_TOKEN))
        importance = importance_matrix(whole, text, folder / "importance.gguf", tell)
    for name, target in targets.items():
        if not target.is_file():
            quantise(whole, target, name, importance, tell)
    if not keep_f16 and "F16" not in targets:
        whole.unlink()
    return list(targets.values())


def _gated_go(the_run: TrainingRun, chars: int) -> str:
    """Text of files that came through all gates, the shards in turn as far as it is needed."""
    found: list[str] = []
    for shard in shards_of(the_run.stage("dedup")):
        texts = (file.text for file in read_shard(shard) if file.kept)
        found.append(next(texts, "")[: chars // 4])
    return "\n".join(found)[:chars]
