"""Claims about goassist_index.embed: texts go to a process of its own and come back as vectors, or as a clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from goassist_index.embed import EmbeddingModel, FakeEmbedder, WorkerEmbedder, plain
from goassist_index.errors import IndexUnavailable
from support.embedding import TINY, install

WAIT_S = 60.0
ASKING = """
import time
from goassist_index.embed import EmbeddingModel, WorkerEmbedder
embedder = WorkerEmbedder(EmbeddingModel("tiny", "/models/tiny", 3, 7, "ask: ", ""))
embedder.embed(["a"]).result()
print(embedder._worker.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "packages", monkeypatch)


@pytest.fixture
def embedder(packages: None) -> Iterator[WorkerEmbedder]:
    made = WorkerEmbedder(TINY)
    yield made
    made.close()


def workers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "goassist_index.embedworker" in child.cmdline()]


def test_vectors_come_in_the_order_of_their_texts(embedder: WorkerEmbedder) -> None:
    first, second = embedder.embed(["a", "bb"]), embedder.embed(["ccc"])
    assert second.result(WAIT_S)[:, 0].tolist() == [3]
    assert first.result(WAIT_S)[:, 0].tolist() == [1, 2]
    assert first.result().dtype == np.float32


def test_vectors_of_short_floats_are_of_length_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "packages", monkeypatch, short=True)
    embedder = WorkerEmbedder(TINY)
    vectors = embedder.embed(["a", "four"]).result(WAIT_S)
    embedder.close()
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert vectors[1, 0] > vectors[0, 0]


def test_a_query_has_the_words_before_it_that_the_model_wants(embedder: WorkerEmbedder) -> None:
    assert embedder.embed(["é"], query=True).result(WAIT_S)[0, :2].tolist() == [6, 1]
    assert embedder.embed(["é"]).result(WAIT_S)[0, :2].tolist() == [1, 0]


@pytest.mark.skipif(os.name != "posix", reason="priorities are numbers on POSIX only")
def test_the_model_runs_in_one_process_of_the_least_priority(embedder: WorkerEmbedder) -> None:
    assert workers() == []
    assert embedder.embed(["a"]).result(WAIT_S)[0, 2] == 19
    assert len(workers()) == 1
    embedder.close()
    assert workers() == []
    assert embedder.embed(["a"]).result(WAIT_S)[0, 0] == 1  # it is started again


def test_a_model_that_does_not_load_says_why_and_what_to_do(packages: None) -> None:
    embedder = WorkerEmbedder(EmbeddingModel("tiny", "/models/broken", 3, 7, "", ""))
    with pytest.raises(IndexUnavailable, match=r"/models/broken: .*no file named model\.safetensors.*\[embed\]"):
        embedder.embed(["a"]).result(WAIT_S)
    embedder.close()


def test_a_worker_that_ends_over_a_text_takes_nothing_else_along(embedder: WorkerEmbedder) -> None:
    with pytest.raises(IndexUnavailable, match="out of memory"):
        embedder.embed(["exit"]).result(WAIT_S)
    assert embedder.embed(["a"]).result(WAIT_S)[0, 0] == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_the_model_ends_with_the_process_that_asks_it(packages: None) -> None:
    with subprocess.Popen([sys.executable, "-c", ASKING], stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        worker = psutil.Process(int(asking.stdout.readline()))
        assert worker.is_running()
        asking.kill()
    worker.wait(WAIT_S)


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    embedder = WorkerEmbedder(EmbeddingModel("tiny", "/models/tiny", 3, 7, "", ""))
    with pytest.raises(IndexUnavailable, match=r"No module named torch.*Install goassist-lsp\[embed\]"):
        embedder.embed(["a"]).result(WAIT_S)
    embedder.close()


def test_the_fake_has_texts_that_share_words_near_each_other() -> None:
    fake = FakeEmbedder()
    vectors = fake.embed(["apply a discount", "applyDiscount(10)", "read a file"]).result()
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert fake.asked == 3


def test_names_are_taken_apart_for_models_of_prose() -> None:
    assert plain("func applyDiscount_v2(HTTPServer)") == "func apply Discount v2(HTTPServer)"
