"""Fourth stage: copies out. Exact ones, near ones by MinHash LSH, whole forks, and copies of what evaluations ask for.

Signatures are made shard by shard, in as many processes as there are; the choice is made in one place, in the order of
shards, files and functions, so that it depends on nothing else. Of several copies the first stays.

THRESHOLD is chosen on pairs of the Go distribution's functions, labelled by reading them (duplicates.jsonl names them;
`train dedup --pairs` shows precision and recall for each threshold).
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from goassist_index.syntax import function_name, functions, parse
from goassist_models.data.records import FunctionRecord, SourceFile, read_shard, shard_text
from goassist_models.data.shards import Counts, Workers, run_stage, shards_of
from goassist_models.data.similar import MIN_TOKENS, PERMUTATIONS, SCHEME, digest, normalised, signature
from goassist_models.evaluate.perplexity import go_root

if TYPE_CHECKING:
    from datasketch import MinHash

THRESHOLD = 0.6
# A module that shares this much of its functions with another, from so many on, is a fork or a vendored copy.
FORK_SHARE, FORK_FUNCTIONS = 0.5, 20


@dataclass(frozen=True, slots=True)
class Signed:
    """A function's place (file name and first byte), the digest of its tokens, and its signature where it has one."""

    module: str
    file: str
    start: int
    digest: str
    values: str

    @property
    def place(self) -> tuple[str, int]:
        """What names it in its shard."""
        return self.file, self.start


def sign(shard: str) -> tuple[str, Counts]:
    """Signatures of all functions of a shard that are left, one JSON line each."""
    lines = []
    for file in read_shard(Path(shard)):
        kept = {function.start for function in file.kept}
        if not kept:
            continue
        source = file.text.encode()
        for node in functions(parse(source)):
            if node.start_byte in kept:
                lines.append(signed_line(signed(file.module, file.name, node.start_byte, normalised(node, source))))
    return "".join(lines), {"functions": len(lines)}


def signed(module: str, file: str, start: int, normal: list[bytes]) -> Signed:
    """One function's digest and signature."""
    values = ""
    if len(normal) >= MIN_TOKENS:
        values = base64.b64encode(np.asarray(signature(normal).hashvalues, dtype="<u8").tobytes()).decode()
    return Signed(module, file, start, digest(normal), values)


def signed_line(one: Signed) -> str:
    """One line of a shard of signatures."""
    return json.dumps([one.module, one.file, one.start, one.digest, one.values]) + "\n"


def dedup(
    inputs: Path,
    signatures: Path,
    out: Path,
    asked: Iterable[Signed],
    workers: Workers,
    tell: Callable[[str], None] = lambda message: None,
) -> Counter[str]:
    """Write the shards of `inputs` to `out` without copies; counts by cause. `asked`: what evaluations ask for."""
    shards = {path.name: str(path) for path in shards_of(inputs)}
    run_stage(shards, signatures, sign, workers, tell)
    if all((out / name).exists() for name in shards):
        return run_stage(shards, out, partial(_apply, dropped={}), workers)
    tell("comparing")
    found = [one for name in sorted(shards) for one in read_signed(signatures / name)]
    return run_stage(shards, out, partial(_apply, dropped=copies(found, asked)), Workers(), tell)


def read_signed(path: Path) -> Iterator[Signed]:
    """A shard of signatures."""
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:
            yield Signed(*json.loads(line))


def copies(
    found: Iterable[Signed], asked: Iterable[Signed], threshold: float = THRESHOLD
) -> dict[tuple[str, int], str]:
    """Places of functions that are copies, each with the cause; `asked` are those that must not be learnt."""
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    kept: dict[str, str] = {}
    dropped: dict[tuple[str, int], str] = {}
    shared: dict[str, Counter[str]] = defaultdict(Counter)
    sizes: Counter[str] = Counter()
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    hashes = {}

    def keep(one: Signed, number: int, label: str) -> None:
        kept.setdefault(one.digest, label)
        if one.values:
            hashes[number, label] = values = _minhash(one)
            index.insert((number, label), values, check_duplication=False)

    for number, one in enumerate(asked):
        keep(one, -1 - number, "")
    for number, one in enumerate(found):
        sizes[one.module] += 1
        places[one.module].append(one.place)
        label, cause = kept.get(one.digest), "copy"
        if label is None and one.values:
            own = _minhash(one)
            near = [(own.jaccard(hashes[key]), key) for key in index.query(own)]
            best = max((pair for pair in near if pair[0] >= threshold), default=None)
            label, cause = (best[1][1], "near copy") if best is not None else (None, "")
        if label is None:
            keep(one, number, one.module)
            continue
        dropped[one.place] = f"dedup: {cause}" if label else "dedup: asked by an evaluation"
        if label and label != one.module:
            shared[one.module][label] += 1
    for module, others in shared.items():
        other, count = others.most_common(1)[0]
        if sizes[module] >= FORK_FUNCTIONS and count >= FORK_SHARE * sizes[module]:
            dropped.update((place, f"dedup: fork of {other}") for place in places[module] if place not in dropped)
    return dropped


def _minhash(one: Signed) -> MinHash:
    from datasketch import MinHash

    values = np.frombuffer(base64.b64decode(one.values), dtype="<u8")
    return MinHash(num_perm=PERMUTATIONS, seed=1, scheme=SCHEME, hashvalues=values)


def _apply(shard: str, *, dropped: Mapping[tuple[str, int], str]) -> tuple[str, Counts]:
    counts: Counter[str] = Counter()
    files_ = []
    for file in read_shard(Path(shard)):
        files_.append(replace(file, functions=tuple(_marked(file, f, dropped) for f in file.functions)))
        for function in files_[-1].functions if not file.dropped else ():
            if function.dropped.startswith("dedup") or not function.dropped:
                counts[function.dropped or "functions kept"] += 1
    return shard_text(files_), counts


def _marked(file: SourceFile, f: FunctionRecord, dropped: Mapping[tuple[str, int], str]) -> FunctionRecord:
    cause = dropped.get((file.name, f.start))
    return replace(f, dropped=cause) if cause and not f.dropped else f


@dataclass(frozen=True, slots=True)
class Labelled:
    """How alike the signatures of two functions say they are, and whether one adds nothing to the other (`same`).

    That was judged by reading them.
    """

    estimated: float
    same: bool


def labelled_pairs() -> tuple[Labelled, ...]:
    """The pairs that the threshold is chosen on: functions of the Go distribution, read from the one that is installed.

    Those that it lacks, or has with other text than was read, are left out. Raises GoassistError when there is no Go.
    """
    source = go_root()[0] / "src"
    text = files(__package__).joinpath("duplicates.jsonl").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        pair = json.loads(line)
        one, other = (_normal_at(source, pair[place]) for place in ("first", "second"))
        if [digest(one), digest(other)] == pair["digests"]:
            found.append(Labelled(estimated(one, other), pair["same"]))
    return tuple(found)


def precision_recall(threshold: float, pairs: Iterable[Labelled]) -> tuple[float, float]:
    """Precision and recall of "near copy" at a threshold, over labelled pairs; 1 and 0 where nothing is found."""
    said = [(pair.estimated >= threshold, pair.same) for pair in pairs]
    hits = sum(found and same for found, same in said)
    positives = sum(found for found, _ in said)
    return (hits / positives if positives else 1.0), hits / max(1, sum(same for _, same in said))


def estimated(one: Sequence[bytes], other: Sequence[bytes]) -> float:
    """The Jaccard index that the signatures of two functions say, from their normalised tokens."""
    if digest(one) == digest(other):
        return 1.0
    return float(signature(one).jaccard(signature(other))) if min(len(one), len(other)) >= MIN_TOKENS else 0.0


def _normal_at(source: Path, place: str) -> list[bytes]:
    """The tokens of a function that is named by its file below `source` and its name; none where it is not there."""
    name, function = place.split(" ")
    path = source / name
    text = path.read_bytes() if path.is_file() else b""
    return next(
        (normalised(node, text) for node in functions(parse(text)) if function_name(node, text) == function), []
    )
