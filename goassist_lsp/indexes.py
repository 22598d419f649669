"""The indexes of the workspace folders that a client has open: made, kept fresh and asked. Held by app.py.

An index is never needed: whatever goes wrong with one is logged and told once, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.around import Around
from goassist_index.errors import IndexUnavailable
from goassist_index.search import Snippet
from goassist_index.workspace import workspace_root
from goassist_index.workspaceindex import IndexSummary, WorkspaceIndex

if TYPE_CHECKING:
    from goassist_index.embed import EmbeddingModel

log = logging.getLogger(__name__)

Progress = Callable[[str, int | None], None]

# Files that decide what is indexed: after a change of one all is looked at again. So it is where many change at once,
# as when git switches branches.
_DECIDING = frozenset({"go.mod", "go.work", ".gitignore", ".ignore", ".goassistignore"})
_MANY_FILES = 50


class Indexes:
    """One index for each workspace; `on_problem` is told what keeps one from working. `model`: see WorkspaceIndex."""

    def __init__(self, on_problem: Callable[[IndexUnavailable], None], model: EmbeddingModel | None = None) -> None:
        self._on_problem = on_problem
        self._model = model
        self._open: dict[Path, WorkspaceIndex] = {}
        self._summaries: dict[Path, IndexSummary] = {}
        self._buffers: dict[Path, str] = {}
        self._stopped = False

    async def set_folders(self, folders: Sequence[Path]) -> None:
        """Keep the indexes of these folders' workspaces, and end those of others. Nothing is read yet."""
        roots = {workspace_root(folder.resolve()) for folder in folders if folder.is_dir()}
        for root in self._open.keys() - roots:
            self._summaries.pop(root, None)
            await self._open.pop(root).aclose()
        for root in roots - self._open.keys():
            self._open[root] = WorkspaceIndex(root, self._model)
        for path, text in self._buffers.items():
            self._set_buffer(path, text)

    async def update(self, report: Progress, *, anew: bool = False) -> None:
        """Make all of them agree with the files on disk, one after the other; `anew` forgets all first.

        `report` is told what is being read and how much of it (0 to 100).
        """
        self._stopped = False
        for root, index in list(self._open.items()):
            if self._stopped:
                return
            name = root.name or str(root)

            def progress(done: int, total: int, path: str, name: str = name) -> None:
                report(f"indexing {name}: {path}" if path else f"indexing {name}", 100 * done // max(total, 1))

            try:
                summary = await index.update(progress, anew=anew)
            except IndexUnavailable as error:
                self._failed(error)
                continue
            self._summaries[root] = summary
            if summary.rebuilt:
                log.warning("the index of %s was %s: made anew", root, summary.rebuilt)
            log.info("%s: %d files, %d chunks in %.1f s", root, summary.files, summary.chunks, summary.seconds)

    async def stop_update(self) -> None:
        """End an update; what it did stays, and the next one goes on from there."""
        self._stopped = True
        for index in self._open.values():
            try:
                await index.stop_update()
            except IndexUnavailable as error:
                self._failed(error)

    async def files_changed(self, paths: Sequence[Path]) -> None:
        """Take in files that were saved, made or removed."""
        by_root: dict[Path, list[Path]] = {}
        for path in paths:
            found = self._index_of(path)
            if found is not None and (path.suffix == ".go" or path.name in _DECIDING):
                by_root.setdefault(found.root, []).append(_placed(path))
        for root, changed in by_root.items():
            index = self._open.get(root)
            if index is None:
                continue
            try:
                if len(changed) > _MANY_FILES or any(path.name in _DECIDING for path in changed):
                    self._summaries[root] = await index.update()
                else:
                    await index.saved(changed)
            except IndexUnavailable as error:
                self._failed(error)

    def document_changed(self, path: Path, text: str) -> None:
        """Have an unsaved text count in place of its file."""
        self._buffers[path] = text
        self._set_buffer(path, text)

    def document_closed(self, path: Path) -> None:
        """The file on disk counts again."""
        self._buffers.pop(path, None)
        self._set_buffer(path, None)

    async def search(
        self, path: Path, query: str, k: int, known: str, around: Around | None = None
    ) -> tuple[str, Path, tuple[Snippet, ...]] | None:
        """What the workspace of a file has for `query`: its name, its root and the snippets; None: no such workspace.

        `around`: what is known of the place; which files are of late is known here. Raises IndexUnavailable.
        """
        index = self._index_of(path)
        if index is None:
            return None
        return index.root.name, index.root, await index.search(query, k, known=known, around=around)

    async def status(self) -> dict[str, object]:
        """What the last update of each workspace came to, and figures of the process that serves it."""
        found: dict[str, object] = {}
        for root, index in list(self._open.items()):
            summary = self._summaries.get(root)
            try:
                process = await asyncio.wait_for(index.stats(), 1.0)
            except (IndexUnavailable, TimeoutError):
                process = None
            found[str(root)] = {"last": asdict(summary) if summary is not None else None, "process": process}
        return found

    async def close(self) -> None:
        """End all processes. May be called twice."""
        await asyncio.gather(*(index.aclose() for index in self._open.values()))

    def _set_buffer(self, path: Path, text: str | None) -> None:
        index = self._index_of(path)
        if index is not None:
            index.set_buffer(_placed(path), text)

    def _index_of(self, path: Path) -> WorkspaceIndex | None:
        place = _placed(path)
        holding = [root for root in self._open if place.is_relative_to(root)]
        return self._open[max(holding, key=lambda root: len(root.parts))] if holding else None

    def _failed(self, error: IndexUnavailable) -> None:
        log.info("%s", error)
        self._on_problem(error)


def _placed(path: Path) -> Path:
    """A file's own place: links in the directories above it are followed, the file itself is not."""
    return path.parent.resolve() / path.name
