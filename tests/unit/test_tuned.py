"""Claims about `bench tune` and what the server makes of it: the user's settings win, then it, then the defaults."""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError, ModelError
from goassist_lsp import cli, tuned
from goassist_lsp.cli import bench_engine, bench_tune
from goassist_lsp.cli.bench_tune import present, speed_of, tune, typed_keys_ms
from goassist_lsp.settings import MODEL_VARIABLE, Options, Settings, resolve
from goassist_lsp.tuned import Speed, best, budgets, kept, sentence
from goassist_models import registry
from goassist_models.engine.fake import FakeEngine
from goassist_models.engine.llama import LlamaSettings
from goassist_models.engine.threads import choice_key, keep_choice, kept_choices, usable_cores
from goassist_models.registry import ModelFile
from support import tiny_gguf

SMALL = Speed("small", 500, 1, 300.0, 20.0, 35.0)
LARGE = Speed("large", 1500, 2, 100.0, 50.0, 90.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(folder))
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    return folder


@pytest.fixture
def both_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "resolve", lambda name=None: ModelFile(str(name), tmp_path / "m.gguf", None))


def settled(options: Options | None = None, **environ: str) -> Settings:
    options = options or Options()
    return resolve(options.over(kept(options, environ)), environ)[0]


def test_the_largest_model_that_says_a_line_in_time_is_best() -> None:
    assert best([SMALL, LARGE]) is SMALL
    quick = Speed("large", 1500, 2, 400.0, 15.0, 30.0)
    assert best([SMALL, quick]) is quick
    assert best([LARGE, Speed("huge", 9000, 2, 50.0, 200.0, 300.0)]) is LARGE


@pytest.mark.parametrize(
    ("read_tokens_per_s", "token_ms", "expected"),
    [
        (300.0, 20.0, (640, 48, 160)),
        (100.0, 50.0, (320, 30, 100)),
        (5000.0, 2.0, (2048, 48, 160)),
        (5.0, 900.0, (320, 16, 48)),
    ],
)
def test_budgets_are_what_is_read_and_said_in_time(
    read_tokens_per_s: float, token_ms: float, expected: tuple[int, int, int]
) -> None:
    found = budgets(Speed("m", 1, 1, read_tokens_per_s, token_ms, 30.0))
    assert (found["context_tokens"], found["max_tokens_line"], found["max_tokens_block"]) == expected


def test_without_a_measurement_the_defaults_hold() -> None:
    assert kept(Options(), {}) == Options()
    assert settled() == Settings()


def test_what_was_tuned_is_used_and_forgotten(both_there: None) -> None:
    assert tuned.keep([SMALL, LARGE])
    assert settled() == Settings(model="small")
    assert tuned.forget()
    assert settled() == Settings()


def test_a_model_that_the_user_names_has_its_own_budgets(both_there: None) -> None:
    tuned.keep([SMALL, LARGE])
    slow = Settings(model="large", context_tokens=320, max_tokens_line=30, max_tokens_block=100)
    assert settled(Options(model="large")) == slow
    assert settled(**{MODEL_VARIABLE: "large"}) == slow
    assert settled(Options(model="unmeasured")) == Settings(model="unmeasured")


def test_what_the_user_sets_wins(both_there: None) -> None:
    tuned.keep([LARGE])
    found = settled(Options(context_tokens=900, max_tokens_line=40))
    assert (found.model, found.context_tokens, found.max_tokens_line) == ("large", 900, 40)
    assert found.max_tokens_block == 100


def test_an_engine_elsewhere_is_not_tuned(both_there: None) -> None:
    tuned.keep([LARGE])
    options = Options(engine_url="http://127.0.0.1:1")
    assert settled(options) == Settings(engine_url="http://127.0.0.1:1")


def test_a_best_model_whose_file_is_gone_is_not_asked_for() -> None:
    tuned.keep([Speed("qwen2.5-coder-1.5b", 1500, 2, 400.0, 15.0, 30.0)])
    assert settled() == Settings()


@pytest.mark.parametrize(
    "broken",
    [
        7,
        [],
        {"best": "small"},
        {"best": 1, "models": {}},
        {"best": "small", "models": {"small": 3}},
        {"best": "small", "models": {"small": {"settings": {"context_tokens": "many"}}}},
    ],
)
def test_what_was_kept_and_makes_no_sense_is_left_alone(broken: object, both_there: None) -> None:
    keep_choice(tuned._key(), broken)
    assert settled() == Settings()


def test_numbers_of_threads_do_not_push_it_out(both_there: None) -> None:
    tuned.keep([SMALL])
    for number in range(40):
        keep_choice(f"m{number}", 2)
    assert settled().model == "small"
    assert "m39" in kept_choices() and "m7" not in kept_choices()


def test_the_user_is_told_in_one_sentence_what_to_expect() -> None:
    assert sentence([LARGE, SMALL]) == (
        "On this machine small answers a key in about 35 ms and has a line of 12 tokens after 255 ms with 1 thread and "
        "is used unless you set another; large answers a key in about 90 ms and has a line of 12 tokens after 640 ms."
    )


def arguments(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"json": True, "times": 1, **given})


def files(*names: str) -> list[ModelFile]:
    return [ModelFile(name, Path(f"{name}.gguf"), None) for name in names]


def test_each_model_is_measured_and_one_that_fails_left_out(
    capsys: pytest.CaptureFixture[str], both_there: None
) -> None:
    def measure(model: ModelFile) -> Speed:
        if model.name == "broken":
            raise ModelError("it cannot be loaded", path="broken.gguf")
        return SMALL if model.name == "small" else LARGE

    assert tune(arguments(), files("small", "broken", "large"), measure) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["best"], found["kept"], len(found["models"])) == ("small", True, 2)
    assert "it cannot be loaded" in said.err
    assert settled().model == "small"
    assert tune(arguments(json=False), files("large"), measure) == 0
    out = capsys.readouterr().out
    assert "On this machine large answers a key in about 90 ms" in out
    assert "context_tokens 320" in out


def test_where_none_can_be_measured_it_says_why() -> None:
    def measure(model: ModelFile) -> Speed:
        raise ModelError("it cannot be loaded")

    with pytest.raises(GoassistError, match="it cannot be loaded"):
        tune(arguments(), files("a", "b"), measure)


def test_what_cannot_be_kept_is_told(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cache / "threads.json").mkdir()
    assert tune(arguments(), files("small"), lambda model: SMALL) == 1
    assert json.loads(capsys.readouterr().out)["kept"] is False


def test_models_that_are_there_are_found_once_and_the_lack_of_any_told(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="has not been downloaded"):
        present()
    entry = registry.default_entry()
    entry.path.parent.mkdir(parents=True)
    with entry.path.open("wb") as file:
        file.truncate(entry.size_bytes)
    assert [model.name for model in present()] == [entry.name]


async def test_a_key_is_timed_from_the_prompt_that_lacks_it() -> None:
    engine = FakeEngine(["word"])
    took_ms = await typed_keys_ms(engine)
    asked = [request.prompt.prefix for request in engine.requests]
    assert len(took_ms) == len(asked) - 1
    assert all(after[:-1] == before for before, after in itertools.pairwise(asked))


def test_the_command_forgets(both_there: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tuned.keep([SMALL])
    monkeypatch.setattr(bench_tune, "present", lambda: 1 / 0)
    assert cli.main(["bench", "tune", "--forget"]) == 0
    assert settled() == Settings()


async def test_a_real_model_is_measured_with_the_threads_that_are_kept_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_gguf.write_random_model(tmp_path / "random.gguf")
    monkeypatch.setattr(bench_engine, "FEWEST_GENERATED", 0)
    monkeypatch.setattr(bench_tune, "llama_settings", lambda settings: LlamaSettings(n_ctx=1024, preflight=False))
    keep_choice(choice_key(path, usable_cores()), 99)
    speed = await speed_of(ModelFile("random", path, None), 1)
    assert speed.model == str(path)
    assert speed.read_tokens_per_s > 0 and speed.token_ms > 0 and speed.key_ms > 0
    assert 1 <= speed.threads <= usable_cores()
    assert kept_choices().get(choice_key(path, usable_cores()), 1) != 99
