"""What all endpoints share: the model, the checker, the workspaces, and what is allowed. One for each server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from goassist_index.errors import IndexUnavailable, SourceError
from goassist_index.search import Snippet
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.position import offset_of_byte
from goassist_lsp.http.admission import Admission
from goassist_lsp.http.checked import Place
from goassist_lsp.http.embedding import Embeddings
from goassist_lsp.http.errors import ApiError
from goassist_lsp.http.isolated import IsolatedChecker
from goassist_lsp.http.keys import Keys
from goassist_lsp.http.metrics import Metrics
from goassist_lsp.http.schema import GoParameters
from goassist_lsp.http.scratch import Scratch, as_file
from goassist_lsp.http.trials import Trials
from goassist_lsp.http.workspaces import Workspaces
from goassist_lsp.indexes import Indexes
from goassist_lsp.settings import Settings
from goassist_lsp.types import Checker, DocumentSnapshot
from goassist_models.chat import ChatTemplate
from goassist_models.engine import Engine
from goassist_models.infill import DEFAULT_FAMILY, FAMILIES, InfillTokens

log = logging.getLogger(__name__)

# Nobody waits for a key here: a large package is worth waiting for, and so is an import that has to be found.
_LOADING_LIMIT_S = 60.0
_IMPORT_BUDGET_S = 2.0


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """What a request may take: bytes of its body, seconds to send it or its head, tokens and seconds of its answer."""

    body_bytes: int = 2**20
    sending_s: float = 10.0
    answer_tokens: int = 2048
    answer_s: float = 120.0


@dataclass(slots=True)
class Service:
    """One server's parts. Those with defaults are what a server for tests can do without."""

    engine: Engine
    settings: Settings
    admission: Admission
    limits: ServeLimits = ServeLimits()
    workspaces: Workspaces = field(default_factory=lambda: Workspaces({}))
    keys: Keys | None = None
    trials: Trials | None = None
    template: ChatTemplate | None = None
    tokens: InfillTokens = FAMILIES[DEFAULT_FAMILY]
    checker: Checker | None = None
    log_prompts: bool = False
    # Asked whether a model that runs elsewhere can be reached. Raises ModelError.
    probe: Callable[[], Awaitable[None]] | None = None
    # Hands a request for embeddings on to where they are made. Raises ModelError.
    embed: Callable[[dict[str, Any]], Awaitable[Any]] | None = None
    # Embeddings that are made here, to be closed with the rest.
    embeddings: Embeddings | None = None
    # Names that this server may be called by where it has no keys; nothing else is answered then.
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    # Set when a server that stops waits no longer for what is under way.
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = field(default_factory=lambda: int(time.time()))
    metrics: Metrics = field(default_factory=Metrics)
    scratch: Scratch = field(default_factory=Scratch)
    _types: TypeChecker | None = None
    _indexes: Indexes | None = None
    _indexing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the type service and the indexes. Raises CheckerUnavailable without a Go toolchain."""
        if self.checker is None:
            self._types = TypeChecker(loading_limit_s=_LOADING_LIMIT_S, import_budget_s=_IMPORT_BUDGET_S)
            self.checker = IsolatedChecker(self._types, tuple(self.workspaces.roots.values()))
            await self._types.set_folders((self.scratch.root, *self.workspaces.roots.values()))
        if self.workspaces.roots and self.settings.index:
            self._indexes = Indexes(lambda error: log.warning("%s", error))
            await self._indexes.set_folders(tuple(self.workspaces.roots.values()))
            self._indexing = asyncio.create_task(self._indexes.update(lambda message, percent: None))

    async def close(self) -> None:
        """End all that was started, and free the model. May be called twice."""
        if self._indexing is not None:
            self._indexing.cancel()
            await asyncio.gather(self._indexing, return_exceptions=True)
        if self._indexes is not None:
            await self._indexes.close()
        if self._types is not None:
            await self._types.close()
        if self.embeddings is not None:
            await self.embeddings.close()
        await self.engine.close()
        self.scratch.close()

    async def ready(self) -> None:
        """Raises ModelError while requests cannot be answered."""
        if self.probe is not None:
            await self.probe()

    def settings_for(self, max_tokens: int) -> Settings:
        """The pipeline's settings for an answer of so many tokens."""
        most = self.tokens_allowed(max_tokens)
        return replace(self.settings, max_tokens_line=most, max_tokens_block=most)

    def tokens_allowed(self, max_tokens: int) -> int:
        """As many tokens as are asked for, or as the server allows."""
        return min(max_tokens, self.limits.answer_tokens)

    async def snippets(self, workspace: str, query: str, k: int) -> tuple[Snippet, ...]:
        """What a workspace has for a question; nothing where its index does not answer."""
        root = self.workspaces.root(workspace)
        if self._indexes is None:
            return ()
        try:
            found = await self._indexes.search(root / "question.go", query, k, "")
        except IndexUnavailable as error:
            log.info("a chat goes without snippets: %s", error)
            return ()
        return found[2] if found is not None else ()

    @contextmanager
    def place(self, asked: GoParameters, prompt: str, suffix: str) -> Iterator[Place]:
        """Where a request's answer goes. Raises ApiError where that cannot be."""
        if asked.workspace is not None:
            yield self._in_workspace(asked, prompt, suffix)
            return
        for name in ("file", "offset", "test_pattern"):
            if getattr(asked, name) is not None:
                raise ApiError(400, f"`{name}` needs a `workspace`", param=name)
        with self.scratch.file() as path:
            yield Place.of(path, prompt + suffix, len(prompt), as_file(prompt, path))

    def _in_workspace(self, asked: GoParameters, prompt: str, suffix: str) -> Place:
        path = self.workspaces.file(asked.workspace, asked.file)
        if asked.offset is None:
            if not prompt:
                raise ApiError(400, "say where in the file: by `offset`, or by `prompt` and `suffix`", param="offset")
            return Place.of(path, prompt + suffix, len(prompt))
        if prompt or suffix:
            raise ApiError(400, "`offset` counts in the file on disk: give no `prompt` or `suffix`", param="offset")
        text = self.workspaces.text(path)
        try:
            offset = offset_of_byte(DocumentSnapshot(path.as_uri(), path, None, text), asked.offset)
        except SourceError as error:
            raise ApiError(400, f"{error.what}", param="offset") from error
        return Place.of(path, text, offset)
