"""Where the cursor will stand once a suggestion is taken: the next place to be asked about. Used by the pipeline."""

from __future__ import annotations

from dataclasses import replace

from goassist_lsp.types import Candidate, DocumentSnapshot


def place_after(snapshot: DocumentSnapshot, candidate: Candidate) -> tuple[DocumentSnapshot, int]:
    """The document with the candidate taken, and the offset (code points) where the next question comes.

    That is behind it, or on a new line where it is whole and nothing follows on its own. What the candidate imports is
    left out: it stands above, and is not in the way of the text that follows.
    """
    before = snapshot.text[: candidate.start] + candidate.insert_text
    after = snapshot.text[candidate.end :]
    if candidate.whole and not after.partition("\n")[0].strip():
        line = before[before.rfind("\n") + 1 :]
        before += "\r\n" if "\r\n" in snapshot.text else "\n"
        before += line[: len(line) - len(line.lstrip("\t "))]
    return replace(snapshot, version=None, text=before + after), len(before)
