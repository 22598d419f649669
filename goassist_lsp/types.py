"""The values that flow through the pipeline: frozen, slotted, made by one stage and read by the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from goassist_index.boundary import Hole
from goassist_index.search import Snippet
from goassist_index.typefacts import Wanted
from goassist_index.verdict import LegalNames, Verdict
from goassist_models.engine import Generation

HoleKind = Literal["expression", "line", "block", "body"]


@dataclass(frozen=True, slots=True)
class DocumentSnapshot:
    """One document at one moment, taken before the first await. `text` has the document's own line ends."""

    uri: str
    path: Path
    version: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How the user works: whether they are `typing`, and the seconds after which a part of an answer does."""

    typing: bool
    patience_s: float


@dataclass(frozen=True, slots=True)
class CursorContext:
    """Where the cursor stands and what that asks for. `offset` counts code points into `snapshot.text`.

    `kind`: "expression" when text follows on the line, "line" when the line's rest is wanted, "block" on an
    empty line among statements, "body" in an empty function or block. `function_prefix` and `function_suffix`
    are the parts of the enclosing top-level declaration before and after the cursor.
    `closers` is what must be closed by the candidate, as closing brackets in order ("" when none): brackets
    open before the cursor that the text after it does not close. `spare_closers` is the reverse: closing
    brackets after the cursor that nothing before it opens, which the candidate has to open.
    `hole` is the same for the question where a candidate ends.
    """

    snapshot: DocumentSnapshot
    offset: int
    prefix: str
    suffix: str
    line_prefix: str
    line_suffix: str
    kind: HoleKind
    function_prefix: str
    function_suffix: str
    closers: str
    spare_closers: str
    in_function: bool
    hole: Hole

    @property
    def multiline(self) -> bool:
        """Whether more than the rest of a line is asked for."""
        return self.kind in ("block", "body")


@dataclass(frozen=True, slots=True)
class ImportEdit:
    """One edit outside the candidate's range, in code points of the snapshot: for missing imports."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text to be shown in place of `snapshot.text[start:end]` (code points).

    `accept_points` are offsets in `insert_text` (code points, rising, its end included) at which a user who takes
    only a part of it may stop: the part type-checks in its place. Empty where that was not checked.
    """

    insert_text: str
    start: int
    end: int
    generation: Generation
    verdict: Verdict | None = None
    import_edits: tuple[ImportEdit, ...] = ()
    trail: tuple[str, ...] = ()
    accept_points: tuple[int, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether it may be shown: it type-checks, and needs no later line where none can come."""
        return self.verdict is not None and self.verdict.showable

    @property
    def whole(self) -> bool:
        """Whether it is all that the model had to say here: not broken off, and nothing was done to it."""
        return self.generation.finish_reason in ("stop", "eos") and not self.trail

    @property
    def fails_at(self) -> int | None:
        """Code-point offset in the text of its first error; None when no error lies inside of it."""
        errors = self.verdict.errors if self.verdict is not None else ()
        offsets = [error.insert_offset for error in errors if error.insert_offset is not None]
        return len(self.insert_text.encode()[: min(offsets)].decode(errors="ignore")) if offsets else None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that is not shown as it is, and why: the stage that dropped it and its words.

    `at` is the code-point offset in the text of its first error, if that lies inside of it. `mended` says what was
    done to it, where something came of it that may be shown ("fixed", "repaired", "cut back").
    """

    text: str
    stage: str
    reason: str
    at: int | None = None
    mended: str = ""


@dataclass(frozen=True, slots=True)
class RefusedName:
    """A word that decoding was kept from, and what stands before it on its line (the end of it, at most)."""

    word: str
    behind: str


@dataclass(frozen=True, slots=True)
class StageTiming:
    """Milliseconds that one stage took."""

    stage: str
    ms: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What one request came to.

    `skip_reason` is set when nothing was asked of the model; `degraded` names optional stages that failed and
    were done without. `refused_tokens` counts tokens that decoding was kept from because they lead to no name that
    exists; `refused_names` are a few of those words. `prompt_notes` say what was put into the prompt beside the
    file's own text, one line each.
    """

    candidates: tuple[Candidate, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    skip_reason: str | None = None
    timings: tuple[StageTiming, ...] = ()
    degraded: tuple[str, ...] = ()
    prompt_tokens: int = 0
    read_tokens: int = 0
    generated_tokens: int = 0
    refused_tokens: int = 0
    refused_names: tuple[RefusedName, ...] = ()
    prompt_notes: tuple[str, ...] = ()
    cancelled: bool = False
    context: CursorContext | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a workspace has for a place: its name `repo`, the file's own `path` from its root, snippets best first.

    `names` are single declarations of other files, each on a line as it would be written there, the best first.
    """

    repo: str
    path: str
    snippets: tuple[Snippet, ...]
    names: tuple[str, ...] = ()


class Retriever(Protocol):
    """Says what of the workspace may help at a place. Real: context/retrieve.py over the index."""

    async def retrieve(self, context: CursorContext, known: str) -> Retrieved | None:
        """What helps there and is not in the text `known`; None for nothing. The same while one types on in a function.

        Raises IndexUnavailable when that cannot be said now.
        """
        ...


class Checker(Protocol):
    """Says whether candidates type-check in place. Real: check/typecheck.py over the type service."""

    async def check(
        self,
        snapshot: DocumentSnapshot,
        start: int,
        end: int,
        inserts: tuple[str, ...],
        *,
        complete: bool = False,
        resolve_imports: bool = False,
    ) -> tuple[Verdict, ...]:
        """One verdict an insert, each for `insert` in place of `snapshot.text[start:end]` (code points).

        `complete`: the insert is the whole content of its block, so no later line of that block cures anything.
        `resolve_imports`: an insert that lacks nothing but imports is "ok" with those, in `Verdict.imports`.

        Raises CheckerUnavailable when the service cannot be had at all.
        """
        ...

    async def legal(self, snapshot: DocumentSnapshot, offset: int, said: str) -> LegalNames | None:
        """Names that may stand at `offset` (code points) behind `said`, which is not in the snapshot.

        None where that cannot be said. Raises CheckerUnavailable when the service cannot be had at all.
        """
        ...

    async def wanted(self, snapshot: DocumentSnapshot, offset: int) -> Wanted:
        """What the place at `offset` (code points) asks for; empty where that cannot be said.

        Raises CheckerUnavailable when the service cannot be had at all.
        """
        ...
