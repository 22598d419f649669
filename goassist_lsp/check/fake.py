"""A checker for tests: says error for texts that hold a given word, ok for all others. Used where no Go is wanted."""

from __future__ import annotations

from goassist_index.verdict import Diagnostic, Verdict
from goassist_lsp.types import DocumentSnapshot


class FakeChecker:
    """Rejects inserts by a word in them; `asked` keeps what was asked, in order."""

    def __init__(self, bad: str | None = None, error: Exception | None = None) -> None:
        self.bad = bad
        self.error = error
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
        return tuple(self._verdict(insert) for insert in inserts)

    def _verdict(self, insert: str) -> Verdict:
        if self.bad is None or self.bad not in insert:
            return Verdict("ok")
        offset = len(insert[: insert.index(self.bad)].encode())
        return Verdict("error", errors=(Diagnostic(1, 1, f"undefined: {self.bad}", offset),))
