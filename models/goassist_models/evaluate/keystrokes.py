"""Typing replays: function bodies typed key by key, and what came of each request for ghost text.

`bench typing` plays them against the real server; nothing here knows of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from goassist_index.syntax import function_name, functions, is_generated, parse, statements
from goassist_models.evaluate.judge import CompileJudge
from goassist_models.evaluate.metrics import Share, median, percentile

MIN_BODY_BYTES = 40
MAX_BODY_BYTES = 1_500


@dataclass(frozen=True, slots=True)
class TypedBody:
    """One function body to be typed into `before` + `after` (texts of the file around it).

    `keys` are what each key adds: a character, or a line break with the indentation that an editor adds.
    """

    file: Path
    function: str
    before: str
    after: str
    keys: tuple[str, ...]


def typed_bodies(judge: CompileJudge, seed: int) -> Iterator[TypedBody]:
    """Function bodies of a module in random order, ASCII ones of moderate length, without end of supply twice."""
    rng = random.Random(f"{seed} typing")
    places: list[tuple[Path, bytes, int, int, str]] = []
    for package in judge.packages:
        for path in package.go_files:
            source = path.read_bytes()
            if is_generated(source) or not source.isascii() or b"\r" in source:
                continue
            for node in functions(parse(source)):
                body = node.child_by_field_name("body")
                inner = statements(body) if body is not None else ()
                if inner and MIN_BODY_BYTES <= inner[-1].end_byte - inner[0].start_byte <= MAX_BODY_BYTES:
                    name = function_name(node, source)
                    places.append((path, source, inner[0].start_byte, inner[-1].end_byte, name))
    rng.shuffle(places)
    for path, source, start, end, name in places:
        text = source.decode("ascii")
        yield TypedBody(path, name, text[:start], text[end:], _keys(text[start:end]))


def _keys(text: str) -> tuple[str, ...]:
    keys: list[str] = []
    for character in text:
        if keys and character in "\t\n" and keys[-1].startswith("\n"):
            keys[-1] += character
        else:
            keys.append(character)
    return tuple(keys)


@dataclass(slots=True)
class KeyRecord:
    """One key: when the answer came (ms after asking; None: never), and what it was.

    `late_ms` is how long after the key that outdated it a text still came (None: no such text).
    `right` says of a text in time whether it is what was typed next.
    """

    answer_ms: float | None = None
    in_time: bool = False
    shown: bool = False
    right: bool = False
    late_ms: float | None = None
    error: str = ""


@dataclass(slots=True)
class Replay:
    """All keys of one server, with its memory (bytes, all processes) and processor seconds as they went."""

    keys: list[KeyRecord] = field(default_factory=list)
    rss_bytes: list[int] = field(default_factory=list)
    cpu_s: float = 0.0
    complaints: list[str] = field(default_factory=list)

    def figures(self, crossing_ms: float) -> dict[str, object]:
        """Sum it up. A text that comes within `crossing_ms` of the next key was on its way already."""
        in_time, shown, right = Share(), Share(), Share()
        for key in self.keys:
            in_time.add(key.in_time)
            shown.add(key.shown and key.in_time)
            if key.shown and key.in_time:
                right.add(key.right)
        late = [key.late_ms for key in self.keys if key.late_ms is not None]
        first, last = _quarters(self.rss_bytes)
        answered = [key.answer_ms for key in self.keys if key.answer_ms is not None]
        return {
            "keys": len(self.keys),
            "answered_in_time": in_time.as_json(),
            "text_in_time": shown.as_json(),
            "right_of_text_in_time": right.as_json(),
            "stale": sum(ms > crossing_ms for ms in late),
            "crossed_on_the_wire": sum(ms <= crossing_ms for ms in late),
            "error_responses": sorted({key.error for key in self.keys if key.error}),
            "log_errors": self.complaints,
            "answer_ms_p50": percentile(answered, 50),
            "answer_ms_p95": percentile(answered, 95),
            "cpu_s_per_100_keys": 100 * self.cpu_s / len(self.keys) if self.keys else None,
            "rss_first_quarter_bytes": first,
            "rss_last_quarter_bytes": last,
            "rss_growth_percent": 100 * (last - first) / first if first and last else None,
        }


def _quarters(values: Sequence[int]) -> tuple[float | None, float | None]:
    """Medians of the first and of the last quarter."""
    quarter = max(1, len(values) // 4)
    return median(values[:quarter]), median(values[-quarter:])
