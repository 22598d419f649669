"""The item that is selected in the editor's completion list (gopls's, say), and ghost text that goes on from it.

Editors show ghost text beside an open list only if it extends the selected item and has its range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lsprotocol.types import SelectedCompletionInfo

from goassist_lsp.server.snapshot import Document
from goassist_lsp.types import Candidate, DocumentSnapshot


@dataclass(frozen=True, slots=True)
class Selection:
    """`text` would stand in place of the code points from `start` to `end`, if the item were taken."""

    start: int
    end: int
    text: str

    @classmethod
    def of(cls, document: Document, info: SelectedCompletionInfo) -> Selection:
        """The selection in code points of the document."""
        start = document.lines.offset_at(info.range.start)
        return cls(start, max(start, document.lines.offset_at(info.range.end)), info.text)

    @property
    def cursor(self) -> int:
        """Where the cursor would stand with the item taken."""
        return self.start + len(self.text)

    def taken(self, snapshot: DocumentSnapshot) -> DocumentSnapshot:
        """The document as if the item had been taken."""
        return replace(snapshot, text=snapshot.text[: self.start] + self.text + snapshot.text[self.end :])

    def extended(self, candidate: Candidate) -> Candidate:
        """A candidate for the document with the item taken, as one for the document without it."""
        own = self.text[: max(0, candidate.start - self.start)]
        return replace(
            candidate,
            insert_text=own + candidate.insert_text,
            start=min(self.start, candidate.start),
            end=max(self.end, self.end + candidate.end - self.cursor),
            accept_points=tuple(len(own) + point for point in candidate.accept_points),
        )
