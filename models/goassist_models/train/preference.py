"""Preference pairs: two texts for one hole, of which the compiler accepts one and refuses the other.

Some are made by putting a fault into good code (mutated), others are what the model itself says, drawn several times
(natural), and what the gates refused beside its nearest good form (gated, negatives.py). Both texts end with the line
on which the refused one fails, and what they begin with alike is part of the prompt: so a pair differs at the failing
span alone, and length decides nothing.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import GoassistError
from goassist_index.syntax import parse
from goassist_models.data.gates import module_root
from goassist_models.data.records import SourceFile
from goassist_models.data.samples import Sample
from goassist_models.engine.vocabulary import Vocabulary
from goassist_models.evaluate.faults import FAULTS, edits
from goassist_models.train.reward import Hole, Reward, Score

Draw = Callable[[Hole, Sample], Awaitable[Sequence[str]]]
"""What the model says in a hole, several times; only texts that it ended itself."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids: `prompt` is shared, then `chosen` or `rejected`. `source` is "mutated", "natural" or "gated"."""

    id: str
    source: str
    file: str
    cause: str
    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Length of the longer sequence."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


async def mutated_pairs(
    samples: Iterable[tuple[Sample, Hole]], reward: Reward, words: Vocabulary, count: int, seed: int
) -> tuple[list[Pair], Counter[str]]:
    """Up to `count` pairs of an author's text and the same with one fault, each kind of fault in turn."""
    pairs: list[Pair] = []
    counts: Counter[str] = Counter()
    rng = random.Random(seed)
    kinds = list(FAULTS)
    for sample, hole in samples:
        if len(pairs) >= count:
            break
        source = hole.text.encode()
        root = parse(source).root_node
        turn = [kinds[(len(pairs) + n) % len(kinds)] for n in range(len(kinds))]
        made = (edit for kind in turn for edit in edits(kind, root, source, hole.start, hole.end, rng))
        edit = next(made, None)
        if edit is None:
            counts["no place for a fault"] += 1
            continue
        broken = edit.apply(source, hole.start, hole.end).decode("utf-8", "replace")
        good, bad = await reward(hole, (hole.truth, broken))
        pair = pair_of(sample, words, "mutated", (hole.truth, good), (broken, bad), counts)
        if pair is not None:
            pairs.append(pair)
    return pairs, counts


async def natural_pairs(
    samples: Iterable[tuple[Sample, Hole]], reward: Reward, draw: Draw, words: Vocabulary, count: int
) -> tuple[list[Pair], Counter[str]]:
    """Pairs from up to `count` holes that the model is asked: its best text or the author's, and its worst."""
    pairs: list[Pair] = []
    counts: Counter[str] = Counter()
    for asked, (sample, hole) in enumerate(samples):
        if asked >= count:
            break
        said = [text for text in dict.fromkeys(await draw(hole, sample)) if text.strip()]
        if not said:
            counts["nothing was said to its end"] += 1
            continue
        truth, *scores = await reward(hole, (hole.truth, *said))
        counts.update("drawn: " + ("compiles" if s.compiles else "does not compile") for s in scores)
        best = max(
            ((text, s) for text, s in zip(said, scores, strict=True) if s.compiles and not s.trivial),
            key=lambda pair: pair[1].value or 0.0,
            default=(hole.truth, truth),
        )
        worst = min(zip(said, scores, strict=True), key=lambda pair: 1.0 if pair[1].value is None else pair[1].value)
        pair = pair_of(sample, words, "natural", best, worst, counts)
        if pair is not None:
            pairs.append(pair)
    return pairs, counts


def pair_of(
    sample: Sample,
    words: Vocabulary,
    source: str,
    good: tuple[str, Score],
    bad: tuple[str, Score],
    counts: Counter[str],
    refused: str = "",
) -> Pair | None:
    """The pair of two texts, or None, counted, when it proves nothing.

    One must compile and say something, the other fail: by the compiler, by the function's tests, or for what a gate
    `refused` it.
    """
    (chosen, high), (rejected, low) = good, bad
    fails = low.compiles is False or (low.tests is False and high.tests is True) or bool(refused and low.compiles)
    if not high.compiles or high.trivial or not fails or low.value is None or high.value is None:
        counts["not one that compiles and one that does not"] += 1
        return None
    cause = low.complaint or refused or "a test fails"
    lines = _failing_lines(chosen, rejected, low)
    given, end = sample.ids[: sample.prompt], sample.ids[-1]
    tie = _tie(sample, words)
    texts = [_tokens(words, tie, text, lines, end) for text in (chosen, rejected)]
    shared = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    first, second = (tuple(text[shared:]) for text in texts)
    if not first or not second:
        counts["no token tells them apart"] += 1
        return None
    counts[f"{source}: {_kind(cause)}"] += 1
    return Pair(sample.id, source, sample.file, cause, (*given, *texts[0][:shared]), first, second)


def _tie(sample: Sample, words: Vocabulary) -> bytes:
    """Bytes that healing took back: what is learnt before the hole's text."""
    learnt = b"".join(words.pieces[token] for token in sample.ids[sample.prompt : -1])
    return learnt[: len(learnt) - (sample.end - sample.start)]


def _failing_lines(chosen: str, rejected: str, low: Score) -> int:
    """How many lines of both texts a pair shows: as far as the refused one fails, and at least to where they differ."""
    differ = next((n for n, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), len(rejected))
    at = max(differ, low.failing_offset or 0)
    return rejected.encode()[:at].count(b"\n") + 1


def _tokens(words: Vocabulary, tie: bytes, text: str, lines: int, end: int) -> list[int]:
    parts = text.split("\n")
    shown = "\n".join(parts[:lines])
    return [*words.spell(tie, shown), *([end] if lines >= len(parts) else ())]


def _kind(complaint: str) -> str:
    """The compiler's words without names."""
    return " ".join(word for word in complaint.split(":")[0].split() if word.isalpha())[:40]


def pair_line(pair: Pair) -> str:
    """One line of a file of pairs."""
    return json.dumps({name: getattr(pair, name) for name in Pair.__slots__}, ensure_ascii=False) + "\n"


def read_pairs(path: Path) -> list[Pair]:
    """All pairs of a file. Raises GoassistError for a line that is none."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            ids = {name: tuple(row[name]) for name in ("prompt", "chosen", "rejected")}
            found.append(Pair(**{**row, **ids}))
        except (ValueError, TypeError, KeyError) as error:
            raise GoassistError(
                f"line {number} is no pair", path=str(path), cure="Remove the file and run `train pairs`"
            ) from error
    return found


def holes_of(files: Iterable[SourceFile], samples: Sequence[Sample], seed: int) -> Iterator[tuple[Sample, Hole]]:
    """Infill samples with the holes that they were made of, in an order that `seed` decides."""
    by_name = {file.name: file for file in files}
    shuffled = [sample for sample in samples if sample.form == "joined" and sample.file in by_name]
    random.Random(seed).shuffle(shuffled)
    for sample in shuffled:
        file = by_name[sample.file]
        yield sample, Hole(module_root(file) / file.path, file.text, sample.start, sample.end)
