"""What was asked in one session, the newest first: kept by the assistant for `goassist.explain`, bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from goassist_lsp.types import Completion, DocumentSnapshot

CAPACITY = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what it came to.

    `at` is local time; `place` is FILE:LINE:COL as Go prints it (1-based, columns in bytes); `kind` is that of the
    hole, "" where nothing was asked of the model. The completion is without its context: no texts of files are kept.
    """

    at: datetime
    place: str
    kind: str
    completion: Completion


class History:
    """The last requests of a session, at most `capacity`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._asked: deque[Asked] = deque(maxlen=capacity)

    def __iter__(self) -> Iterator[Asked]:
        return iter(tuple(reversed(self._asked)))

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def last(self) -> Completion | None:
        """The newest completion; None before the first."""
        return self._asked[-1].completion if self._asked else None

    def add(
        self, snapshot: DocumentSnapshot, offset: int, completion: Completion, folders: Sequence[Path] = ()
    ) -> None:
        """Remember what a request at `offset` (code points) came to; paths below `folders` are told from there."""
        place = f"{_path(snapshot.path, folders)}:{_line_and_column(snapshot.text, offset)}"
        kind = completion.context.kind if completion.context is not None else ""
        self._asked.append(Asked(datetime.now().astimezone(), place, kind, replace(completion, context=None)))


def _path(path: Path, folders: Sequence[Path]) -> Path:
    holding = [folder for folder in folders if path.is_relative_to(folder)]
    return path.relative_to(max(holding, key=lambda folder: len(folder.parts))) if holding else path


def _line_and_column(text: str, offset: int) -> str:
    line_start = text.rfind("\n", 0, offset) + 1
    # An editor's buffer may hold what is no character; a place in it is told all the same.
    column_bytes = len(text[line_start:offset].encode("utf-8", "replace"))
    return f"{text.count(chr(10), 0, offset) + 1}:{column_bytes + 1}"
