"""Claims about `bench engine`: what is asked of each side, which rates come of it, and what is said without a peer."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_lsp import cli
from goassist_lsp.cli import bench_engine
from goassist_lsp.cli.bench_engine import Rates, bench, cancelled, measured, prompt_of
from goassist_models import registry
from goassist_models.engine import CancelToken, GenerateRequest, Generation
from goassist_models.engine.fake import FakeEngine
from goassist_models.engine.llama import LlamaEngine
from goassist_models.evaluate.peers import llama_cpp

LONG = "word " * 100


class TimedEngine(FakeEngine):
    """Reads a token in 2 ms and says one in 20 ms; its prompt's decode gives the first."""

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        (said,) = await super().generate(request, cancel)
        decodes = max(0, said.tokens - (said.finish_reason != "eos"))
        timings = replace(said.timings, read_ms=2.0 * said.timings.read_tokens, generate_ms=20.0 * decodes)
        return (replace(said, timings=timings),)


async def test_reading_and_generation_are_rated_by_the_engines_own_times() -> None:
    engine = TimedEngine([LONG])
    assert await measured(engine, 1) == Rates(pytest.approx(500.0), pytest.approx(50.0))
    read, said = engine.requests
    assert (read.max_tokens, said.max_tokens, said.temperature) == (0, 65, 0.0)


async def test_a_text_that_ends_early_counts_the_decode_of_its_end() -> None:
    assert (await measured(TimedEngine(["word " * 15]), 1)).generate == pytest.approx(50.0)


async def test_a_model_that_ends_at_once_is_an_error() -> None:
    with pytest.raises(GoassistError, match="ends its text after 2 tokens"):
        await measured(TimedEngine(["word "]), 1)


def test_prompts_have_the_size_and_differ_from_their_head_on() -> None:
    engine = FakeEngine()
    first, second = (prompt_of(engine, 512, number) for number in (0, 1))
    assert 500 <= engine.count_tokens(first.prefix) <= 509
    assert first.prefix[0] != second.prefix[0]
    assert "package " in first.prefix


class Reading(FakeEngine):
    """Reads until it is told to stop, but for every second prompt, which it knows."""

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        self.requests.append(request)
        while len(self.requests) % 2 and not cancel.cancelled:
            await asyncio.sleep(0)
        return (Generation("", "cancelled"),)


async def test_only_reads_that_a_cancel_ended_are_timed() -> None:
    engine = Reading()
    took_ms = await cancelled(engine, 6, [Rates(1e6, 1.0)])
    assert len(took_ms) == 3
    assert all(ms >= 0 for ms in took_ms)
    assert len({request.prompt.prefix for request in engine.requests}) == 6
    assert {request.max_tokens for request in engine.requests} == {0}


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "llama-bench"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


ANSWERS = """
import json, os, sys
assert sys.argv[1:] == "-m m.gguf -p 512 -n 64 -t 2 -r 1 -o json".split(), sys.argv
assert os.environ["OMP_WAIT_POLICY"] == "passive"
rows = [{"n_prompt": 512, "n_gen": 0, "avg_ts": 200.5}, {"n_prompt": 0, "n_gen": 64, "avg_ts": 30.25}]
print(json.dumps(rows))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a script with #! is no program on Windows")
class TestLlamaBench:
    def test_is_asked_for_the_same_and_read(self, tmp_path: Path) -> None:
        assert bench(script(tmp_path, ANSWERS), Path("m.gguf"), 2) == Rates(200.5, 30.25)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("import sys; sys.exit('no such model')", "status 1: no such model"),
            ("print('rates: many')", "does not say what was measured"),
            ("print('[]')", "does not say what was measured"),
        ],
    )
    def test_a_failure_names_the_program(self, text: str, why: str, tmp_path: Path) -> None:
        path = script(tmp_path, text)
        with pytest.raises(GoassistError, match=why) as caught:
            bench(path, Path("m.gguf"), 2)
        assert caught.value.path == str(path)

    def test_one_that_cannot_be_run_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(GoassistError, match="cannot be run"):
            bench(tmp_path / "absent", Path("m.gguf"), 2)


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Our engine is the timed one, and the model a file that nobody reads."""

    async def load(path: Path, settings: object) -> TimedEngine:
        return TimedEngine([LONG])

    monkeypatch.setattr(bench_engine, "resolve_model", lambda name: registry.ModelFile("m", tmp_path / "m.gguf", None))
    monkeypatch.setattr(LlamaEngine, "load", load)


def run(*words: str) -> int:
    return cli.main(["bench", "engine", "--times", "2", "--threads", "2", "--cancels", "2", *words])


def test_both_are_printed_with_their_ratio(
    ours: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(llama_cpp, "build", lambda name, report: Path(name))
    monkeypatch.setattr(bench_engine, "bench", lambda *_: Rates(1000.0, 40.0))
    assert run("--json") == 0
    figures = json.loads(capsys.readouterr().out)["tokens_per_s"]
    assert figures["prompt of 512 tokens"]["ratio"] == pytest.approx(0.5)
    assert figures["generation of 64 tokens"]["ratio"] == pytest.approx(1.25)
    assert figures["generation of 64 tokens"]["runs"]["llama-bench"] == [40.0, 40.0]
    assert run() == 0
    assert "1.25" in capsys.readouterr().out


def test_without_a_peer_ours_is_printed_alone_and_why(
    ours: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def no_build(name: str, report: object) -> Path:
        raise GoassistError("there is no compiler")

    monkeypatch.setattr(llama_cpp, "build", no_build)
    assert run("--plot", str(tmp_path / "plots" / "engine.svg")) == 1
    said = capsys.readouterr().out
    assert "500.0" in said
    assert "llama-bench was not measured: there is no compiler" in said
    assert (tmp_path / "plots" / "engine.svg").read_text().startswith("<?xml")


def test_a_picture_of_an_unknown_kind_is_refused_before_measuring(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--plot", "engine.bmp")
    assert "name a .png or .svg file" in capsys.readouterr().err
