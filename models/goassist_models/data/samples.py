"""Fifth stage: training samples, one JSON line each, as token ids of the model that is trained and served.

The prompts are those that an editor's request would lead to: `build` is the server's own, and ids come from the
server's own vocabulary, with the last word typed taken back as decoding does it. So the model is trained on the very
sequences it is served with; the loss is on what it has to write, healed bytes included, and on its end.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from tree_sitter import Node

from goassist_index.errors import ConfigError, GoassistError, ModelError
from goassist_index.syntax import functions, parse
from goassist_models.data.records import SourceFile, read_shard
from goassist_models.data.shards import Counts
from goassist_models.engine.vocabulary import Vocabulary
from goassist_models.evaluate.example import Question
from goassist_models.evaluate.ghost import GHOST_KINDS, GhostKind, Place, spans
from goassist_models.infill import FORMS, InfillPrompt

INSTRUCT = "instruct"
_CUT_INSIDE = 0.5
_WORD = re.compile(rb"[A-Za-z_]\w+")
_END_OF_TEXT, _START_OF_TURN, _END_OF_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_SYSTEM = "You write Go. Answer with the code that belongs between <PREFIX> and <SUFFIX>, and nothing else."

Builder = Callable[[Question, str], InfillPrompt]


@dataclass(frozen=True, slots=True)
class SampleRules:
    """What samples are made: shares of the infill `forms` (and "instruct"), holes a function, the longest in tokens.

    `cut_inside`: the share of holes in healed forms that begin inside a word, as they do for whoever is typing.
    """

    forms: Mapping[str, float]
    holes: int = 1
    max_tokens: int = 4096
    max_middle_tokens: int = 512
    seed: int = 1
    cut_inside: float = _CUT_INSIDE

    def __post_init__(self) -> None:
        known = (*FORMS, INSTRUCT)
        for name in self.forms:
            if name not in known:
                raise ConfigError(f"there is no form {name!r}", cure=f"Use some of {', '.join(known)} in the recipe")
        if not self.forms or min(self.forms.values()) < 0 or not sum(self.forms.values()):
            raise ConfigError("[samples] forms has no share above 0", cure="Give each form its share in the recipe")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sequence of token `ids`, of which the first `prompt` are given and the others are the answer.

    What stands behind the first `told` of them the model takes for the middle already: in the joined form the prefix
    too, so that each of its places is a hole that begins there. `start` and `end` are the hole's bytes in `file`'s
    text; `spdx` the licences that hold for it.
    """

    id: str
    module: str
    file: str
    function: str
    kind: str
    form: str
    start: int
    end: int
    spdx: tuple[str, ...]
    ids: tuple[int, ...]
    prompt: int
    told: int


def make_samples(
    shard: str, *, vocabulary: Callable[[], Vocabulary], build: Builder, rules: SampleRules
) -> tuple[str, Counts]:
    """Samples of a shard's kept functions. `vocabulary` is called once, in the process that works."""
    words = vocabulary()
    counts: Counter[str] = Counter()
    lines = []
    for file in read_shard(Path(shard)):
        for sample in _of_file(file, words, build, rules, counts):
            counts["samples"] += 1
            counts[f"form {sample.form}"] += 1
            counts[f"kind {sample.kind}"] += 1
            counts["tokens"] += len(sample.ids)
            counts["tokens learnt"] += len(sample.ids) - sample.prompt
            lines.append(sample_line(sample))
    return "".join(lines), counts


def sample_line(sample: Sample) -> str:
    """One line of a shard of samples."""
    fields = {name: getattr(sample, name) for name in Sample.__slots__}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def read_samples(paths: Sequence[Path]) -> Iterator[Sample]:
    """All samples of these shards, in order. Raises GoassistError for a line that is none, and for an id twice."""
    seen: set[str] = set()
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line:
                continue
            try:
                row = json.loads(line)
                sample = Sample(**{**row, "spdx": tuple(row["spdx"]), "ids": tuple(row["ids"])})
            except (ValueError, TypeError, KeyError) as error:
                raise GoassistError(
                    f"line {number} is no sample", path=str(path), cure="Remove the file and run `train samples`"
                ) from error
            if sample.id in seen:
                raise GoassistError(f"sample {sample.id} is there twice", path=str(path), cure="Run `train dedup`")
            seen.add(sample.id)
            yield sample


def _of_file(
    file: SourceFile, words: Vocabulary, build: Builder, rules: SampleRules, counts: Counter[str]
) -> Iterator[Sample]:
    kept = {function.start for function in file.kept}
    if not kept:
        return
    source = file.text.encode()
    for node in functions(parse(source)):
        if node.start_byte not in kept:
            continue
        place = Place(Path(file.root or "/") / file.path, source, node, new=False)
        asked: set[tuple[int, int]] = set()
        for number in range(rules.holes):
            rng = random.Random(_digest(rules.seed, file.name, place.name, node.start_byte, number))
            form = rng.choices(list(rules.forms), list(rules.forms.values()))[0]
            # Only healing makes a cut inside a word one that the model can go on from.
            healed = form != INSTRUCT and FORMS[form].healed
            hole = _hole(place, rng, number, rules.cut_inside if healed else 0.0)
            if hole is None or hole[1:] in asked:
                counts["functions without another hole"] += 1
                continue
            kind, start, end = hole
            asked.add((start, end))
            try:
                sample = sample_of(file, place, (kind, start, end), form, words, build, rules.seed)
            except ModelError:
                counts["cannot be spelled"] += 1
                continue
            if len(sample.ids) > rules.max_tokens or len(sample.ids) - sample.prompt > rules.max_middle_tokens:
                counts["too long"] += 1
                continue
            yield sample


def sample_of(
    file: SourceFile,
    place: Place,
    hole: tuple[GhostKind, int, int],
    form: str,
    words: Vocabulary,
    build: Builder,
    seed: int,
) -> Sample:
    """The sample of one hole of `file`. Raises ModelError when the vocabulary cannot spell its text."""
    kind, start, end = hole
    prompt, learnt = _tokens(words, _prompt(form, place, start, end, build), form, place, start, end)
    return Sample(
        id=_digest(seed, file.name, place.node.start_byte, start, end, form)[:20],
        module=file.module,
        file=file.name,
        function=place.name,
        kind=kind,
        form=form,
        start=start,
        end=end,
        spdx=file.spdx,
        ids=(*prompt, *learnt),
        prompt=len(prompt),
        told=_told(words, prompt, form),
    )


def _hole(place: Place, rng: random.Random, number: int, cut_inside: float) -> tuple[GhostKind, int, int] | None:
    kinds = rng.sample(GHOST_KINDS, len(GHOST_KINDS))
    for kind in (*kinds[number % len(kinds) :], *kinds[: number % len(kinds)]):
        offered = list(spans(kind, place))
        if offered:
            _, start, end = rng.choice(offered)
            # Whoever types stands inside a word half of the time; what is typed is what healing takes back.
            word = _WORD.match(place.source, start, end)
            if word is not None and rng.random() < cut_inside:
                start = rng.randrange(start + 1, word.end() + (word.end() < end))
            return kind, start, end
    return None


def _prompt(form: str, place: Place, start: int, end: int, build: Builder) -> InfillPrompt:
    before, after = place.source[:start].decode(), place.source[end:].decode()
    asked = Question(place.path.parent, place.path, before + after, len(before))
    prompt = build(asked, "psm" if form == INSTRUCT else form)
    if form != "anchored":
        return prompt
    # The anchor is where the user began to write: the line's first sign.
    line = prompt.prefix.rfind("\n") + 1
    return replace(prompt, prefix=prompt.prefix[:line], typed=prompt.prefix[line:])


def _tokens(
    words: Vocabulary, prompt: InfillPrompt, form: str, place: Place, start: int, end: int
) -> tuple[list[int], list[int]]:
    """Ids given and ids to learn. Raises ModelError when the vocabulary cannot spell the hole's text."""
    truth = place.source[start:end].decode()
    if form == INSTRUCT:
        return _instruction(words, prompt, place.node, place.source), [
            *words.spell(b"", truth),
            words.special(_END_OF_TURN),
        ]
    given, tie = words.prompt_tokens(prompt)
    return given, [*words.spell(tie, truth), words.special(_END_OF_TEXT)]


def _told(words: Vocabulary, prompt: list[int], form: str) -> int:
    return len(prompt) if form == INSTRUCT else prompt.index(words.special(words.infill.middle)) + 1


def _instruction(words: Vocabulary, prompt: InfillPrompt, node: Node, source: bytes) -> list[int]:
    """The chat form: `<context>` is the file's head, `<task>` what the function's comment says."""
    task = _comment_above(node, source) or "Write what is missing."
    head, _, _ = prompt.prefix.partition("\n\n")
    asked = (
        f"<context>\n{head}\n</context>\n<task>{task}</task>\n"
        f"<PREFIX>{prompt.prefix}</PREFIX>\n<SUFFIX>{prompt.suffix}</SUFFIX>"
    )
    turn, over = [words.special(_START_OF_TURN)], [words.special(_END_OF_TURN), *words.tokenize("\n")]
    return [
        *turn, *words.tokenize(f"system\n{_SYSTEM}"), *over,
        *turn, *words.tokenize(f"user\n{asked}"), *over,
        *turn, *words.tokenize("assistant\n"),
    ]  # fmt: skip


def _comment_above(node: Node, source: bytes) -> str:
    lines: list[str] = []
    above = node.prev_sibling
    while above is not None and above.type == "comment" and above.end_point[0] >= node.start_point[0] - len(lines) - 1:
        lines.insert(0, source[above.start_byte : above.end_byte].decode().strip("/* \n"))
        above = above.prev_sibling
    return " ".join(lines)


def _digest(*parts: object) -> str:
    return sha256("\0".join(map(str, parts)).encode()).hexdigest()
