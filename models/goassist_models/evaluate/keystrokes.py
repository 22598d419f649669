"""Function bodies to be typed, and what came of each key: the data of typing replays, and the figures made from it.

typing.py plays the bodies against a system; nothing here knows of one.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from goassist_index.scan import tokens
from goassist_index.syntax import function_name, functions, is_generated, parse, signature, statements
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.metrics import Share, percentile

MIN_BODY_BYTES = 40
MAX_BODY_BYTES = 1_500
# Two statements of three the same, names and all, are about this much.
NEAR_COPY = 0.5
_TOKEN = re.compile(r"\w+|\S")
_RESAMPLES = 2_000
_PERCENTILES_95 = (2.5, 97.5)

Press = Literal["key", "accept", "accept line"]


@dataclass(frozen=True, slots=True)
class TypedBody:
    """One function body to be typed into `before` + `after` (texts of the file around it).

    `keys` are what each key adds: a character, or a line break with the indentation that an editor adds (no key aligns
    anything: gofmt does). `file` lies
    below `directory`, the module's. `new`: a release from before mid-2024 has no function of this signature.
    """

    directory: Path
    file: Path
    function: str
    before: str
    after: str
    keys: tuple[str, ...]
    module: str = ""
    new: bool = True

    @property
    def text(self) -> str:
        """All that is to be typed."""
        return "".join(self.keys)

    @property
    def place(self) -> str:
        """File relative to the module's directory, with forward slashes."""
        return self.file.relative_to(self.directory).as_posix()

    @property
    def key(self) -> str:
        """Name that is the same in every run: a digest of the place and of what stands there."""
        place = f"{self.module}\0{self.place}\0{len(self.before)}\0{self.text}"
        return hashlib.sha256(place.encode()).hexdigest()[:16]


def typed_bodies(
    judge: CompileJudge,
    seed: int,
    older: frozenset[tuple[str, str]] = frozenset(),
    module: str = "",
    *,
    copies: bool = True,
) -> Iterator[TypedBody]:
    """Function bodies of a module, each once, ASCII ones of moderate length, in random order.

    Functions that `older` (ghost.signatures of a release from before mid-2024) lacks come first. Without `copies`,
    those that are much like another function of the module are left out: who types one has the other before him.
    """
    rng = random.Random(f"{seed} typing")
    places: list[tuple[Path, bytes, int, int, str, bool]] = []
    others: dict[tuple[Path, int], frozenset[tuple[str, ...]]] = {}
    for package in judge.packages:
        folder = str(package.directory.relative_to(judge.directory))
        for path in package.go_files:
            source = path.read_bytes()
            for node in functions(parse(source)):
                body = node.child_by_field_name("body")
                inner = statements(body) if body is not None else ()
                if not inner:
                    continue
                start, end = inner[0].start_byte, inner[-1].end_byte
                if not copies:
                    others[path, start] = _trigrams(source[start:end])
                typeable = source.isascii() and b"\r" not in source and not is_generated(source)
                if typeable and MIN_BODY_BYTES <= end - start <= MAX_BODY_BYTES:
                    new = (folder, signature(node, source)) not in older
                    places.append((path, source, start, end, function_name(node, source), new))
    rng.shuffle(places)
    places.sort(key=lambda place: not place[-1])
    for path, source, start, end, name, new in places:
        own = others.pop((path, start), frozenset())
        near_copy = any(_alike(own, other) for other in others.values())
        others[path, start] = own
        if near_copy:
            continue
        text = source.decode("ascii")
        keys = keys_of(as_typed(text[start:end]))
        yield TypedBody(judge.directory, path, name, text[:start], text[end:], keys, module, new)


def _trigrams(body: bytes) -> frozenset[tuple[str, ...]]:
    found = _TOKEN.findall(body.decode("utf-8", "replace"))
    return frozenset(zip(found, found[1:], found[2:], strict=False))


def _alike(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    """Whether two bodies are near copies by the Jaccard index of their tokens' trigrams."""
    common = len(one & other)
    return common > 0 and common >= NEAR_COPY * (len(one) + len(other) - common)


def bodies_of(*sources: Iterable[TypedBody]) -> Iterator[TypedBody]:
    """Bodies of several modules, one of each in turn, until all are used up."""
    left = [iter(source) for source in sources]
    while left:
        for bodies in tuple(left):
            try:
                yield next(bodies)
            except StopIteration:
                left.remove(bodies)


def as_typed(text: str) -> str:
    """The text as a person types it: one blank where gofmt aligns columns, which it does when the file is saved."""
    parts: list[str] = []
    end = 0
    for token in tokens(text):
        gap = text[end : token.start]
        aligned = len(gap) > 1 and not gap.strip(" ") and not text[:end].endswith("\n")
        parts += [" " if aligned else gap, text[token.start : token.end]]
        end = token.end
    return "".join(parts) + text[end:]


def keys_of(text: str) -> tuple[str, ...]:
    """The keys that type `text`: characters, and line breaks that bring the next line's indentation along."""
    keys: list[str] = []
    for character in text:
        if keys and character == "\t" and keys[-1].startswith("\n"):
            keys[-1] += character
        else:
            keys.append(character)
    return tuple(keys)


@dataclass(slots=True)
class KeyRecord:
    """One press and what was to be seen until the next one.

    `chars` is how many of the author's characters it brought. `answer_ms` is from the press to the answer, be it
    silence (None: there was none before the next key was due). `shown` is the text on display when the next key was
    due (None: nothing), `right` says that the typist could use it. `flicker`: a text that was on display was replaced
    by another one or vanished, other than by being typed or accepted.
    """

    press: Press
    chars: int
    answer_ms: float | None = None
    shown: str | None = None
    right: bool = False
    flicker: bool = False
    error: str = ""


@dataclass(slots=True)
class BodyRecord:
    """All keys of one body, typed into one system at one interval; one JSON line on disk.

    `body` is the TypedBody's key, `keys_alone` how many keys what was written takes without help. `seconds` and
    `cpu_s` (None: cannot be known) are from the first key until a key after the last one would have been due;
    `others_cpu_s` is what the machine's other processes used meanwhile, the typist among them.
    `abandoned` says why the body was left: then its keys count nowhere.
    """

    system: str
    interval_ms: float
    body: str
    module: str
    file: str
    function: str
    new: bool
    keys: list[KeyRecord] = field(default_factory=list)
    keys_alone: int = 0
    seconds: float = 0.0
    cpu_s: float | None = None
    others_cpu_s: float | None = None
    abandoned: str = ""

    def suggestions(self) -> list[KeyRecord]:
        """The keys at which a text came on display that is not what was left of the one before, one a suggestion."""
        before = [None, *(key.shown for key in self.keys)]
        return [
            key
            for key, old in zip(self.keys, before, strict=False)
            if key.shown is not None and (old is None or key.shown != old[key.chars :])
        ]


@dataclass(frozen=True, slots=True)
class Replay:
    """The bodies typed into one system at one interval."""

    bodies: Sequence[BodyRecord]

    @property
    def whole(self) -> list[BodyRecord]:
        """Bodies that were not abandoned."""
        return [body for body in self.bodies if not body.abandoned]

    def figures(self) -> dict[str, Any]:
        """Sum it up. Ratios come with a 95 % interval by bootstrap over bodies (percentile method, seed fixed).

        Percentiles of the answer time are over all keys, the unanswered ones last: None where that one was not
        answered before the next key.
        """
        keys = [key for body in self.whole for key in body.keys]
        times = [math.inf if key.answer_ms is None else key.answer_ms for key in keys]
        alone_s = sum(body.keys_alone * body.interval_ms / 1e3 for body in self.whole)
        others = [(body.others_cpu_s, body.seconds) for body in self.whole if body.others_cpu_s is not None]
        cpu_known = bool(self.whole) and all(body.cpu_s is not None for body in self.whole)
        return {
            "bodies": len(self.whole),
            "abandoned": [
                {"module": b.module, "file": b.file, "function": b.function, "keys": len(b.keys), "why": b.abandoned}
                for b in self.bodies
                if b.abandoned
            ],
            "keys": len(keys),
            "keys_alone": sum(body.keys_alone for body in self.whole),
            "accepts": sum(key.press == "accept" for key in keys),
            "line_accepts": sum(key.press == "accept line" for key in keys),
            "characters": sum(key.chars for key in keys),
            "characters_completed": self._ratio(
                lambda key: key.chars if key.press != "key" else 0, lambda key: key.chars
            ),
            "answered": self._ratio(lambda key: key.answer_ms is not None),
            "shown": self._ratio(lambda key: key.shown is not None),
            "wrong_of_shown": self._ratio(
                lambda key: key.shown is not None and not key.right, lambda key: key.shown is not None
            ),
            "wrong_of_suggestions": self._ratio(lambda key: not key.right, keys=BodyRecord.suggestions),
            "flicker_per_100_keys": self._ratio(lambda key: key.flicker),
            "cpu_s_per_100_keys": 100 * sum(b.cpu_s or 0.0 for b in self.whole) / len(keys)
            if cpu_known and keys
            else None,
            "others_cores": sum(cpu_s for cpu_s, _ in others) / sum(s for _, s in others) if others else None,
            "answer_ms_p50": _finite(percentile(times, 50)),
            "answer_ms_p90": _finite(percentile(times, 90)),
            "time_saved_percent": 100 * (1 - sum(b.seconds for b in self.whole) / alone_s) if alone_s else None,
            "errors": dict(Counter(key.error for key in keys if key.error).most_common()),
        }

    def _ratio(
        self,
        part: Callable[[KeyRecord], int],
        of: Callable[[KeyRecord], int] = lambda key: 1,
        keys: Callable[[BodyRecord], Sequence[KeyRecord]] = lambda body: body.keys,
    ) -> dict[str, float | int | None]:
        """Sum of `part` over the sum of `of`, in percent, with its interval; of some `keys` of each body."""
        sums = [(sum(map(part, keys(body))), sum(map(of, keys(body)))) for body in self.whole]
        share = Share(sum(hits for hits, _ in sums), sum(total for _, total in sums))
        low, high = bootstrap_95(sums)
        return {"part": share.hits, "of": share.total, "percent": share.percent, "low": low, "high": high}


def bootstrap_95(sums: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """95 % interval, in percent, of the ratio of sums when units of (part, of) are drawn anew with replacement.

    Percentile bootstrap (Efron 1979). (None, None) for fewer than two units, or when there is nothing to divide by.
    """
    import numpy as np

    if len(sums) < 2:
        return None, None
    part, of = np.array(sums, dtype=float).T
    drawn = np.random.default_rng(1).integers(0, len(sums), (_RESAMPLES, len(sums)))
    totals = of[drawn].sum(axis=1)
    ratios = part[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
    if not ratios.size:
        return None, None
    low, high = np.percentile(100 * ratios, _PERCENTILES_95)
    return float(low), float(high)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
