"""`bench serve` against a server with a scripted engine: what is counted is what was answered."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

import pytest

from goassist_lsp.cli import bench_serve
from goassist_lsp.cli.bench_serve import CHECKED, OURS, Target, loaded, served
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
        target = Target(CHECKED, f"{url}/v1", pid, {"compile_check": True})
        tally = await loaded(target, 2, 1.0, prompts(SAID, FAILS, WRONG), 20)
    figures = tally.figures()
    assert 0 < tally.verified < figures["answers"]
    assert figures["errors"] > 0
    assert "status 502" in figures["first_error"]
    assert figures["tokens_per_s"] > 0
    assert 0 < figures["first_p50_ms"] <= figures["whole_p95_ms"]
    assert figures["memory_after_mib"] > 0


async def test_server_that_does_not_start_is_an_error() -> None:
    with pytest.raises(bench_serve.GoassistError, match="no such directory"):
        async with served([*SCRIPTED, "--workspace", "nowhere"]):
            pass


def test_json_has_every_run(capsys: pytest.CaptureFixture[str]) -> None:
    row = {OURS: bench_serve.Tally(2.0, [10.0, 20.0], [30.0, 40.0], 50).figures()}
    args = argparse.Namespace(json=True, plot=None, slots=4, seconds=2.0)
    bench_serve.report(args, {1: row})
    told = json.loads(capsys.readouterr().out)
    assert told["clients"]["1"][OURS]["tokens_per_s"] == 25.0
    assert told["clients"]["1"][OURS]["first_p95_ms"] == 20.0
    args.json = False
    bench_serve.report(args, {1: row})
    assert "25.0" in capsys.readouterr().out
