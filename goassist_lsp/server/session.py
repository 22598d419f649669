"""One client's session: its documents, settings and assistant, and the requests that run for it.

Features read and change it; it knows the protocol only through `GoassistServer`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lsprotocol.types import TextEdit

from goassist_lsp import tuned
from goassist_lsp.server.convert import to_text_edits
from goassist_lsp.server.feed import DocumentFeed, Kind
from goassist_lsp.server.notices import Notices, set_log_level
from goassist_lsp.server.progress import ProgressBar
from goassist_lsp.server.rhythm import Rhythm
from goassist_lsp.server.selection import Selection
from goassist_lsp.server.snapshot import Document, Documents, path_of, take
from goassist_lsp.settings import Options, Settings, read_options, resolve
from goassist_lsp.types import Completion
from goassist_models.engine.base import CancelToken

if TYPE_CHECKING:
    from goassist_lsp.app import Assistant
    from goassist_lsp.server.server import GoassistServer

_log = logging.getLogger(__name__)

# How many answered requests can still be accepted: a client shows one at a time.
_REMEMBERED = 32
_CLOSE_TIMEOUT_S = 5.0
_ANSWERS_TIMEOUT_S = 1.0
_INDEX_WAITS_S = 6.0
_LOOK_S = 0.2

MakeAssistant = Callable[[Settings], "Assistant"]


@dataclass(slots=True)
class Shown:
    """What accepting one of a request's candidates takes, by the candidate's index.

    `imports` are edits for the client, good as long as the document begins with `head`. No text beyond that is
    kept: a session may remember many versions of a large file.
    """

    uri: str
    head: str
    imports: tuple[list[TextEdit], ...]


class Session:
    """State of one client from `initialize` to the end. All methods run in the event loop's thread."""

    def __init__(self, server: GoassistServer, make_assistant: MakeAssistant) -> None:
        self.documents = Documents()
        self.notices = Notices(server.window_show_message)
        self.folders: list[Path] = []
        self.settings = Settings()
        self.assistant: Assistant | None = None
        self.skip_reason: str | None = None
        self._server = server
        self._make_assistant = make_assistant
        self._initial_options = Options()
        self._feed: DocumentFeed | None = None
        self._running: dict[str, CancelToken] = {}
        self._rhythm = Rhythm()
        # File, version and offset of the last request.
        self._asked: tuple[str, int | None, int] | None = None
        self._shown: OrderedDict[int, Shown] = OrderedDict()
        self._last_id = 0
        self._paused_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: set[asyncio.Task[Completion | None]] = set()
        # The model is loaded, changed and freed by one task at a time.
        self._changing = asyncio.Lock()
        self._indexing = asyncio.Lock()
        self._closed = False
        self._closing: asyncio.Task[None] | None = None

    # Settings and the assistant's life.

    def take_initial_options(self, sent: object) -> None:
        """Read `initializationOptions`: the ground that later configuration lies on."""
        self._initial_options, problems = read_options(sent)
        self._settle(self._initial_options, problems)

    def take_options(self, sent: object) -> bool:
        """Read the client's present configuration; True when it changes any setting."""
        options, problems = read_options(sent)
        return self._settle(options.over(self._initial_options), problems)

    def _settle(self, options: Options, problems: list[str]) -> bool:
        before = self.settings
        self.settings, more = resolve(options.over(tuned.kept(options)))
        for problem in [*problems, *more]:
            _log.info("%s", problem)
            self.notices.warn(f"{problem}.")
        if options.log_level is not None:
            set_log_level(self.settings.log_level)
        return self.settings != before

    async def start(self) -> None:
        """Make the assistant with the settings so far and load model and types; returns when both are done."""
        async with self._changing:
            if self._closed:
                return
            assistant = self.assistant = self._make_assistant(self.settings)
            self._feed = DocumentFeed(assistant, self.notices.failure)
            for document in self.documents:
                self.tell("opened", document)
            async with ProgressBar(self._server, "goassist/start", "goassist") as bar:
                await assistant.start(self.folders, bar.report)
            self.tell_problems()
        self.in_background("indexing", self._index_when_quiet())

    async def _index_when_quiet(self) -> None:
        """Bring the indexes up to date; who types as soon as the editor is there has their first suggestion before."""
        until_s = time.monotonic() + _INDEX_WAITS_S
        while (now_s := time.monotonic()) < until_s and (self._running or self._rhythm.typing(now_s)):
            await asyncio.sleep(_LOOK_S)
        await self.index()

    async def apply_settings(self) -> None:
        """Have the assistant work with the present settings."""
        async with self._changing:
            indexed = self.assistant is not None and self.assistant.settings.index
            if self.assistant is not None:
                async with ProgressBar(self._server, f"goassist/settings/{time.monotonic_ns()}", "goassist") as bar:
                    await self.assistant.apply_settings(self.settings, bar.report)
                self.tell_problems()
        if self.settings.index != indexed:
            self.in_background("indexing", self.index())

    async def apply_folders(self) -> None:
        """Have the assistant serve the present folders."""
        async with self._changing:
            if self.assistant is not None:
                await self.assistant.set_folders(self.folders)
                self.tell_problems()
        self.in_background("indexing", self.index())

    async def reindex(self) -> None:
        """Have the assistant read its workspaces anew."""
        async with self._changing:
            if self.assistant is not None:
                await self.assistant.reindex()
                self.tell_problems()
        await self.index(anew=True)

    async def index(self, *, anew: bool = False) -> None:
        """Have the assistant bring its indexes up to date, with a bar that the user can end it by."""
        async with self._indexing:
            assistant = self.assistant
            if assistant is None or self._closed:
                return

            def stop() -> None:
                self.in_background("ending the indexing", assistant.stop_indexing())

            bar = ProgressBar(self._server, f"goassist/index/{time.monotonic_ns()}", "goassist", on_cancel=stop)
            async with bar:
                await assistant.index(bar.report, anew=anew)
            self.tell_problems()

    def files_changed(self, uris: Iterable[str]) -> None:
        """Let the assistant know of files on disk that were saved, made or removed."""
        paths = [path for path in map(path_of, uris) if path is not None]
        if self.assistant is not None and paths:
            self.in_background("indexing changed files", self.assistant.files_changed(paths))

    async def close(self) -> None:
        """End requests, the assistant and its processes. May be called twice; gives up after a few seconds."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._closed = True
        for token in self._running.values():
            token.cancel()
        if self._answers:
            await asyncio.wait(self._answers, timeout=_ANSWERS_TIMEOUT_S)
        tasks = [*self._tasks, *self._answers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._feed is not None:
            await self._feed.stop()
        assistant, self.assistant = self.assistant, None
        if assistant is not None:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await assistant.close()
            except Exception:
                _log.exception("the assistant did not end in order")

    def in_background(self, doing: str, work: Coroutine[Any, Any, None]) -> None:
        """Run something that a handler must not wait for; its failure is logged and told."""

        async def run() -> None:
            try:
                await work
            except Exception as error:
                self.notices.failure(doing, error)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell_problems(self) -> None:
        """Tell the user of what keeps the assistant from working, or from working well, once a cause."""
        if self.assistant is not None:
            for problem in self.assistant.problems:
                self.notices.problem(problem)
            for advice in self.assistant.advice:
                self.notices.advice(advice)

    # Folders and documents.

    def change_folders(self, added: list[str], removed: list[str]) -> None:
        """Workspace folders come and go, as addresses; those that are no directories of this machine are left out."""
        gone = {path_of(uri) for uri in removed}
        paths = [*(path for path in self.folders if path not in gone), *map(path_of, added)]
        self.folders = list(dict.fromkeys(path for path in paths if path is not None))

    def tell(self, kind: Kind, document: Document) -> None:
        """Let the assistant know what happened to a Go file."""
        if self._feed is not None and document.skip_reason is None:
            self._feed.put(kind, document)

    # Requests.

    @property
    def paused(self) -> bool:
        """Whether the user wants no completions now."""
        return time.monotonic() < self._paused_until

    def pause(self, minutes: float) -> None:
        """Stay silent for that long; 0 ends a pause, infinity has no end."""
        self._paused_until = time.monotonic() + minutes * 60 if minutes > 0 else 0.0

    async def complete(
        self, document: Document, offset: int, *, selection: Selection | None = None, requested: bool = False
    ) -> tuple[int, Completion] | None:
        """Ask the assistant; None when there is nothing to show or the answer came too late.

        With a selection the answer goes on from that item; its candidates are for the document as it is.
        A newer request for the same document ends the older one, and so does a change of the document. When the
        caller is cancelled, the work done for it ends by its token.
        """
        self.skip_reason = self._skip_reason(document)
        if self.skip_reason is not None:
            return None
        assert self.assistant is not None
        self.cancel_requests(document.uri)
        key, token = unquote(document.uri), CancelToken()
        self._running[key] = token
        snapshot = take(document)
        place = (key, snapshot.version, offset) if selection is None else None
        pace = self._rhythm.pace(time.monotonic(), again=place is not None and place == self._asked)
        self._asked = place
        if selection is not None:
            snapshot, offset = selection.taken(snapshot), selection.cursor
        work = self.assistant.complete(
            snapshot,
            offset,
            token,
            n=None if requested else 1,
            requested=requested,
            pace=None if requested else pace,
        )
        # Shielded: a cancelled request leaves by the token, at a place where nothing is torn apart.
        answer = asyncio.create_task(self._guarded(work))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        try:
            completion = await asyncio.shield(answer)
        finally:
            token.cancel()
            if self._running.get(key) is token:
                del self._running[key]
        self.tell_problems()
        if (
            completion is None
            or completion.cancelled
            or not completion.candidates
            or not self.documents.is_current(document)
        ):
            return None
        if not requested:
            self.in_background("saying what may follow", self._ahead(self.assistant, completion, document.uri))
        if selection is not None:
            completion = replace(completion, candidates=tuple(map(selection.extended, completion.candidates)))
        self._last_id += 1
        return self._last_id, completion

    async def _ahead(self, assistant: Assistant, completion: Completion, uri: str) -> None:
        asked = await assistant.ahead(completion)
        document = self.documents.get(uri)
        if asked and document is not None:
            self.tell("changed", document)

    async def _guarded(self, work: Coroutine[Any, Any, Completion]) -> Completion | None:
        try:
            return await work
        except Exception as error:
            self.notices.failure("a completion", error)
            return None

    def cancel_requests(self, uri: str) -> None:
        """End the request that runs for a document, if there is one."""
        token = self._running.get(unquote(uri))
        if token is not None:
            token.cancel()

    def _skip_reason(self, document: Document) -> str | None:
        if self.paused:
            return "completions are paused"
        if self.assistant is None:
            return "the server is still starting"
        return document.skip_reason

    def remember(
        self, completion_id: int, document: Document, completion: Completion, *, imports_pending: bool
    ) -> None:
        """Keep what was offered, for when it is accepted; imports only if the client does not add them itself."""
        edits = [candidate.import_edits if imports_pending else () for candidate in completion.candidates]
        end = max((edit.end for some in edits for edit in some), default=0)
        imports = tuple(to_text_edits(document, some) for some in edits)
        self._shown[completion_id] = Shown(document.uri, document.text[:end], imports)
        while len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)

    def take_shown(self, completion_id: int) -> Shown | None:
        """What a request offered, once: None when it is long ago or was taken already."""
        return self._shown.pop(completion_id, None)
