"""`bench serve` against a server with a scripted engine: what is counted is what was answered."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from goassist_index.errors import GoassistError
from goassist_lsp import cli
from goassist_lsp.cli import bench_serve
from goassist_lsp.cli.bench_serve import CHECKED, OURS, PEER
from goassist_lsp.cli.bench_serve_load import Tally, Target, loaded, served
from support import tiny_gguf
from support.serving import SCRIPTED

# The first is answered; the second's model fails; the third does not type-check.
SAID = '{"say": ["return a + b"]}'
FAILS = '{"fail": "gone"}'
WRONG = '{"say": ["return nowhere"]}'


def prompts(*directions: str) -> Iterator[tuple[str, str]]:
    """These in turn; whoever asks on after the last has to stop by the clock."""
    while True:
        for direction in directions:
            yield "package main\n\nfunc add(a, b int) int {\n\t", f"\n}}\n//fake {direction}\n"


async def test_answers_errors_and_verdicts_are_told_apart() -> None:
    async with served(list(SCRIPTED)) as (url, pid):
        target = Target(CHECKED, f"{url}/v1", (pid,), {"compile_check": True})
        tally = await loaded(target, 2, 1.0, prompts(SAID, FAILS, WRONG), 20)
    figures = tally.figures()
    assert 0 < tally.verified < figures["answers"]
    assert figures["errors"] > 0
    assert "status 502" in figures["first_error"]
    assert figures["tokens_per_s"] > 0
    assert 0 < figures["first_p50_ms"] <= figures["whole_p95_ms"]
    assert 0 < figures["memory_after_mib"] <= figures["memory_most_mib"]
    assert figures["cpu_s_per_100_tokens"] > 0
    assert len(tally.memory_mib) > 5


async def test_server_that_does_not_start_is_an_error() -> None:
    with pytest.raises(GoassistError, match="no such directory"):
        async with served([*SCRIPTED, "--workspace", "nowhere"]):
            pass


def test_ended_run_ends_the_server_that_it_started(tmp_path: Path) -> None:
    model = tiny_gguf.write_bigram_model(tmp_path / "endless.gguf", {"x": ["x"]})
    command = [sys.executable, "-m", "goassist_lsp.cli", "bench", "serve", "--no-llama-server", "--clients", "1"]
    run = subprocess.Popen([*command, "--model", str(model), "--out", str(tmp_path / "run")], stderr=subprocess.DEVNULL)
    started: list[psutil.Process] = []
    while run.poll() is None and not started:
        started = [child for child in psutil.Process(run.pid).children() if child.net_connections()]
        time.sleep(0.1)
    run.terminate()
    assert run.wait(60) == 130
    assert psutil.wait_procs(started, 60)[1] == []
    assert len(started) == 1


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def targets(args: argparse.Namespace, names: set[str], stack: AsyncExitStack) -> AsyncIterator[Target]:
        url, pid = await stack.enter_async_context(served([*SCRIPTED, "--queue", "64"]))
        yield Target(PEER, f"{url}/v1", (pid,), {})
        yield Target(OURS, f"{url}/v1", (pid,), {})
        yield Target(CHECKED, f"{url}/v1", (pid,), {"compile_check": True})

    monkeypatch.setattr(bench_serve, "_targets", targets)


@pytest.mark.usefixtures("scripted")
def test_run_goes_on_with_the_phases_that_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "serve", "--clients", "1,3", "--seconds", "0.3", "--out", str(tmp_path / "run")]
    picture = tmp_path / "load.png"
    assert cli.main([*arguments, "--phases", "2", "--json"]) == 1
    first = json.loads(capsys.readouterr().out)["clients"]
    assert [list(row) for row in first.values()] == [[PEER, OURS]]
    assert cli.main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["clients"]
    assert [list(row) for row in told.values()] == [[PEER, OURS, CHECKED]] * 2
    assert told["1"][OURS] == first["1"][OURS]
    assert cli.main([*arguments, "--plot", str(picture)]) == 0
    assert "of llama-server's" in capsys.readouterr().out
    assert picture.stat().st_size > 1000


def test_share_is_of_the_peer_at_the_same_number_of_clients(capsys: pytest.CaptureFixture[str]) -> None:
    ours = Tally(2.0, [10.0, 20.0], [30.0, 40.0], 50, cpu_s=1.0, memory_mib=[5.0, 6.0]).figures()
    peers = Tally(2.0, [10.0], [30.0], 100, memory_mib=[5.0]).figures()
    args = argparse.Namespace(json=False, plot=None, slots=4, seconds=2.0)
    bench_serve.report(args, {1: {PEER: peers, OURS: ours}})
    assert "50%" in capsys.readouterr().out
    assert (ours["tokens_per_s"], ours["first_p95_ms"], ours["cpu_s_per_100_tokens"]) == (25.0, 20.0, 2.0)
