"""`train pairs`: what the compiler accepts beside what it refuses, from faults and from what the model itself says."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from tree_sitter import Node

from goassist_index.boundary import boundary
from goassist_lsp.app import load_engine
from goassist_lsp.cli.train.compiler import compiler_reward
from goassist_lsp.cli.train.export import adapter_file
from goassist_lsp.cli.train.run_directory import TrainingRun, add_arguments, print_counts
from goassist_lsp.cli.train.samples import prompt_builder
from goassist_lsp.context.cursor import context_at
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import DocumentSnapshot
from goassist_models.data.gates import module_root
from goassist_models.data.records import SourceFile, read_shard
from goassist_models.data.samples import Sample, read_samples, sample_of
from goassist_models.data.shards import shards_of, write_whole
from goassist_models.engine import CancelToken, Engine, GenerateRequest
from goassist_models.engine.vocabulary import Vocabulary, load_vocabulary
from goassist_models.evaluate.example import Question
from goassist_models.evaluate.ghost import Place
from goassist_models.train.negatives import MakeSample, gated_pairs
from goassist_models.train.preference import Draw, Pair, holes_of, mutated_pairs, natural_pairs, pair_line
from goassist_models.train.recipe import PreferenceRules
from goassist_models.train.reward import Hole

PAIRS = "pairs.jsonl"


def register(stages: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the stage to `train`."""
    parser = stages.add_parser("pairs", help="make preference pairs, judged by the compiler")
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0: there are pairs."""
    the_run = TrainingRun.of(args)
    path = the_run.stage("pairs") / PAIRS
    if path.is_file():
        print(f"there are pairs already: {path}")
        return 0
    with the_run.timed("pairs") as tell:
        pairs, counts = asyncio.run(_pairs(the_run, tell))
        path.parent.mkdir(exist_ok=True)
        write_whole(path, "".join(map(pair_line, pairs)))
    print_counts(f"{len(pairs)} pairs", counts)
    return 0 if pairs else 1


async def _pairs(the_run: TrainingRun, tell: Callable[[str], None]) -> tuple[list[Pair], Counter[str]]:
    rules = the_run.recipe.preference
    files = [file for shard in shards_of(the_run.stage("dedup")) for file in read_shard(shard)]
    samples = list(read_samples(shards_of(the_run.stage("samples"))))
    # Twice as many as are asked for, sorted so that each module's type service is started once.
    holes = list(islice(holes_of(files, samples, rules.seed), 3 * (rules.mutated + rules.natural)))
    natural = sorted(holes[: rules.natural], key=lambda pair: pair[0].file)
    other = sorted(holes[rules.natural :], key=lambda pair: pair[0].file)
    words = load_vocabulary(the_run.vocabulary_file())
    asked = _tests(files) if rules.tests else None
    async with compiler_reward(asked, lint=rules.lint) as reward:
        tell("what the gates refused")
        gated, counts = await gated_pairs(files, _body_samples(the_run, words), reward, words, rules.gated)
        tell("faults in good code")
        mutated, more = await mutated_pairs(other, reward, words, rules.mutated, rules.seed)
        counts += more
        tell("what the model says")
        adapter = adapter_file(the_run, "sft", tell)
        settings = replace(resolve(Options())[0], model=f"{the_run.vocabulary_file()}+{adapter}")
        engine = await load_engine(settings, lambda message, percent: tell(message))
        try:
            draw = _drawing(engine, rules, the_run.recipe.context_tokens)
            found, more = await natural_pairs(natural, reward, draw, words, rules.natural)
        finally:
            await engine.close()
    return [*gated, *mutated, *found], counts + more


def _tests(files: Sequence[SourceFile]) -> Callable[[Hole], Sequence[str]]:
    """Names of the tests that name the function in which a hole lies."""
    known = {module_root(file) / file.path: file.functions for file in files if file.kept}

    def names(hole: Hole) -> Sequence[str]:
        return next((f.tests for f in known.get(hole.path, ()) if f.start <= hole.start and hole.end <= f.end), ())

    return names


def _body_samples(the_run: TrainingRun, words: Vocabulary) -> MakeSample:
    build = prompt_builder(the_run.recipe.context_tokens)

    def make(file: SourceFile, node: Node, start: int, end: int) -> Sample:
        place = Place(module_root(file) / file.path, file.text.encode(), node, new=False)
        return sample_of(file, place, ("body", start, end), "joined", words, build, the_run.recipe.preference.seed)

    return make


def _drawing(engine: Engine, rules: PreferenceRules, context_tokens: int) -> Draw:
    """Draws as the server does, cut where the hole ends; texts that never come to an end are left out."""
    build = prompt_builder(context_tokens)

    async def draw(hole: Hole, sample: Sample) -> Sequence[str]:
        source = hole.text.encode()
        before, after = source[: hole.start].decode(), source[hole.end :].decode()
        snapshot = DocumentSnapshot(hole.path.as_uri(), hole.path, 1, before + after)
        asks = context_at(snapshot, len(before)).hole
        request = GenerateRequest(
            build(Question(hole.path.parent, hole.path, before + after, len(before)), sample.form),
            max_tokens=rules.max_new_tokens,
            n=rules.draws,
            temperature=rules.temperature,
            seed=rules.seed,
            until=lambda text: boundary(text, asks) is not None,
        )
        said = await engine.generate(request, CancelToken())
        return [one.text[: boundary(one.text, asks)] for one in said if one.finish_reason in ("eos", "stop")]

    return draw
