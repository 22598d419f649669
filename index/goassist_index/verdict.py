"""Values of the type check: what the Go type service says about candidates and places. Filled by typeservice.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "error", "unknown"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One complaint of the type checker or parser.

    `line` and `col` are 1-based, `col` in bytes, in the file with the candidate inserted.
    `insert_offset` is the byte offset inside the inserted text, or None when the place lies outside of it.
    """

    line: int
    col: int
    message: str
    insert_offset: int | None = None


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """One import: `name` is "" where the declaration names none."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the type service says about one candidate in its place.

    `errors` are new errors, against the same buffer without the candidate. `unfinished` are complaints that a
    user's next line may cure (declared and not used, missing return, unused import), and names that text after
    the candidate still misses: those which no later line of this function can cure any more carry
    `final=True` in `Unfinished`. `missing_imports` are names used as packages that the file does not import.
    `imports` are those with which it is "ok": they have to be added; only where the check was asked to look for them.
    `reason` says why when the status is "unknown", and what kept a missing import from being chosen.
    `ms` is the time this check took in milliseconds.
    """

    status: Status
    errors: tuple[Diagnostic, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    missing_imports: tuple[str, ...] = ()
    imports: tuple[ImportSpec, ...] = ()
    reason: str = ""
    ms: float = 0.0

    @property
    def showable(self) -> bool:
        """Whether a candidate may be shown: it type-checks, and needs no later line where none can come."""
        return self.status == "ok" and not any(item.final for item in self.unfinished)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A complaint that is not the candidate's fault by itself, but keeps the function from compiling now.

    `kind` is one of "unused_variable", "unused_import", "missing_return", "undefined_after" (text after the
    candidate uses a name that nothing declares), "other" (an error that stood in the function before).
    `final` is True when no line that the user may still write after the candidate can cure it.
    """

    kind: str
    line: int
    col: int
    message: str
    final: bool


@dataclass(frozen=True, slots=True)
class LegalNames:
    """Names that may stand at one place; all others are wrong there.

    `kind`: "member" behind a dot, "key" in a struct's literal (where other names may stand as values), "case" in a type
    switch's case (types that the value can have), "name" elsewhere. `packages` may be used there once they are
    imported. `asserts`: what stands before the dot is an interface, so that a type assertion may follow it. `fits` are
    those of the names that, alone or called, have the type that the place asks for; empty where none is asked for.
    """

    kind: Literal["member", "key", "case", "name"]
    names: frozenset[str]
    packages: frozenset[str] = frozenset()
    asserts: bool = False
    fits: frozenset[str] = frozenset()
