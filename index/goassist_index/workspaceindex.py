"""One workspace's index as the server holds it: a client of the indexer, which is a process of its own.

Starts the process when it is first needed and again when it has ended. Unsaved buffers are kept here and sent with
the next search only: nobody waits for a text to be cut at each key.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goassist_index.around import Around
from goassist_index.chunk import Kind
from goassist_index.errors import IndexUnavailable
from goassist_index.search import Snippet
from goassist_index.wire import Pipe, ReplyError, ServiceGone

if TYPE_CHECKING:
    from goassist_index.embed import EmbeddingModel

log = logging.getLogger(__name__)

# How often the indexer is told that somebody types, at most.
_TYPING_S = 1.0
# So many files of late count in a search.
_MOST_RECENT = 8

# progress(files done, files in all, folder)
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """What an update came to; see update.Summary. `left_out` counts by reason, `rebuilt` says why all was made anew."""

    files: int
    chunks: int
    read: int
    made: int
    seconds: float
    disk_bytes: int
    finished: bool
    left_out: dict[str, int]
    rebuilt: str


class WorkspaceIndex:
    """The index of the workspace at `root` (resolved). All methods belong to one event loop.

    They raise IndexUnavailable when the indexer cannot start or says so, or ends twice over one request. With `model`
    pieces are also embedded, in idle time, and found by meaning; what that needs and is not there is logged.
    """

    def __init__(self, root: Path, model: EmbeddingModel | None = None) -> None:
        self.root = root
        self._model = model
        self._told_typing_s = -_TYPING_S
        self._pipe: Pipe | None = None
        self._starting = asyncio.Lock()
        self._progress: Progress | None = None
        self._buffers: dict[Path, str] = {}
        self._unsent: set[Path] = set()
        self._recent: dict[Path, None] = {}
        self._closed = False

    async def update(self, progress: Progress | None = None, *, anew: bool = False) -> IndexSummary:
        """Make it agree with the files on disk; `anew` forgets all that is stored first."""
        self._progress = progress
        try:
            return IndexSummary(**await self._ask("update", lambda: {"anew": anew}))
        finally:
            self._progress = None

    async def stop_update(self) -> None:
        """End an update between two folders; what it did stays, and the next one goes on."""
        if self._pipe is not None and self._pipe.alive:
            await self._ask("stop", dict)

    async def saved(self, paths: Sequence[Path]) -> None:
        """Make it agree with these files, which were saved, made or removed, and with their folders."""
        if len(paths) == 1:  # several at once are what git or a tool does
            self._touched(paths[0])
        await self._ask("saved", lambda: {"paths": [str(path) for path in paths]})

    def set_buffer(self, path: Path, text: str | None) -> None:
        """Have an unsaved text count in place of its file from the next search on; None: the file counts again."""
        if text is not None:
            self._buffers[path] = text
            self._touched(path)
        elif self._buffers.pop(path, None) is None:
            return
        self._unsent.add(path)
        now = time.monotonic()
        if self._model is not None and self._pipe is not None and now - self._told_typing_s >= _TYPING_S:
            self._told_typing_s = now
            self._pipe.tell("typing", {"path": str(path)})

    def _touched(self, path: Path) -> None:
        """It is the latest of the files of late; of those only so many are kept."""
        self._recent.pop(path, None)
        self._recent[path] = None
        if len(self._recent) > _MOST_RECENT:
            del self._recent[next(iter(self._recent))]

    async def search(
        self, query: str, k: int, *, known: str = "", kinds: Sequence[Kind] = (), around: Around | None = None
    ) -> tuple[Snippet, ...]:
        """At most `k` snippets, best first; see Searcher.search. With `around` files of late known here count too."""
        sent: set[Path] = set()
        place = None
        if around is not None:
            paths = (path for path in reversed(self._recent) if path.is_relative_to(self.root))
            place = replace(around, recent=tuple(path.relative_to(self.root).as_posix() for path in paths))

        def params() -> dict[str, Any]:
            sent.update(self._unsent)
            self._unsent.clear()
            buffers = {str(path): self._buffers.get(path) for path in sent}
            asked = {"query": query, "k": k, "known": known, "kinds": list(kinds), "buffers": buffers}
            return asked | ({"around": asdict(place)} if place is not None else {})

        try:
            found = await self._ask("search", params)
        except BaseException:
            self._unsent |= sent
            raise
        return tuple(Snippet(**{**snippet, "lines": tuple(snippet["lines"])}) for snippet in found)

    async def stats(self) -> dict[str, Any] | None:
        """Files, chunks, bytes on disk and in memory (now, and at most), process id; None while no process runs."""
        if self._pipe is None or not self._pipe.alive:
            return None
        found: dict[str, Any] = await self._ask("stats", dict)
        return found

    async def aclose(self) -> None:
        """End the process. May be called twice."""
        self._closed = True
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            await pipe.close()

    async def _ask(self, method: str, params: Callable[[], dict[str, Any]]) -> Any:
        """The result of a request; `params` is asked once a process runs, for a new one must be told more."""
        try:
            try:
                return await (await self._running()).call(method, params())
            except ServiceGone:
                log.info("the indexer of %s ended; starting it again", self.root)
                return await (await self._running()).call(method, params())
        except ReplyError as error:
            raise IndexUnavailable(str(error).rstrip(".")) from error
        except ServiceGone:
            raise IndexUnavailable("the indexer ends whenever it is asked", path=str(self.root)) from None

    async def _running(self) -> Pipe:
        async with self._starting:
            if self._closed:
                raise IndexUnavailable("the index has been closed", path=str(self.root))
            if self._pipe is not None:
                if self._pipe.alive:
                    return self._pipe
                await self._pipe.close()
            command = [sys.executable, "-m", "goassist_index.indexer", str(self.root)]
            if self._model is not None:
                command.append(json.dumps(asdict(self._model)))
            try:
                # Not in the workspace: a module lying there must not be taken for one of Python's.
                self._pipe = await Pipe.start(command, Path(sys.prefix), self._event, "indexer")
            except OSError as error:
                cure = "Check that this Python can still be run"
                why = f"the indexer does not start ({error.strerror or error})"
                raise IndexUnavailable(why, path=sys.executable, cure=cure) from error
            self._unsent.update(self._buffers)
            return self._pipe

    def _event(self, method: str, params: Any) -> None:
        if method == "progress" and self._progress is not None:
            self._progress(params["done"], params["total"], params["path"])
        elif method == "rebuilt":
            log.warning("what was embedded of %s was %s: made anew", self.root, params["message"])
        elif method == "degraded":
            log.warning("%s is searched by words alone: %s", self.root, params["message"])
