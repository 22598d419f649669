"""Chooses which snippets go into a prompt, and lays them out as the files of a repository. Runs before the engine."""

from __future__ import annotations

import re

from goassist_index.search import Snippet
from goassist_lsp.types import Retrieved
from goassist_models.infill import RepoContext, RepoFile

# Of the prompt's budget; what is not used is the file's own.
SHARE = 0.25
# A path and the tokens around a file, in characters.
_FRAME_CHARS = 20
_FUNCTION = re.compile(r"^func .*", re.MULTILINE)


def shown(retrieved: Retrieved | None, budget_chars: int) -> RepoContext | None:
    """What the prompt shows of the repository in at most `budget_chars` characters; None for nothing.

    The best snippet stands last, next to the file itself. Of functions only the comment and the signature are shown.
    """
    if retrieved is None:
        return None
    files: list[RepoFile] = []
    room = budget_chars - _FRAME_CHARS
    for snippet in retrieved.snippets:
        text = _shown_text(snippet)
        cost = len(text) + len(snippet.path) + _FRAME_CHARS
        if snippet.kind != "package" and cost <= room:
            room -= cost
            files.append(RepoFile(snippet.path, text))
    return RepoContext(retrieved.repo, tuple(reversed(files)), retrieved.path) if files else None


def size_chars(context: RepoContext) -> int:
    """About how many characters of a prompt's budget it takes."""
    return _FRAME_CHARS + sum(len(file.text) + len(file.path) + _FRAME_CHARS for file in context.files)


def notes(context: RepoContext) -> tuple[str, ...]:
    """One line for each snippet that is shown, the best first."""
    return tuple(f"from {file.path}: {_first_line(file.text)}" for file in reversed(context.files))


def _shown_text(snippet: Snippet) -> str:
    if snippet.kind == "function":
        header = _FUNCTION.search(snippet.text)
        if header is not None:
            return snippet.text[: header.end()].rstrip("{ ")
    return snippet.text.rstrip()


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if not line.startswith("//")), "")
