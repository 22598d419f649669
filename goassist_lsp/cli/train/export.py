"""`train export`: a run's adapter as files that the server loads, merged and quantised, and by itself."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError
from goassist_lsp.cli.eval.perplexity import served_prompt
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments
from goassist_lsp.settings import Options, resolve
from goassist_models.data.records import read_shard
from goassist_models.data.shards import shards_of, write_whole
from goassist_models.evaluate.ghost import question
from goassist_models.evaluate.perplexity import go_root, perplexity_cases
from goassist_models.train.base import weights
from goassist_models.train.export import adapter_to_gguf, importance_matrix, merge, quantise, to_gguf
from goassist_models.train.roundtrip import compare

TRAINED = ("dpo", "sft")
MERGED = "merged"
_CHARS_A_TOKEN = 3
_CHECKED_TOKENS = 12


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("export", help="merge, convert to GGUF and quantise; the adapter as a GGUF of its own")
    add_arguments(parser)
    parser.add_argument("--of", choices=TRAINED, help="which adapter (default: each that there is)")
    parser.add_argument("--keep-f16", action="store_true", help="keep the merged model as it is before quantising")
    parser.add_argument("--keep-merged", action="store_true", help="keep the merged weights too, for `train awq`")
    parser.add_argument(
        "--check", type=int, default=0, metavar="N", help="compare F16's greedy text with transformers', N prompts"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: every file is there; each is printed."""
    the_run = TrainingRun.of(args)
    stages = [args.of] if args.of else [name for name in TRAINED if (the_run.stage(name) / "adapter").is_dir()]
    if not stages:
        raise ConfigError("there is no adapter in this run", path=str(the_run.out), cure="Run `train sft` first")
    with the_run.timed("export") as tell:
        adapters = [adapter_file(the_run, stage, tell) for stage in stages]
        keep = Keep(args.keep_f16 or args.check > 0, args.keep_merged)
        models = [path for stage in stages for path in _models(the_run, stage, tell, keep)]
    for file in (*adapters, *models):
        print(f"{file.stat().st_size / 1e6:8.1f} MB  {file}")
    print(f"the server loads it by its path, or the adapter as {the_run.recipe.base}+{adapters[0]}")
    return _checked(the_run, stages[0], args.check) if args.check else 0


def _checked(the_run: TrainingRun, stage: str, count: int) -> int:
    """Exit status 0 when the F16 file says on all prompts what the weights say, ties aside."""
    goroot, version = go_root()
    settings = replace(resolve(Options())[0], context_tokens=the_run.recipe.context_tokens)
    cases = perplexity_cases(goroot, version, count, the_run.recipe.evaluate.seed)
    prompts = [served_prompt(question(case, goroot / "src"), "psm", settings) for case in cases]
    whole = model_file(the_run, stage, "F16")
    with the_run.timed("round trip") as tell:
        base = weights(the_run.recipe.base, cache_dir(), tell)
        found = asyncio.run(compare(base, the_run.stage(stage) / "adapter", whole, prompts, _CHECKED_TOKENS))
    other = [one for one in found if not one.same]
    tokens = sum(len(one.file) for one in found)
    print(f"{len(found) - len(other)} of {len(found)} greedy texts are the same ({tokens} tokens, {whole.name})")
    for one in other:
        print(f"  they part where the two likeliest differ by {one.margin:.4f} nats{', a tie' if one.tied else ''}")
    return 0 if all(one.tied for one in other) else 1


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


@dataclass(frozen=True, slots=True)
class Keep:
    """Which files between adapter and quantised models stay: the F16 GGUF, the merged weights."""

    f16: bool
    merged: bool


def _models(the_run: TrainingRun, stage: str, tell: Callable[[str], None], keep: Keep) -> list[Path]:
    rules = the_run.recipe.export
    targets = {name: model_file(the_run, stage, name) for name in rules.types}
    whole = model_file(the_run, stage, "F16")
    folder = _folder(the_run, stage)
    merged = folder / MERGED
    kept = (whole.is_file() or not keep.f16) and (merged.is_dir() or not keep.merged)
    if all(target.is_file() for target in targets.values()) and kept:
        return list(targets.values())
    if not whole.is_file() or (keep.merged and not merged.is_dir()):
        base = weights(the_run.recipe.base, cache_dir(), tell)
        tell("working the adapter into the weights")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            merge(base, the_run.stage(stage) / "adapter", made := Path(scratch) / MERGED)
            if not whole.is_file():
                to_gguf(made, whole, tell)
            if keep.merged:
                shutil.rmtree(merged, ignore_errors=True)
                made.replace(merged)
    importance = None
    if rules.importance_tokens:
        text = folder / "gated.txt"
        write_whole(text, _gated_go(the_run, rules.importance_tokens * _CHARS_A_TOKEN))
        importance = importance_matrix(whole, text, folder / "importance.gguf", tell)
    for name, target in targets.items():
        if not target.is_file():
            quantise(whole, target, name, importance, tell)
    if not keep.f16 and "F16" not in targets:
        whole.unlink()
    return list(targets.values())


def _gated_go(the_run: TrainingRun, chars: int) -> str:
    """Text of files that came through all gates, the shards in turn as far as it is needed."""
    found: list[str] = []
    for shard in shards_of(the_run.stage("dedup")):
        texts = (file.text for file in read_shard(shard) if file.kept)
        found.append(next(texts, "")[: chars // 4])
    return "\n".join(found)[:chars]
