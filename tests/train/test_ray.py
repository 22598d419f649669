"""A Ray cluster writes the bytes that one process writes, also when a node is lost in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from goassist_index.errors import GoassistError
from goassist_models.data.collect import collect, tasks
from goassist_models.data.dedup import sign
from goassist_models.data.shards import Workers, digest_of, run_stage
from support.slow_shards import failing_at_three, slowly

NODE = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
SHARDS = {f"{n:02}.jsonl": str(n) for n in range(20)}


@pytest.fixture
def cluster() -> Iterator[tuple[Cluster, Any]]:
    """A head and one more node, each its own processes on this machine."""
    made, other = begun()
    yield made, other
    ray.shutdown()
    made.shutdown()


def begun() -> tuple[Cluster, Any]:
    """Ray gives a node half a minute to register, which a busy machine may exceed; then it is tried again."""
    for left in reversed(range(4)):
        made = Cluster()
        try:
            made.add_node(**NODE)
            return made, made.add_node(num_cpus=1, object_store_memory=100_000_000)
        except Exception:  # Ray raises just that when a node has not registered
            made.shutdown()
            if not left:
                raise
    raise AssertionError


def test_two_nodes_write_what_one_process_writes(cluster: tuple[Cluster, Any], tmp_path: Path) -> None:
    sources = tasks(["std/container", "std/mime", "std/html", "std/text", "std/sort", "std/path"])
    with pytest.raises(GoassistError, match=r"it is the third.*Leave it out"):
        run_stage(SHARDS, tmp_path / "failing", failing_at_three, Workers(ray=cluster[0].address))
    assert len(list((tmp_path / "failing").glob("*.jsonl"))) == len(SHARDS) - 1
    digests = []
    for name, workers in (("one", Workers()), ("two", Workers(ray=cluster[0].address))):
        counts = run_stage(sources, tmp_path / name / "collect", collect, workers)
        shards = {key: str(tmp_path / name / "collect" / key) for key in sources}
        run_stage(shards, tmp_path / name / "signatures", sign, workers)
        digests.append((digest_of(tmp_path / name / "collect"), digest_of(tmp_path / name / "signatures"), counts))
    assert len(ray.nodes()) == 2
    assert digests[0] == digests[1]


def test_a_node_that_is_killed_costs_its_shard_alone(cluster: tuple[Cluster, Any], tmp_path: Path) -> None:
    made, other = cluster
    run_stage(SHARDS, tmp_path / "one", slowly, Workers())

    def kill() -> None:
        while len(list((tmp_path / "ray").glob("*.jsonl"))) < 3:
            time.sleep(0.05)
        made.remove_node(other, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    run_stage(SHARDS, tmp_path / "ray", slowly, Workers(ray=made.address))
    killer.join()
    while sum(node["Alive"] for node in ray.nodes()) != 1:  # it is dead; Ray looks every few seconds
        time.sleep(0.5)
    assert digest_of(tmp_path / "ray") == digest_of(tmp_path / "one")
    assert not list((tmp_path / "ray").glob(".*"))
