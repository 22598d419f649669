"""Client of the Go type service: starts it, talks to it, starts it again when it dies.

check/typecheck.py asks it about candidates, context/ about types; one TypeService serves one workspace root.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import CheckerUnavailable, SourceError
from goassist_index.gobuild import build_type_service
from goassist_index.typefacts import TypeFacts, Wanted, decode_facts
from goassist_index.verdict import Diagnostic, ImportSpec, LegalNames, Unfinished, Verdict
from goassist_index.wire import Pipe, ReplyError, ServiceGone

log = logging.getLogger(__name__)

# How long a check waits for its package to be loaded; then its verdict is "unknown".
LOADING_LIMIT_S = 10.0
# Beyond the loading limit: the check itself, which takes milliseconds unless the machine is overloaded.
ANSWER_LIMIT_S = 10.0
# A question in the middle of a generation: who is not ready is not waited for.
_NO_WAIT_MS = 1
_FIRST_BACKOFF_S = 0.2
_LAST_BACKOFF_S = 30.0
# A process that lived this long was healthy: its end does not count towards the back-off.
_HEALTHY_S = 60.0


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """The service's own figures. `heap_bytes` is live memory, `sys_bytes` what it holds from the system."""

    heap_bytes: int
    sys_bytes: int
    packages: int
    checks: int
    go_version: str
    restarts: int
    pid: int


class TypeService:
    """One Go type service for one workspace root. All methods belong to one event loop."""

    def __init__(self, root: Path, binary: Path, on_ready: Callable[[Path, float], None] | None) -> None:
        self._root = root
        self._binary = binary
        self._on_ready = on_ready
        self._pipe: Pipe | None = None
        self._overlays: dict[Path, str] = {}
        self._opened: set[Path] = set()
        self._starting = asyncio.Lock()
        self._backoff_s = 0.0
        self._not_before = 0.0
        self._started_at = 0.0
        self._restarts = -1
        self._closed = False

    @classmethod
    async def start(
        cls,
        root: Path,
        *,
        cache_dir: Path | None = None,
        on_ready: Callable[[Path, float], None] | None = None,
    ) -> TypeService:
        """Build the service if need be and start it for `root`.

        `on_ready` is called with a directory and milliseconds when its package has been loaded.
        Raises CheckerUnavailable: no Go toolchain, a build that fails, a root that is not there.
        """
        binary = await asyncio.to_thread(build_type_service, cache_dir)
        service = cls(root.absolute(), binary, on_ready)
        await service._running()
        return service

    @property
    def root(self) -> Path:
        """The workspace root it was started for."""
        return self._root

    @property
    def pid(self) -> int | None:
        """The process id, or None while no process runs."""
        return self._pipe.pid if self._pipe is not None and self._pipe.alive else None

    async def open(self, directory: Path) -> None:
        """Begin to load the package in `directory`; returns at once, `on_ready` says when it is done."""
        self._opened.add(directory.absolute())
        await self._ask("open", {"dir": str(directory.absolute())})

    async def overlay(self, path: Path, text: str) -> None:
        """Put an unsaved buffer in place of the file on disk, for this and all other packages."""
        path = path.absolute()
        self._overlays[path] = text
        await self._ask("overlay", {"file": str(path), "text": text})

    async def close_file(self, path: Path) -> None:
        """Go back to the file on disk."""
        path = path.absolute()
        if self._overlays.pop(path, None) is not None:
            await self._ask("close", {"file": str(path)})

    async def check(
        self,
        path: Path,
        text: str | None,
        start_byte: int,
        end_byte: int,
        inserts: Sequence[str],
        *,
        complete: bool = False,
        import_budget_s: float = 0.0,
        loading_limit_s: float = LOADING_LIMIT_S,
    ) -> tuple[Verdict, ...]:
        """One verdict for each insert in place of the bytes `start_byte:end_byte` of the file's text.

        `text` becomes the file's overlay first, and stays it; None checks in the present overlay, or in the
        file on disk. Offsets count UTF-8 bytes. `complete`: each insert is all that its block is to hold, so what it
        leaves unfinished there is final. `import_budget_s`: how long to look, in one request, for the imports with
        which inserts that lack some pass; 0 leaves those errors.
        "unknown" with a reason: the package is not loaded within `loading_limit_s`, the service does not answer, or
        nothing can be said.
        Raises CheckerUnavailable when the service cannot be started, SourceError for offsets outside of the text.
        """
        path = path.absolute()
        params: dict[str, Any] = {
            "file": str(path),
            "offset": start_byte,
            "end": end_byte,
            "inserts": list(inserts),
            "whole": complete,
            "import_budget_ms": math.ceil(import_budget_s * 1000),
            "wait_ms": int(loading_limit_s * 1000),
        }
        if text is not None and self._overlays.get(path) != text:
            self._overlays[path] = text
            params["text"] = text
        began = time.perf_counter()
        try:
            limit_s = loading_limit_s + import_budget_s + ANSWER_LIMIT_S
            result = await asyncio.wait_for(self._ask("check", params), limit_s)
        except TimeoutError:
            return _all_unknown("the type service did not answer in time", len(inserts), began)
        except ServiceGone:
            return _all_unknown("the type service ended while checking", len(inserts), began)
        except ReplyError as error:
            if error.code == "bad_request":
                raise SourceError(str(error), path=str(path)) from error
            return _all_unknown(str(error), len(inserts), began)
        return tuple(decode_verdict(v) for v in result["verdicts"])

    async def facts(self, path: Path, offset: int, text: str | None = None) -> TypeFacts | None:
        """What is in play at a byte offset; None when it cannot be said.

        With `text`, which becomes the file's overlay, a package that is not loaded is not waited for.
        """
        if text is None:
            return decode_facts(await self._about("facts", path, offset))
        return decode_facts(await self._about_text("facts", path, text, offset))

    async def members(self, path: Path, offset: int) -> dict[str, Any]:
        """What may follow the dot before a byte offset; see gotypes/facts.go for the keys."""
        return await self._about("members", path, offset)

    async def legal(self, path: Path, text: str, offset: int, said: str) -> LegalNames | None:
        """Names that may stand at a byte offset of `text` (which becomes the file's overlay) behind `said`.

        None: it cannot be said, so every name may. Does not wait for a package that is not loaded.
        Raises CheckerUnavailable when the service cannot be started, SourceError for an offset outside of the text.
        """
        result = await self._about_text("legal", path, text, offset, said=said)
        if not result.get("kind"):
            return None
        names, packages = frozenset(result["names"]), frozenset(result["packages"])
        return LegalNames(result["kind"], names, packages, bool(result["asserts"]), frozenset(result["fits"]))

    async def wanted(self, path: Path, text: str, offset: int) -> Wanted:
        """What a byte offset of `text` (which becomes the file's overlay) asks for; empty where that is not known.

        Does not wait for a package that is not loaded. Raises as `legal` does.
        """
        result = await self._about_text("wanted", path, text, offset)
        return Wanted(result.get("type", ""), result.get("call", ""), tuple(result.get("fits", ())))

    async def _about_text(self, method: str, path: Path, text: str, offset: int, **more: Any) -> dict[str, Any]:
        path = path.absolute()
        if self._overlays.get(path) != text:
            self._overlays[path] = text
            more["text"] = text
        return await self._about(method, path, offset, wait_ms=_NO_WAIT_MS, **more)

    async def _about(self, method: str, path: Path, offset: int, **more: Any) -> dict[str, Any]:
        params = {"file": str(path.absolute()), "offset": offset, "wait_ms": int(LOADING_LIMIT_S * 1000), **more}
        try:
            result = await asyncio.wait_for(self._ask(method, params), LOADING_LIMIT_S + ANSWER_LIMIT_S)
        except (TimeoutError, ServiceGone):
            return {}
        except ReplyError as error:
            if error.code == "bad_request":
                raise SourceError(str(error), path=str(path)) from error
            return {}
        return dict(result or {})

    async def stats(self) -> ServiceStats:
        """Memory, packages and checks so far. Raises CheckerUnavailable when the service does not answer."""
        try:
            result = await asyncio.wait_for(self._ask("stats", {}), ANSWER_LIMIT_S)
        except (TimeoutError, ServiceGone, ReplyError) as error:
            raise CheckerUnavailable("the type service does not answer", path=str(self._root)) from error
        return ServiceStats(
            heap_bytes=int(result["heap_bytes"]),
            sys_bytes=int(result["sys_bytes"]),
            packages=int(result["packages"]),
            checks=int(result["checks"]),
            go_version=str(result["go_version"]),
            restarts=max(0, self._restarts),
            pid=self.pid or 0,
        )

    async def aclose(self) -> None:
        """End the process. May be called twice."""
        self._closed = True
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            await pipe.close()

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        """The result of a request, with one more try when the process turned out to be gone."""
        try:
            return await (await self._running()).call(method, params)
        except ServiceGone:
            log.warning("type service for %s ended; starting it again", self._root)
            return await (await self._running()).call(method, params)

    async def _running(self) -> Pipe:
        """The live process; a new one, told of all buffers, when the last has ended."""
        async with self._starting:
            if self._closed:
                raise CheckerUnavailable("the type service has been closed", path=str(self._root))
            if self._pipe is not None and self._pipe.alive:
                return self._pipe
            if self._pipe is not None:
                await self._pipe.close()
                self._pipe = None
                lived_s = time.monotonic() - self._started_at
                self._backoff_s = (
                    0.0 if lived_s > _HEALTHY_S else min(_LAST_BACKOFF_S, max(_FIRST_BACKOFF_S, self._backoff_s * 2))
                )
                self._not_before = time.monotonic() + self._backoff_s
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            try:
                pipe = await Pipe.start([str(self._binary)], self._root, self._event, "type service")
            except OSError as error:
                raise CheckerUnavailable(
                    f"the type service does not start ({error.strerror or error})",
                    path=str(self._binary),
                    cure="Delete this file so that it is built again, and check that the workspace folder exists",
                ) from error
            self._started_at = time.monotonic()
            self._restarts += 1
            self._pipe = pipe
            for path, text in list(self._overlays.items()):
                await pipe.call("overlay", {"file": str(path), "text": text})
            for directory in list(self._opened):
                await pipe.call("open", {"dir": str(directory)})
            return pipe

    def _event(self, method: str, params: Any) -> None:
        if method == "ready" and self._on_ready is not None:
            self._on_ready(Path(params["dir"]), float(params["ms"]))


def decode_verdict(raw: dict[str, Any]) -> Verdict:
    """A Verdict from the service's JSON."""
    return Verdict(
        status=raw["status"],
        errors=tuple(
            Diagnostic(line=e["line"], col=e["col"], message=e["message"], insert_offset=e["insert_offset"])
            for e in raw["errors"] or ()
        ),
        unfinished=tuple(
            Unfinished(kind=u["kind"], line=u["line"], col=u["col"], message=u["message"], final=u["final"])
            for u in raw["unfinished"] or ()
        ),
        missing_imports=tuple(raw["missing_imports"] or ()),
        imports=tuple(ImportSpec(i["name"], i["path"]) for i in raw["imports"] or ()),
        reason=raw["reason"],
        ms=raw["ms"],
    )


def _all_unknown(reason: str, count: int, began: float) -> tuple[Verdict, ...]:
    ms = (time.perf_counter() - began) * 1000
    return tuple(Verdict(status="unknown", reason=reason, ms=ms) for _ in range(count))
