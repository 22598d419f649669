"""An adapter for one's own repository: learnt from the tree as it was, kept only if it foretells what came later.

The latest commits are held out. Trained is on the functions of the tree before them, those first that the history
before them touched; measured on functions that are new or changed since, with the base as it is served. Nothing of it
leaves the machine: no hub, no report, and the files lie in the cache, readable by their owner alone.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import log
from pathlib import Path

from goassist_index.errors import ConfigError, GoassistError
from goassist_index.syntax import functions, parse
from goassist_models.data.collect import below
from goassist_models.data.records import SourceFile
from goassist_models.data.samples import Sample
from goassist_models.data.shards import write_whole
from goassist_models.data.similar import digest, normalised
from goassist_models.evaluate.commits import Commit, Repository
from goassist_models.evaluate.keystrokes import bootstrap_95

ADAPTER, RECORD = "adapter.gguf", "record.json"
# Looked at are this many commits; of these the latest fifth is held out, and more while they hold too few functions.
COMMITS, HELD_OUT_SHARE = 400, 0.2
MIN_FUNCTIONS, MIN_SAMPLES = 8, 8

Score = Callable[[Sample], Awaitable[tuple[float, int]]]
"""What a hole's text costs a model: nats, and the text's bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository's adapter and its record lie (`kept`), and the files of its training (`work`)."""

    kept: Path
    work: Path

    @classmethod
    def of(cls, directory: Path, cache: Path) -> Place:
        """The places of the repository that `directory` is in."""
        root = directory.expanduser().resolve()
        name = f"{root.name}-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"
        return cls(cache / "adapters" / name, cache / "train" / "adapt" / name)

    def remove(self) -> bool:
        """Remove all that was made; whether there was anything."""
        there = [path for path in (self.kept, self.work) if path.exists()]
        for path in there:
            shutil.rmtree(path)
        return bool(there)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the comparison came to, in bits a byte of later code; `low`, `high`: the difference's 95 % interval."""

    head: str
    base_model: str
    later_commits: int
    functions: int
    samples: int
    updates: int
    base: float
    adapted: float
    low: float
    high: float

    @property
    def wins(self) -> bool:
        """Whether the adapter foretells later code better, beyond chance."""
        return self.high < 0


@dataclass(frozen=True, slots=True)
class Split:
    """The tree that is learnt from and the commits after it, newest first; paths that history touched before."""

    before: str
    later: Sequence[Commit]
    touched: frozenset[str]


def split_history(repository: Repository, later: int | None = None) -> Split:
    """Hold the latest commits out: `later` of them, or a fifth. Raises GoassistError where history is too short."""
    recent = repository.recent(COMMITS)
    count = later if later is not None else max(1, int(len(recent) * HELD_OUT_SHARE))
    if count < 1 or len(recent) <= count:
        raise GoassistError(
            f"{len(recent)} commits change Go files: too few to hold some out",
            path=str(repository.git_dir),
            cure="Fetch more of a shallow clone, or wait until there is more history",
        )
    touched = {
        change.new
        for commit in recent[count : count + COMMITS // 4]
        for change in repository.changes(commit)
        if change.new.endswith(".go")
    }
    return Split(recent[count - 1].parent, recent[:count], frozenset(touched))


def tree(repository: Repository, commit: str, directory: Path) -> list[SourceFile]:
    """Files of a commit below the directory that was named, with their functions; written out once."""
    if not directory.is_dir():
        scratch = directory.with_name(f".{directory.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        repository.check_out(commit, scratch)
        scratch.replace(directory)
    found = list(below((directory / repository.prefix).resolve(), "", "", "directory"))
    if not any(file.kept for file in found):
        causes = ", ".join(sorted({file.dropped for file in found})) or "no Go file"
        raise GoassistError(f"there is nothing to learn in it ({causes})", path=str(repository.git_dir))
    return found


def ordered(files: Sequence[SourceFile], touched: frozenset[str], prefix: str) -> list[SourceFile]:
    """The files that history touched first, since that is where one works."""
    return sorted(files, key=lambda file: (f"{prefix}{file.path}" not in touched, file.path))


def only_new(after: Sequence[SourceFile], before: Sequence[SourceFile]) -> list[SourceFile]:
    """`after` with those functions alone whose tokens `before` has nowhere, names and literals made alike."""
    known = {one for file in before for one in _digests(file).values()}
    found = []
    for file in after:
        own = _digests(file)
        new = tuple(f for f in file.functions if f.start in own and own[f.start] not in known)
        if new and not file.dropped:
            found.append(replace(file, functions=new))
    return found


def _digests(file: SourceFile) -> dict[int, str]:
    source = file.text.encode()
    return {node.start_byte: digest(normalised(node, source)) for node in functions(parse(source))}


def chosen(samples: Sequence[Sample], limit: int, seed: int) -> list[Sample]:
    """Up to `limit` holes of different functions. Raises GoassistError when there are too few to judge by."""
    by_function = {(sample.file, sample.function): sample for sample in samples}
    if len(by_function) < MIN_FUNCTIONS:
        raise GoassistError(
            f"later commits bring {len(by_function)} functions, {MIN_FUNCTIONS} are needed to judge an adapter",
            cure="Hold more commits out with --later",
        )
    return random.Random(seed).sample(list(by_function.values()), min(limit, len(by_function)))


async def costs(score: Score, samples: Sequence[Sample]) -> list[tuple[float, int]]:
    """Bits and bytes of each hole."""
    found = []
    for sample in samples:
        nats, size = await score(sample)
        found.append((nats / log(2), size))
    return found


def compared(
    base: Sequence[tuple[float, int]], adapted: Sequence[tuple[float, int]]
) -> tuple[float, float, float, float]:
    """Bits a byte of both on the same holes, and the 95 % interval of the difference.

    Raises ConfigError for fewer than two holes.
    """
    size = sum(length for _, length in base)
    difference = [(other - own, length) for (own, length), (other, _) in zip(base, adapted, strict=True)]
    low, high = bootstrap_95(difference)
    if low is None or high is None:
        raise ConfigError("fewer than two holes say nothing", cure="Measure with more of them")
    return sum(bits for bits, _ in base) / size, sum(bits for bits, _ in adapted) / size, low / 100, high / 100


def keep(place: Place, adapter: Path, outcome: Outcome) -> bool:
    """Put the adapter in place if it wins, else remove what was there before; the record says which."""
    place.kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = place.kept / ADAPTER
    if outcome.wins:
        shutil.copyfile(adapter, scratch := target.with_name(f".{ADAPTER}"))
        scratch.replace(target)
    else:
        target.unlink(missing_ok=True)
    write_whole(place.kept / RECORD, json.dumps(asdict(outcome) | {"kept": outcome.wins}, indent=1) + "\n")
    return outcome.wins
