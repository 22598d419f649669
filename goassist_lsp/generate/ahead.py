"""Where the cursor will stand once a suggestion is taken: the next place to be asked about. Used by the pipeline."""

from __future__ import annotations

from dataclasses import replace

from goassist_lsp.types import Candidate, DocumentSnapshot


def places_after(snapshot: DocumentSnapshot, candidate: Candidate) -> tuple[tuple[DocumentSnapshot, int], ...]:
    """The document with the candidate taken, and the offset behind it; and that with a new line begun there.

    What the candidate imports is left out: it stands above, and is not in the way of the text that follows.
    """
    line_ends = "\r\n" if "\r\n" in snapshot.text else "\n"
    before = snapshot.text[: candidate.start] + candidate.insert_text
    after = snapshot.text[candidate.end :]
    line = before[before.rfind("\n") + 1 :]
    indent = line[: len(line) - len(line.lstrip("\t "))]
    begun = f"{before}{line_ends}{indent}"
    return tuple((replace(snapshot, version=None, text=head + after), len(head)) for head in (before, begun))
