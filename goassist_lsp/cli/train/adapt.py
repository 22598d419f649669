"""`train adapt DIR`: an adapter for one's own repository, kept only if it foretells later commits better."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.app import llama_settings
from goassist_lsp.cli.bench_report import progress
from goassist_lsp.cli.eval.perplexity import served_prompt
from goassist_lsp.cli.train.samples import prompt_builder
from goassist_lsp.settings import Options, Settings, resolve
from goassist_models.data.records import SourceFile, shard_text
from goassist_models.data.samples import Sample, SampleRules, make_samples, read_samples
from goassist_models.data.shards import write_whole
from goassist_models.engine.vocabulary import load_vocabulary
from goassist_models.evaluate.commits import Repository
from goassist_models.evaluate.example import Question
from goassist_models.registry import resolve as resolve_model
from goassist_models.train.adapt import (
    ADAPTER,
    MIN_SAMPLES,
    RECORD,
    Outcome,
    Place,
    chosen,
    compared,
    costs,
    keep,
    only_new,
    ordered,
    split_history,
    tree,
)
from goassist_models.train.base import weights
from goassist_models.train.export import adapter_to_gguf
from goassist_models.train.recipe import SftRules
from goassist_models.train.sft import sft

# Others that use this much of the cores want them: training waits for a quieter moment.
_BUSY_PERCENT = 40.0
_LOOK_S, _WAIT_S = 1.0, 10.0
_SEED = 1

_Texts = Mapping[str, tuple[Path, str]]


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser(
        "adapt",
        help="an adapter for your own repository, kept only if it wins on later commits",
        description="Learns from the code and history of DIR, beside your work and only while the machine is idle. "
        "It can be stopped at any time and goes on where it stood. Nothing leaves the machine.",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="a git repository, or a directory in one")
    parser.add_argument("--remove", action="store_true", help="remove the adapter and all that was made for it")
    parser.add_argument("--model", help="the base: registry name or GGUF path (default: the registry's default)")
    parser.add_argument("--updates", type=int, default=120, help="updates of two samples (default 120)")
    parser.add_argument("--learning-rate", type=float, default=4e-4, help="of the adapter (default 4e-4)")
    parser.add_argument("--tokens", type=int, default=320, help="longest sample, in tokens (default 320)")
    parser.add_argument("--holes", type=int, default=60, help="holes of later commits to judge it by (default 60)")
    parser.add_argument("--later", type=int, metavar="N", help="commits to hold out (default: the latest fifth)")
    parser.add_argument("--now", action="store_true", help="do not wait for the machine to be idle")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when the adapter won or was removed, 1 when it was no better and is not kept."""
    place = Place.of(args.directory, cache_dir())
    if args.remove:
        print("removed" if place.remove() else "there was nothing to remove")
        return 0
    for name in ("updates", "tokens", "holes"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} was given {getattr(args, name)}", cure="Give a number above 0")
    repository = Repository.open(args.directory)
    if _is_done(place, repository.head):
        print(f"this commit has been learnt already: {place.kept / RECORD}")
        return 0 if (place.kept / ADAPTER).is_file() else 1
    os.nice(19)
    with progress.status("adapt") as status:
        outcome, adapter = _trained(args, place, repository, lambda message: status.update(f"adapt: {message}"))
    kept = keep(place, adapter, outcome)
    print(
        f"{outcome.functions} functions of the {outcome.later_commits} latest commits, bits a byte: {outcome.base:.3f} "
        f"before, {outcome.adapted:.3f} with the adapter (difference {outcome.low:+.3f} to {outcome.high:+.3f})"
    )
    if not kept:
        print("no better beyond chance: the adapter is not kept")
        return 1
    print(f"kept; to use it set `goassist.model` to {outcome.base_model}+{place.kept / ADAPTER}")
    print(f"to remove it: goassist-lsp train adapt {args.directory} --remove")
    return 0


def _is_done(place: Place, head: str) -> bool:
    try:
        return bool(json.loads((place.kept / RECORD).read_text(encoding="utf-8"))["head"] == head)
    except (OSError, ValueError, KeyError):
        return False


def _trained(
    args: argparse.Namespace, place: Place, repository: Repository, tell: Callable[[str], None]
) -> tuple[Outcome, Path]:
    model = resolve_model(args.model)
    place.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = place.work / repository.head[:12]
    work.mkdir(exist_ok=True)
    split = split_history(repository, args.later)
    tell("reading the history")
    before = tree(repository, split.before, work / "before")
    after = only_new(tree(repository, repository.head, work / "after"), before)
    rules = SampleRules(
        forms={"joined": 0.7, "anchored": 0.3}, holes=2, max_tokens=args.tokens, max_middle_tokens=args.tokens // 2
    )
    context_tokens = args.tokens * 2 // 3
    learnt = _samples(ordered(before, split.touched, repository.prefix), model.path, rules, context_tokens, work)
    judging = replace(rules, forms={"joined": 1.0}, holes=1, cut_inside=0.0)
    later = chosen(_samples(after, model.path, judging, context_tokens, work), args.holes, _SEED)
    if len(learnt) < MIN_SAMPLES:
        raise GoassistError(f"{len(learnt)} samples are too few to learn from", path=str(args.directory))
    base = weights(str(model.path), cache_dir(), tell)
    adapter = work / ADAPTER
    updates = args.updates
    if not adapter.is_file():
        sft_rules = SftRules(
            rank=16, batch=2, max_steps=updates, max_tokens=args.tokens, learning_rate=args.learning_rate,
            learn="middle", evaluate_every=max(1, updates // 4), held_out=MIN_SAMPLES, seed=_SEED,
        )  # fmt: skip
        # What training itself looks at is its own code: later commits are asked once, at the end.
        rng = random.Random(_SEED)
        measured = rng.sample(learnt, min(MIN_SAMPLES, len(learnt) // 4))
        own = [sample for sample in learnt if sample not in measured][: 2 * updates]
        rng.shuffle(own)
        pause = (lambda: None) if args.now else wait_until_idle
        trained = sft(base, own, measured, sft_rules, work / "sft", tell, before_update=pause)
        updates = trained.steps
        adapter_to_gguf(trained.adapter, base, adapter, tell)
    tell("later commits, without and with it")
    texts = {file.name: (Path(file.root) / file.path, file.text) for file in after}
    settings = replace(resolve(Options())[0], context_tokens=context_tokens)
    figures = [asyncio.run(_costs(model.path, way, later, texts, settings)) for way in (None, adapter)]
    own_bits, adapted_bits, low, high = compared(*figures)
    named = model.entry.name if model.entry is not None else str(model.path)
    return Outcome(
        head=repository.head, base_model=named, later_commits=len(split.later), functions=len(later),
        samples=len(learnt), updates=updates, base=own_bits, adapted=adapted_bits, low=low, high=high,
    ), adapter  # fmt: skip


def _samples(
    files: Sequence[SourceFile], model: Path, rules: SampleRules, context_tokens: int, work: Path
) -> list[Sample]:
    shard, made = work / "functions.jsonl", work / "samples.jsonl"
    write_whole(shard, shard_text(files))
    text, _ = make_samples(
        str(shard), vocabulary=lambda: load_vocabulary(model), build=prompt_builder(context_tokens), rules=rules
    )
    write_whole(made, text)
    return list(read_samples([made]))


async def _costs(
    model: Path,
    adapter: Path | None,
    later: Sequence[Sample],
    texts: _Texts,
    settings: Settings,
) -> list[tuple[float, int]]:
    from goassist_models.engine.llama import LlamaEngine

    engine = await LlamaEngine.load(model, replace(llama_settings(settings), adapter=adapter))

    async def score(sample: Sample) -> tuple[float, int]:
        path, text = texts[sample.file]
        source = text.encode()
        before, behind = source[: sample.start].decode(), source[sample.end :].decode()
        asked = Question(path.parent, path, before + behind, len(before))
        truth = source[sample.start : sample.end].decode()
        scored = await engine.score(served_prompt(asked, sample.form, settings), truth)
        return scored.nats, scored.bytes

    try:
        return await costs(score, later)
    finally:
        await engine.close()


def wait_until_idle() -> None:
    """Sleep while other programs want the cores; this one does nothing meanwhile, so all use is theirs."""
    import psutil

    while psutil.cpu_percent(interval=_LOOK_S) > _BUSY_PERCENT:
        time.sleep(_WAIT_S)
