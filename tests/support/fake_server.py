"""The real server with a fake engine and checker: what they do is written in the document itself.

A first line such as `//fake {"say": ["fmt.Println()"]}` directs every request made in that document:
  say       texts that the engine generates
  wait      true: the engine goes on until it is cancelled
  deaf_s    seconds that the engine goes on for, cancelled or not
  slow_s    seconds that an answer takes, if it is not cancelled
  rate      tokens a second that the engine is found to generate
  print     written to file descriptor 1 by the "native library"
  fail      message of an exception inside the assistant
  fail_model  message of a ModelError of the engine
  import    a path: the candidates need it
  bad_alone a text that fails the check where it stands alone
Environment: FAKE_PROBLEM (a problem found at start), FAKE_CHILD (start a helper process, and end it at close),
FAKE_LOADING (the model never comes to be loaded), FAKE_LOADING_S (it does after so long), FAKE_INDEXING (indexing goes
on until it is ended), FAKE_LOG_ENTRIES (how many of the last things told are kept), FAKE_VERSION (the version that the
server says it is).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from goassist_index.errors import ModelError
from goassist_index.verdict import Verdict
from goassist_lsp.app import Assistant
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.server import server
from goassist_lsp.server.run import serve_stdio, serve_tcp
from goassist_lsp.settings import Settings
from goassist_lsp.types import Completion, DocumentSnapshot, ImportEdit, Pace
from goassist_models.engine import CancelToken, GenerateRequest, Generation
from goassist_models.engine.fake import FakeEngine

directions: ContextVar[dict[str, Any]] = ContextVar("directions")


class DirectedEngine(FakeEngine):
    """Does what the document's first line says."""

    answers = 0  # how many it has computed to their end

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        if request.idle:  # nobody's request, so nobody's directions
            return (Generation("", "cancelled"),)
        asked = directions.get()
        if "print" in asked:
            os.write(1, asked["print"].encode())
        if "fail_model" in asked:
            raise ModelError(asked["fail_model"], cure="Do something about it")
        if asked.get("wait"):
            print("engine: waiting", file=sys.stderr, flush=True)
            while not cancel.cancelled:
                await asyncio.sleep(0.005)
            print("engine: stopped", file=sys.stderr, flush=True)
            return (Generation("", "cancelled"),) * request.n
        await asyncio.sleep(asked.get("deaf_s", 0))
        self._generations = lambda prompt: directions.get().get("say", [])
        self._delay_s = asked.get("slow_s", 0)
        self.speed.generate_tokens_per_s = asked.get("rate", 0.0)
        said = await super().generate(request, CancelToken() if "deaf_s" in asked else cancel)
        self.answers += any(generation.finish_reason != "cancelled" for generation in said)
        return said


class DirectedChecker(FakeChecker):
    """Also fails a text that the document's first line names."""

    def _verdict(self, insert: str, resolve_imports: bool) -> Verdict:
        if insert == directions.get().get("bad_alone"):
            return Verdict("error")
        return super()._verdict(insert, resolve_imports)


class DirectedAssistant(Assistant):
    """The real assistant around the directed engine; keeps what the server told it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, engine=DirectedEngine(), checker=DirectedChecker(bad="BAD"))
        most = os.environ.get("FAKE_LOG_ENTRIES")
        self.log: deque[list[object]] = deque(maxlen=int(most) if most else None)
        self.child: subprocess.Popen[bytes] | None = None
        self.begun = False
        self.indexing_ended = asyncio.Event()

    async def start(self, folders: Sequence[Path], progress: Callable[[str, int | None], None] | None = None) -> None:
        self.log.append(["start", [str(folder) for folder in folders]])
        if "FAKE_CHILD" in os.environ:
            self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        if "FAKE_PROBLEM" in os.environ:
            self.problems.append(ModelError(os.environ["FAKE_PROBLEM"], path="m.gguf", cure="Pull the model again"))
        if progress is not None:
            progress("loading", 50)
        if "FAKE_LOADING" in os.environ:
            await asyncio.Event().wait()
        await asyncio.sleep(float(os.environ.get("FAKE_LOADING_S", "0")))
        await super().start(folders, progress)
        self.begun = True

    async def complete(
        self,
        snapshot: DocumentSnapshot,
        offset: int,
        cancel: CancelToken,
        *,
        n: int | None = None,
        requested: bool = False,
        pace: Pace | None = None,
    ) -> Completion:
        first = snapshot.text.partition("\n")[0]
        asked = json.loads(first.removeprefix("//fake ")) if first.startswith("//fake ") else {}
        directions.set(asked)
        self.log.append(["complete", snapshot.text[:offset].rpartition("\n")[2], requested])
        if "FAKE_LOADING_S" in os.environ and not self.begun:
            return Completion(skip_reason="the model is not loaded")
        if "fail" in asked:
            raise ZeroDivisionError(asked["fail"])
        found = await super().complete(snapshot, offset, cancel, n=n, requested=requested, pace=pace)
        if "import" in asked:
            place = snapshot.text.index("\n", snapshot.text.index("package ")) + 1
            edit = ImportEdit(place, place, f'\nimport "{asked["import"]}"\n')
            found = replace(found, candidates=tuple(replace(c, import_edits=(edit,)) for c in found.candidates))
        return found

    async def document_opened(self, snapshot: DocumentSnapshot) -> None:
        self.log.append(["opened", snapshot.path.name, snapshot.text])

    async def document_changed(self, snapshot: DocumentSnapshot) -> None:
        self.log.append(["changed", snapshot.path.name, snapshot.text])

    async def document_closed(self, path: Path) -> None:
        self.log.append(["closed", path.name])

    async def set_folders(self, folders: Sequence[Path]) -> None:
        self.log.append(["folders", [str(folder) for folder in folders]])

    async def reindex(self) -> None:
        self.log.append(["reindex"])

    async def index(self, progress: Callable[[str, int | None], None] | None = None, *, anew: bool = False) -> None:
        self.log.append(["index", anew])
        if progress is not None:
            progress("indexing m", 50)
        if "FAKE_INDEXING" in os.environ:
            await self.indexing_ended.wait()

    async def stop_indexing(self) -> None:
        self.log.append(["stop"])
        self.indexing_ended.set()

    async def files_changed(self, paths: Sequence[Path]) -> None:
        self.log.append(["files", [path.name for path in paths]])

    async def status(self) -> dict[str, object]:
        child = self.child.pid if self.child is not None else None
        state = await super().status()
        told = {
            "log": list(self.log),
            "answers": self._engine.answers if isinstance(self._engine, DirectedEngine) else 0,
        }
        return {**state, **told, "types_ready": self.begun, "child": child, "settings": str(self.settings)}

    async def close(self) -> None:
        await super().close()
        if self.child is not None:
            self.child.kill()
            self.child.wait()


if __name__ == "__main__":
    if "FAKE_VERSION" in os.environ:
        server._version = lambda: os.environ["FAKE_VERSION"]
    if "--tcp" in sys.argv:
        sys.exit(serve_tcp(int(sys.argv[-1]), "127.0.0.1", DirectedAssistant))
    sys.exit(serve_stdio(DirectedAssistant))
