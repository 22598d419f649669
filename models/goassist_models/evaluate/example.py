"""What evaluation is made of: a case, a system's answer, its scores, and the Example that gathers them.

An Example grows stage by stage (case, then answer, then scores) and is one JSON line on disk (runs.py), so that
scores can be made anew without a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """One hole: bytes [start, end) of `file`, `truth`, are taken out of `function` and asked for.

    `file` is relative to the module's directory, with forward slashes. `slices` are the names of the groups that
    it is reported in (slices.py), `dependencies` the modules beyond the standard library that its truth refers to,
    as "path@version YEAR-MONTH". Bytes [function_start, function_end) are not on disk while it is asked.
    Where the truth alone `needs` an import (its path), bytes [import_start, import_end) of that are taken out too.
    """

    module: str
    file: str
    kind: str
    role: str
    function: str
    new: bool
    start: int
    end: int
    function_start: int
    function_end: int
    truth: str
    slices: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    needs: str = ""
    import_start: int = 0
    import_end: int = 0

    @property
    def key(self) -> str:
        """Name that is the same in every run: a digest of the place and of what stands there."""
        place = f"{self.module}\0{self.file}\0{self.start}\0{self.end}\0{self.truth}{self.needs}"
        return hashlib.sha256(place.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace code points [start, end) of the text that was asked about."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """Asks what comes at `offset` (code points) of the buffer `text` of file `path`, in the workspace `root`."""

    root: Path
    path: Path
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system showed, as the edits that accepting it makes: none, when it was silent.

    The first edit is the suggestion itself, others (imports) come with it. `ms` is from asking to showing, `cpu_s`
    what all processes of the system used meanwhile (None: cannot be known, as for a server elsewhere). `mean_logprob`
    is that of the tokens shown, in nats. `error` is set when the system failed: then nothing else counts.
    `details` are the system's own words: stage timings, rejected candidates, the trail of the one shown.
    """

    edits: tuple[Edit, ...] = ()
    ms: float = 0.0
    cpu_s: float | None = None
    prompt_tokens: int | None = None
    read_tokens: int | None = None
    generated_tokens: int | None = None
    mean_logprob: float | None = None
    silent_because: str = ""
    error: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> bool:
        """Whether there is something to see."""
        return bool(self.edits)

    def taken(self, text: str, *, imports: bool = True) -> str:
        """The buffer `text` after accepting, with what comes along or (`imports` false) the suggestion alone."""
        edits = self.edits if imports else self.edits[:1]
        for edit in sorted(edits, key=lambda e: e.start, reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return text


@dataclass(frozen=True, slots=True)
class Scores:
    """What an answer was worth. None: does not apply, or was not judged (`unjudged` says why).

    `inserted` is what stands in the hole after accepting. `compiles` is the word of the Go compiler (judge.py) on
    the package with the accepted text and its imports, `compiles_bare` without the imports; both None when silent.
    `first_line_exact` and `exact` compare with the truth, blanks at both ends aside. `edit_similarity` is 1 minus
    the Levenshtein distance over the longer length (0 when silent). `prefix_right` is the share of the truth's
    characters that agree from its beginning. `judge` is the compiler's first complaint. `imports_added` are paths that
    the accepted text brought along.
    """

    shown: bool
    inserted: str = ""
    compiles: bool | None = None
    compiles_bare: bool | None = None
    first_line_exact: bool = False
    exact: bool = False
    edit_similarity: float = 0.0
    prefix_right: float = 0.0
    judge: str = ""
    unjudged: str = ""
    imports_added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One case, asked of one system. `answer` and `scores` are None until that stage is done."""

    case: Case
    system: str
    answer: Answer | None = None
    scores: Scores | None = None


async def _nothing() -> None:
    """Do nothing: a system that has no such step."""


@dataclass(frozen=True, slots=True)
class System:
    """Something that completes code, as evaluation sees it: our pipeline, a language server, a completions server.

    `ask` may be cancelled as a task: nobody waits for that answer any more, and the system is told so if it can be.
    It raises GoassistError when the system broke down; the caller counts that apart and goes on.
    `forget` drops what was read for earlier questions, so that the next one is asked cold. `cpu_s` is the processor
    time of all its processes so far (None: unknown). `about` is for the report: model, versions, settings.
    """

    name: str
    ask: Callable[[Question], Awaitable[Answer]]
    open: Callable[[Path], Awaitable[None]] = field(default=lambda root: _nothing())
    forget: Callable[[], Awaitable[None]] = _nothing
    cpu_s: Callable[[], float | None] = field(default=lambda: None)
    close: Callable[[], Awaitable[None]] = _nothing
    about: Mapping[str, str] = field(default_factory=dict)
