"""A checker for tests: says error for texts that hold a given word, ok for all others. Used where no Go is wanted."""

from __future__ import annotations

from collections.abc import Mapping

from goassist_index.typefacts import Wanted
from goassist_index.verdict import Diagnostic, ImportSpec, LegalNames, Verdict
from goassist_lsp.types import DocumentSnapshot


class FakeChecker:
    """Rejects inserts by a word in them; `asked` keeps what was asked, in order.

    `importable`: words that an import cures, for those who ask it to resolve imports.
    """

    def __init__(
        self,
        bad: str | None = None,
        error: Exception | None = None,
        legal: LegalNames | None = None,
        *,
        importable: Mapping[str, ImportSpec] | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        self.bad = bad
        self.error = error
        self.names = legal
        self.importable = importable or {}
        self.place = wanted or Wanted()
        self.asked: list[str] = []

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
        """One verdict an insert; raises `error` instead, if one was given."""
        if self.error is not None:
            raise self.error
        self.asked.extend(inserts)
        return tuple(self._verdict(insert, resolve_imports) for insert in inserts)

    async def legal(self, snapshot: DocumentSnapshot, offset: int, said: str) -> LegalNames | None:
        """Say the names given at construction; raises `error` instead, if one was given."""
        if self.error is not None:
            raise self.error
        return self.names

    async def wanted(self, snapshot: DocumentSnapshot, offset: int) -> Wanted:
        """Say what was given at construction; raises `error` instead, if one was given."""
        if self.error is not None:
            raise self.error
        return self.place

    def _verdict(self, insert: str, resolve_imports: bool) -> Verdict:
        missing = [word for word in self.importable if word in insert]
        bad = [
            word for word in (self.bad, *(() if resolve_imports else missing)) if word is not None and word in insert
        ]
        if not bad:
            return Verdict("ok", imports=tuple(self.importable[word] for word in missing))
        offset = len(insert[: insert.index(bad[0])].encode())
        return Verdict("error", errors=(Diagnostic(1, 1, f"undefined: {bad[0]}", offset),))
