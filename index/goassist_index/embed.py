"""Texts as vectors that are near each other when they mean alike: the Embedder, a real one and a fake.

The real one is a process of its own (embedworker.py), for it loads torch: seconds, and several hundred megabytes.
dense.py finds by what it gives, refine.py says what is embedded next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from goassist_index.chunk import Piece
from goassist_index.errors import IndexUnavailable
from goassist_index.words import words

log = logging.getLogger(__name__)

# (texts, dimensions), 32-bit floats, rows of length 1.
Matrix = NDArray[np.float32]

# Raised when `passage` makes another text of the same piece, or the worker another vector of the same text.
EMBEDDING_VERSION = 1
# What a model of 256 tokens can read of a text, and some more.
_MOST_CHARS = 1600
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CLOSE_S = 2.0


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A sentence-transformers model in `directory`: vectors of `dimensions`, of texts cut at `max_tokens`.

    `query_prefix` and `passage_prefix` are what its card has put before texts that ask and texts that answer.
    """

    name: str
    directory: str
    dimensions: int
    max_tokens: int
    query_prefix: str
    passage_prefix: str


class Embedder(Protocol):
    """Gives texts vectors. `space` names all that they depend on: vectors of two spaces have nothing in common."""

    space: str
    dimensions: int

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Future[Matrix]:
        """One row a text, in their order; `query`: they ask for passages. The future raises IndexUnavailable."""
        ...

    def close(self) -> None:
        """Let go of what it holds; the next text takes it up again. May be called twice."""
        ...


def passage(piece: Piece) -> str:
    """What is embedded of a piece: its text, names taken apart, for models of prose know few of them whole."""
    return plain(piece.text)[:_MOST_CHARS]


def plain(text: str) -> str:
    """Text with its names in words: applyDiscount_v2 becomes apply Discount v2."""
    return _HUMP.sub(" ", text).replace("_", " ")


class FakeEmbedder:
    """Texts that share words are near each other; exact, at once, without a model. `asked` counts its texts."""

    def __init__(self, dimensions: int = 64) -> None:
        self.space = f"fake-{dimensions}"
        self.dimensions = dimensions
        self.asked = 0

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Future[Matrix]:
        """See Embedder."""
        self.asked += len(texts)
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in words(text):
                digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
                row[int.from_bytes(digest, "little") % self.dimensions] += 1
        done: Future[Matrix] = Future()
        done.set_result(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
        return done

    def close(self) -> None:
        """See Embedder."""


class WorkerEmbedder:
    """A sentence-transformers model in a process of its own, started when the first text comes."""

    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model
        self.name = model.name
        self.space = f"{model.name}-{model.max_tokens}-{EMBEDDING_VERSION}"
        self.dimensions = model.dimensions
        self._worker: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._waiting: list[Future[Matrix]] = []
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Future[Matrix]:
        """See Embedder. Answered in turn by the worker, so that a long list holds up what comes behind it."""
        prefix = self._model.query_prefix if query else self._model.passage_prefix
        line = json.dumps([prefix + text for text in texts]).encode() + b"\n"
        future: Future[Matrix] = Future()
        with self._lock:
            try:
                worker = self._running()
                self._waiting.append(future)
                assert worker.stdin is not None
                worker.stdin.write(line)
                worker.stdin.flush()
            except OSError as error:
                if future in self._waiting:
                    self._waiting.remove(future)
                future.set_exception(self._gone(str(error)))
        return future

    def close(self) -> None:
        """See Embedder."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is None or self._reader is None:
            return
        assert worker.stdin is not None
        try:
            worker.stdin.close()
            worker.wait(_CLOSE_S)
        except (OSError, subprocess.TimeoutExpired):
            worker.kill()
        self._reader.join()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._worker is not None and self._worker.poll() is None:
            return self._worker
        # One thread, which sleeps where it waits: the other cores are the model's that writes.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        worker = self._worker = subprocess.Popen(
            # Not in the workspace: a module lying there must not be taken for one of Python's.
            [sys.executable, "-m", "goassist_index.embedworker", json.dumps(asdict(self._model))],
            cwd=sys.prefix,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._waiting = []
        self._reader = threading.Thread(target=self._read, args=(worker, self._waiting), daemon=True)
        self._reader.start()
        return worker

    def _read(self, worker: subprocess.Popen[bytes], waiting: list[Future[Matrix]]) -> None:
        """Hand on what a worker says until it ends; whoever waits then hears what it said last."""
        assert worker.stdout is not None and worker.stderr is not None
        said: list[str] = []
        listener = threading.Thread(target=_listen, args=(worker.stderr, said), daemon=True)
        listener.start()
        row_bytes = self.dimensions * np.dtype(np.float32).itemsize
        try:
            while header := worker.stdout.readline():
                rows = int(header)
                data = worker.stdout.read(rows * row_bytes)
                matrix = np.frombuffer(data, dtype=np.float32).reshape(rows, self.dimensions)
                with self._lock:
                    future = waiting.pop(0)
                future.set_result(matrix)
        except (OSError, ValueError, IndexError) as error:
            said.append(f"unreadable: {error}")
            worker.kill()
        worker.wait()
        listener.join()
        worker.stdout.close()
        with self._lock:
            left, waiting[:] = list(waiting), []
            if worker.stdin is not None:
                with contextlib.suppress(OSError):
                    worker.stdin.close()
        for future in left:
            future.set_exception(self._gone(said[-1] if said else f"status {worker.returncode}"))

    def _gone(self, why: str) -> IndexUnavailable:
        cure = "Install goassist-lsp[embed] and run `goassist-lsp model pull` for it again, or do without"
        return IndexUnavailable(f"texts cannot be embedded ({why})", path=self._model.directory, cure=cure)


def _listen(stream: IO[bytes], said: list[str]) -> None:
    """Keep the last line that a worker writes to its standard error, and log all."""
    with stream:
        for line in stream:
            text = line.decode(errors="replace").strip()
            if text:
                log.debug("embedding: %s", text)
                said[:] = [text]
