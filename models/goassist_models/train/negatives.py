"""What the gates refused, each beside its nearest good form: real mistakes, where modules have any.

Nearest is the function that got through with the likest tokens (similar.py), as a fork or another version has it.
Its body is the hole; what was refused is the other text for it, judged there. Part of preference.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tree_sitter import Node

from goassist_index.syntax import functions, parse
from goassist_models.data.gates import module_root
from goassist_models.data.records import SourceFile
from goassist_models.data.samples import Sample
from goassist_models.data.similar import MIN_TOKENS, normalised, signature
from goassist_models.engine.vocabulary import Vocabulary
from goassist_models.train.preference import Pair, pair_of
from goassist_models.train.reward import Hole, Reward

GATES = ("types", "vet", "staticcheck")
# No fault of the text itself: that nothing uses a function, and that something has been deprecated since.
_NO_FAULT = frozenset({"staticcheck: U1000", "staticcheck: SA1019", "types: cannot tell"})
# Less alike is another function, and the pair would say that two texts differ.
NEAR = 0.5

MakeSample = Callable[[SourceFile, Node, int, int], Sample]
"""The sample of a function's body as hole: file, function, the body's first and last byte."""


async def gated_pairs(
    files: Sequence[SourceFile], make: MakeSample, reward: Reward, words: Vocabulary, count: int
) -> tuple[list[Pair], Counter[str]]:
    """Up to `count` pairs of a refused function's body and that of its nearest good form.

    `files` must hold what was refused with the cause, as the gate and dedup stages hand it on.
    """
    pairs: list[Pair] = []
    counts: Counter[str] = Counter()
    for refused, cause, good in _beside(files, count, counts):
        file, node, source = good
        start, end = _inner(node)
        hole = Hole(module_root(file) / file.path, file.text, start, end)
        low_text, high_text = refused, source[start:end].decode()
        if low_text == high_text:
            counts["gated: the body is the same"] += 1
            continue
        high, low = await reward(hole, (high_text, low_text))
        pair = pair_of(
            make(file, node, start, end), words, "gated", (high_text, high), (low_text, low), counts, refused=cause
        )
        if pair is not None:
            pairs.append(pair)
    return pairs, counts


_Function = tuple[SourceFile, Node, bytes]


def _beside(files: Sequence[SourceFile], count: int, counts: Counter[str]) -> Iterator[tuple[str, str, _Function]]:
    """Refused bodies with their causes, each with the nearest function that got through."""
    from datasketch import MinHashLSH

    refused: list[tuple[str, _Function]] = []
    good: list[_Function] = []
    for file in (file for file in files if not file.dropped):
        source = file.text.encode()
        causes = {function.start: function.dropped for function in file.functions}
        for node in functions(parse(source)):
            cause = causes.get(node.start_byte, "left out")
            if not cause:
                good.append((file, node, source))
            elif cause.split(":")[0] in GATES and cause not in _NO_FAULT:
                refused.append((cause, (file, node, source)))
    if not refused or not count:
        return
    index = MinHashLSH(threshold=NEAR, num_perm=128)
    hashes = {}
    for number, (_, node, source) in enumerate(good):
        tokens = normalised(node, source)
        if len(tokens) >= MIN_TOKENS:
            hashes[number] = signature(tokens)
            index.insert(number, hashes[number])
    for cause, (_, node, source) in refused[:count]:
        own = signature(normalised(node, source))
        near = max(((own.jaccard(hashes[n]), -n) for n in index.query(own)), default=(0.0, 0))
        if near[0] < NEAR:
            counts["gated: no good form is near"] += 1
            continue
        start, end = _inner(node)
        yield source[start:end].decode(), cause, good[-near[1]]


def _inner(node: Node) -> tuple[int, int]:
    """Bytes between a function's braces."""
    body = node.child_by_field_name("body")
    assert body is not None  # `functions` gives only those with one
    return body.start_byte + 1, body.end_byte - 1
