"""The indexer: a process of the least priority that keeps one workspace's index up to date and answers from it.

`python -m goassist_index.indexer ROOT [MODEL]`, spoken to in JSON lines by workspaceindex.py. What takes long is done
here, so that the process in which the model runs loses neither time nor memory to it. It ends when its input does.

Requests: `update` (all of it; events `progress` tell how far it is), `stop` (ends an update between two folders),
`saved` (paths of files on disk), `search`, `stats`. While an update runs, searches are answered between two folders.

With MODEL (an EmbeddingModel as JSON) pieces are embedded too, in workspaces where somebody has begun with it (`index
--dense`), while nobody types (`typing` tells, and is not answered) and nothing else is to be done. What that needs and
is not there costs no more than that: an event `degraded` says why.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from goassist_index.around import Around
from goassist_index.errors import GoassistError, IndexBusy, IndexCorrupt, IndexUnavailable
from goassist_index.priority import yield_disk, yield_to_others
from goassist_index.search import WORDS_ALONE, Searcher, weights_for
from goassist_index.store import VECTORS_FILE, Store, store_folder
from goassist_index.update import update_file, update_workspace

if TYPE_CHECKING:
    from goassist_index.embed import Embedder, Matrix
    from goassist_index.refine import Batch, DenseTier

# Nobody has asked anything for so long: its memory is of more use elsewhere. It starts again when it is needed, with
# a save for instance, which takes some tenths of a second.
IDLE_S = 60.0
# Nobody has typed for so long: there is time to embed. What is under way when somebody does takes a part of a second.
REST_S = 3.0
# The model is let go when nothing was embedded for so long; it takes seconds to load.
MODEL_IDLE_S = 300.0
# How long a search waits for its query's vector; without, it is by words alone.
QUERY_WAIT_S = 0.2
_WRITING_LOOK_S = 0.5
# Another process may be writing the index, such as the indexer of a second editor: how long one try waits for it.
_LOCK_TRY_S = 0.25

_Message = dict[str, Any]
_T = TypeVar("_T")


class Indexer:
    """Answers one message after the other. `tell` writes a message to whoever asked.

    `give_way` is called once, before anything that takes long. A search that comes first is answered before: loading
    an index that is there takes a third of a second, and seconds on a busy machine for whoever gives way to all.
    """

    def __init__(
        self,
        root: Path,
        messages: queue.SimpleQueue[_Message | None],
        tell: Callable[[_Message], None],
        embedder: Embedder | None = None,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        self._root = root
        self._give_way: Callable[[], None] | None = give_way
        self._embedder = embedder
        self._tier: DenseTier | None = None
        self._batch: Batch | None = None
        self._near: tuple[str, ...] = ()
        self._typed_s = self._embedded_s = -float("inf")
        self._messages = messages
        self._tell = tell
        self._store: Store | None = None
        self._searcher: Searcher | None = None
        self._buffers: dict[Path, str | None] = {}
        self._put_off: list[_Message] = []
        self._stopped = self._ended = False
        self._asked_s = time.monotonic()
        self._methods: dict[str, Callable[[_Message], Any]] = {
            "update": self._update,
            "stop": self._stop,
            "saved": self._saved,
            "search": self._search,
            "stats": self._stats,
            "typing": self._typing,
            "embedded": self._keep,
        }

    def run(self) -> None:
        """Answer until the input ends, or nobody asks any more."""
        while not self._ended:
            if self._put_off:
                self._answer(self._put_off.pop(0))
                continue
            wait_s = self._refined()
            try:
                left_s = max(0.0, self._asked_s + IDLE_S - time.monotonic())
                message = self._messages.get(timeout=left_s if wait_s is None else wait_s)
            except queue.Empty:
                if wait_s is None:
                    break
                continue
            if message is None:
                break
            if message.get("method") != "typing":
                self._asked_s = time.monotonic()
            if message.get("method") != "search":
                self._yield()
            self._answer(message)
            self._yield()
        if self._tier is not None:
            self._tier.close()

    def _yield(self) -> None:
        give_way, self._give_way = self._give_way, None
        if give_way is not None:
            give_way()

    def _answer(self, message: _Message) -> None:
        reply: _Message = {"id": message.get("id")}
        try:
            reply["result"] = self._mended(lambda: self._methods[message["method"]](message.get("params") or {}))
        except GoassistError as error:
            reply["error"] = {"code": type(error).__name__, "message": str(error)}
        except KeyError as error:
            reply["error"] = {"code": "request", "message": f"missing or unknown: {error}"}
        if "id" in message:
            self._tell(reply)

    def _mended(self, work: Callable[[], _T]) -> _T:
        """Do it; what turns out to be damaged is thrown away first, and is made anew by the next update."""
        try:
            return work()
        except IndexCorrupt:
            if self._store is None:
                raise
            self._store.rebuild()
            self._searcher = None
            return work()

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store(store_folder(self._root), lock_timeout_s=_LOCK_TRY_S)
        return self._store

    def _update(self, params: _Message) -> _Message:
        from goassist_index import leftovers

        yield_disk()
        store = self._opened()
        with contextlib.suppress(OSError):  # a full disk: the update says so itself
            leftovers.claim(store.folder, self._root)
        leftovers.throw_away_gone(store.folder.parent)
        self._stopped = False
        if params.get("anew"):
            self._in_turn(store.rebuild)
            store.rebuilt = ""
        shown = -1

        def progress(done: int, total: int, path: str) -> None:
            nonlocal shown
            percent = 100 * done // max(total, 1)
            if percent != shown:
                shown = percent
                self._tell({"method": "progress", "params": {"done": done, "total": total, "path": path}})

        summary = self._in_turn(lambda: update_workspace(store, self._root, progress, self._meanwhile))
        found = asdict(summary) | {"left_out": summary.reasons, "rebuilt": store.rebuilt}
        store.rebuilt = ""
        return found

    def _in_turn(self, work: Callable[[], _T]) -> _T:
        """Do it when no other process writes the index; whoever only searches is answered while we wait."""
        while True:
            try:
                return work()
            except IndexBusy:
                if self._meanwhile():
                    raise

    def _meanwhile(self) -> bool:
        """Between two folders: answer who asks, put off what changes the index; whether to stop."""
        while not self._ended:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                break
            if message is None:
                self._ended = True
            elif message.get("method") in ("update", "saved"):
                self._put_off.append(message)
            else:
                self._answer(message)
        return self._stopped or self._ended

    def _stop(self, params: _Message) -> None:
        self._stopped = True

    def _saved(self, params: _Message) -> int:
        store = self._opened()
        folders = {os.path.dirname(path): path for path in params["paths"]}
        return sum(self._in_turn(partial(update_file, store, self._root, Path(path))) for path in folders.values())

    def _ready(self) -> Searcher:
        """What answers, as up to date as the index is."""
        store = self._opened()
        if self._tier is None and self._embedder is not None and (store.folder / VECTORS_FILE).is_file():
            self._searcher = None
            try:
                # Only who embeds needs these: whoever searches by words starts without them.
                from goassist_index.refine import DenseTier

                self._tier = DenseTier(store, self._embedder)
                if self._tier.rebuilt:
                    self._tell({"method": "rebuilt", "params": {"message": self._tier.rebuilt}})
            except (ImportError, IndexUnavailable) as error:
                self._degraded(error)
        if self._searcher is None:
            self._searcher = Searcher(store, self._root, dense=self._tier)
            for path, text in self._buffers.items():
                self._searcher.set_buffer(path, text)
        self._searcher.refresh()
        return self._searcher

    def _search(self, params: _Message) -> list[_Message]:
        searcher = self._ready()
        for path, text in params.get("buffers", {}).items():
            searcher.set_buffer(Path(path), text)
            self._buffers[Path(path)] = text
        kinds, query = tuple(params.get("kinds", ())), params["query"]
        vector = self._vector(query)
        around = Around(**{name: tuple(known) for name, known in params.get("around", {}).items()})
        known = params.get("known", "")
        found = searcher.search(query, params["k"], known=known, kinds=kinds, vector=vector, around=around)
        return [asdict(snippet) for snippet in found]

    def _vector(self, query: str) -> Matrix | None:
        """The query's, if the model has it in time: it may be loading, or at work on a batch."""
        if self._tier is None or weights_for(query) == WORDS_ALONE or not self._tier.coverage.embedded:
            return None
        self._embedded_s = time.monotonic()
        try:
            return self._tier.asked(query).result(QUERY_WAIT_S)
        except FutureTimeout:
            return None
        except IndexUnavailable as error:
            self._degraded(error)
            return None

    def _typing(self, params: _Message) -> None:
        self._typed_s = time.monotonic()
        folder = Path(params["path"]).parent
        self._near = (folder.relative_to(self._root).as_posix(),) if folder.is_relative_to(self._root) else ()

    def _refined(self) -> float | None:
        """Have the next pieces embedded, if it is time; how long to wait for another look, None: for a message."""
        if self._embedder is None or self._store is None or self._batch is not None:
            return None
        if self._tier is None and not (self._store.folder / VECTORS_FILE).is_file():
            return None  # nobody has begun with it here
        rest_s = self._typed_s + REST_S - time.monotonic()
        if rest_s > 0:
            return rest_s
        try:
            return self._mended(self._next_pieces)
        except IndexUnavailable as error:
            self._degraded(error)
            return None

    def _next_pieces(self) -> float | None:
        self._ready()
        if self._tier is None:
            return None
        self._batch = self._tier.next_batch(self._near)
        if self._batch is not None:
            self._batch.vectors.add_done_callback(lambda _: self._messages.put({"method": "embedded"}))
            return None
        if self._tier.settle():
            return _WRITING_LOOK_S
        idle_s = self._embedded_s + MODEL_IDLE_S - time.monotonic()
        if idle_s > 0:
            return idle_s
        self._tier.rest()
        return None

    def _keep(self, params: _Message) -> None:
        batch, self._batch = self._batch, None
        if batch is None or self._tier is None:
            return
        self._embedded_s = time.monotonic()
        try:
            self._tier.keep(batch)
        except IndexUnavailable as error:
            self._degraded(error)

    def _degraded(self, error: Exception) -> None:
        """Go on by words alone."""
        tier, self._tier, self._embedder, self._batch = self._tier, None, None, None
        self._searcher = None
        if tier is not None:
            tier.close()
        self._tell({"method": "degraded", "params": {"message": str(error)}})

    def _stats(self, params: _Message) -> _Message:
        import psutil

        files, chunks, disk_bytes = self._opened().counts()
        process = psutil.Process()
        memory, times = process.memory_info(), process.cpu_times()
        held = {"memory_bytes": memory.rss, "peak_bytes": _peak_bytes(memory), "pid": os.getpid()}
        dense = asdict(self._tier.coverage) if self._tier is not None else None
        spent = {"cpu_s": times.user + times.system}
        return {"files": files, "chunks": chunks, "disk_bytes": disk_bytes, "dense": dense, **held, **spent}


def _peak_bytes(memory: Any) -> int:
    """The most memory that this process has had at once. Linux tells it of the program that runs, whatever ran before.

    `memory`: what psutil tells of it now.
    """
    if sys.platform == "win32":
        return int(memory.peak_wset)
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes, on macOS


def read_messages(source: BinaryIO, messages: queue.SimpleQueue[_Message | None]) -> None:
    """Put each line's JSON object into the queue, and None at the end of the input."""
    for line in source:
        message = json.loads(line)
        if isinstance(message, dict):
            messages.put(message)
    messages.put(None)


def main() -> int:
    """Serve standard input and output."""
    messages: queue.SimpleQueue[_Message | None] = queue.SimpleQueue()
    threading.Thread(target=read_messages, args=(sys.stdin.buffer, messages), daemon=True).start()

    def tell(message: _Message) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    try:
        Indexer(Path(sys.argv[1]), messages, tell, _embedder(*sys.argv[2:3]), yield_to_others).run()
    except BrokenPipeError:
        return 1  # who asked is gone
    return 0


def _embedder(model: str = "") -> Embedder | None:
    if not model:
        return None
    from goassist_index.embed import EmbeddingModel, WorkerEmbedder

    return WorkerEmbedder(EmbeddingModel(**json.loads(model)))


if __name__ == "__main__":
    # The reading thread may be in a read that never ends: the interpreter must not wait for its lock on the stream.
    status = main()
    sys.stdout.flush()
    os._exit(status)
