"""Claims about `eval history`: the loop over systems and trees, what is recommended, and what is printed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_index.errors import ConfigError, GoassistError, ModelError
from goassist_lsp import cli
from goassist_lsp.cli.eval import history as task
from goassist_lsp.cli.eval import ours
from goassist_lsp.cli.eval.advice import Advice, Cell, advise, answered
from goassist_lsp.settings import Settings
from goassist_models import registry
from goassist_models.evaluate.example import Answer, Case, Edit, Example, Question, Scores, System
from goassist_models.evaluate.history import History, history_cases
from goassist_models.evaluate.runs import Run
from support.oracle import failing, oracle, silent
from support.repository import ADDED, MAIN, commit, started

CELLS = task.grid(["small", "large"])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three commits of one function each, the second with two."""
    root = started(tmp_path_factory.mktemp("history"))
    text = MAIN
    for names in (("Aa",), ("Bb", "Cc"), ("Dd",)):
        text += "".join(ADDED.replace("Longest", name) for name in names)
        commit(root, " ".join(names), {"main.go": text})
    return root


@pytest.fixture(scope="module")
def found(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> History:
    return history_cases(repository, tmp_path_factory.mktemp("scratch"), 4, 1)


async def asked(found: History, tmp_path: Path, systems: Sequence[System]) -> tuple[Run, list[Path]]:
    the_run = task.noted(Run.open(tmp_path / "run", "history", {"limit": 4}), found, CELLS)
    left: list[Path] = []

    async def leave(root: Path) -> None:
        assert root.is_dir()
        left.append(root)

    (tmp_path / "scratch").mkdir(exist_ok=True)
    await task.measure(the_run, found, systems, tmp_path / "scratch", leave)
    assert list((tmp_path / "scratch").iterdir()) == []
    return Run.read(the_run.directory), left


async def test_the_truth_is_right_and_compiles_in_every_tree(found: History, tmp_path: Path) -> None:
    cases = [one.case for one in found.cases]
    run, left = await asked(found, tmp_path, [oracle(cases), silent("no idea")])
    examples = run.examples("oracle")
    assert [e.case for e in examples] == cases
    assert all(e.scores and e.scores.exact and e.scores.compiles for e in examples)
    assert [e.scores and e.scores.shown for e in run.examples("silent")] == [False] * 4
    assert len(left) == 3  # one tree a commit here


async def test_a_run_goes_on_where_it_stood_and_asks_failures_again(found: History, tmp_path: Path) -> None:
    cases = [one.case for one in found.cases]
    run, _ = await asked(found, tmp_path, [failing(cases, {cases[1].key}, name="s")])
    assert len(run.examples("s")) == 4
    assert len(answered(run, "s")) == 3
    questions: list[Question] = []
    right = oracle(cases)

    async def ask(question: Question) -> Answer:
        questions.append(question)
        return await right.ask(question)

    run, left = await asked(found, tmp_path, [System("s", ask)])
    assert len(questions) == len(left) == 1
    assert len(answered(run, "s")) == len(run.examples("s")) == 4


async def test_a_system_that_always_fails_is_given_up_and_the_others_go_on(
    found: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "_GIVE_UP_AFTER", 2)
    cases = [one.case for one in found.cases]
    run, _ = await asked(found, tmp_path, [failing(cases, {case.key for case in cases}), oracle(cases)])
    assert len(run.examples("failing")) == 2
    assert "broke down" in run.header["given_up"]["failing"]
    assert len(run.examples("oracle")) == 4


def test_the_grid_begins_with_the_defaults_and_has_four_cells_a_model() -> None:
    settings = Settings()
    assert (CELLS[0].model, CELLS[0].context_tokens, CELLS[0].check_types) == ("small", settings.context_tokens, True)
    assert [(c.context_tokens, c.check_types) for c in CELLS[:4]] == [
        (640, True),
        (384, True),
        (1024, True),
        (640, False),
    ]
    assert [c.model for c in CELLS] == ["small"] * 4 + ["large"] * 4
    with pytest.raises(ConfigError, match="same name"):
        task.grid(["same", "same"])


def made(cell: Cell, right: Sequence[bool], ms: float = 1000.0) -> dict[str, Example]:
    """Examples at as many places: right ones show the truth, others a wrong line."""
    examples = {}
    for number, is_right in enumerate(right):
        case = replace(CASE_OF_ADVICE, start=number, module=f"m@{number}")
        scores = Scores(
            True, case.truth if is_right else "wrong", True, True, first_line_exact=is_right, exact=is_right
        )
        examples[case.key] = Example(case, cell.name, Answer((Edit(0, 0, scores.inserted),), ms), scores)
    return examples


CASE_OF_ADVICE = Case("m", "a.go", "line", "rest of line", "F", True, 0, 30, 0, 40, "strings.TrimSpace(first)")
HALF = [n % 2 == 0 for n in range(40)]


def advised(**better: Sequence[bool]) -> Advice:
    """Advice when all cells are right at the same half of the places, but for those named by their numbers."""
    return advise(CELLS, {c.name: made(c, better.get(f"cell{n}", HALF)) for n, c in enumerate(CELLS)})


def test_what_is_clearly_better_is_named_with_its_settings() -> None:
    most, more = [True] * 40, [n % 4 > 0 for n in range(39)] + [True]
    advice = advised(cell6=most, cell5=[*more[:38], True, True])
    assert advice.cell == CELLS[6].name == "large, 1024 tokens"
    told = " ".join(advice.sentences)
    assert 'Use goassist.model = "large", goassist.contextTokens = 1024, goassist.checkTypes = true: +' in told
    assert advice.differences[CELLS[6].name].verdict == "better"
    assert "within noise" not in told


def test_equal_systems_are_within_noise_and_the_defaults_stay() -> None:
    advice = advised()
    assert advice.cell == CELLS[0].name
    assert any("within noise: stay with the defaults" in sentence for sentence in advice.sentences)
    assert all(told.verdict == "within noise" for told in advice.differences.values())


def test_what_is_a_little_better_by_chance_is_not_recommended() -> None:
    advice = advised(cell4=[right or n in (1, 3, 5) for n, right in enumerate(HALF)])
    assert advice.cell == CELLS[0].name
    assert advice.differences[CELLS[4].name].mean > 0


def test_what_is_worse_is_named_and_the_defaults_stay() -> None:
    advice = advised(cell3=[False] * 40)
    assert advice.cell == CELLS[0].name
    assert any(s.startswith("Worse beyond noise: small, 640 tokens, no check;") for s in advice.sentences)


def test_few_places_recommend_nothing() -> None:
    few = {c.name: made(c, [n > 3] * 19) for n, c in enumerate(CELLS)}
    advice = advise(CELLS, few)
    assert advice.cell is None
    assert "too few to recommend" in advice.sentences[-1]


def test_without_the_defaults_nothing_is_compared() -> None:
    advice = advise(CELLS, {c.name: made(c, HALF) if n else {} for n, c in enumerate(CELLS)})
    assert advice.cell is None
    assert "could not be measured" in advice.sentences[0]


def test_much_quicker_answers_that_are_no_worse_are_worth_a_word() -> None:
    found = {c.name: made(c, HALF, ms=400.0 if n == 1 else 1000.0) for n, c in enumerate(CELLS)}
    told = advise(CELLS, found).sentences[-1]
    assert told.startswith("Quicker") and "small, 384 tokens (400 ms" in told


class FakeModels:
    """In place of OwnModels: the larger model says the truth, the smaller one nothing."""

    def __init__(self) -> None:
        self.closed = False

    async def system(self, variant: ours.Variant, model: str, name: str, *, cold: bool = True) -> System:
        return replace(oracle(CASES) if model == "large.gguf" else silent("no idea"), name=name)

    async def leave(self, root: Path) -> None:
        """Nothing is held."""

    async def close(self) -> None:
        self.closed = True


CASES: list[Case] = []


@pytest.fixture
def faked(found: History, monkeypatch: pytest.MonkeyPatch) -> None:
    CASES[:] = [one.case for one in found.cases]
    monkeypatch.setattr(ours, "OwnModels", FakeModels)
    models = [registry.ModelFile(name, Path(f"{name}.gguf"), None) for name in ("small", "large")]
    monkeypatch.setattr(task, "chosen_models", lambda named: models)


def test_the_command_prints_what_was_measured(
    faked: None, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["eval", "history", str(repository), "--limit", "4", "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 0
    told = capsys.readouterr().out
    assert "4 places in 3 commits" in told
    assert "4 places are too few" in told
    assert cli.main([*arguments, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["cases"], value["recommended"]) == (4, None)
    assert value["systems"]["large, 384 tokens"]["first_line_right"] == 1.0
    assert value["systems"]["small, 384 tokens"]["keys_saved_a_place"]["value"] == 0.0
    assert value["against_defaults"]["large, 640 tokens"]["mean"] > 0


def test_another_head_is_another_run(faked: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = started(tmp_path)
    commit(root, "one", {"main.go": MAIN + ADDED})
    arguments = ["eval", "history", str(root), "--out", str(tmp_path / "run")]
    CASES[:] = [one.case for one in history_cases(root, tmp_path / "run2", 40, 1).cases]
    assert cli.main(arguments) == 0
    commit(root, "two", {"main.go": MAIN})
    assert cli.main(arguments) == cli.EXIT_UNUSABLE
    assert "other arguments" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "value"), [("--limit", "0"), ("--commits", "-1")])
def test_numbers_that_ask_for_nothing_are_named(
    flag: str, value: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", "history", str(repository), flag, value]) == cli.EXIT_UNUSABLE
    assert f"{flag} was given {value}" in capsys.readouterr().err


def test_without_a_model_the_cure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(registry.ENVIRONMENT_NAME, raising=False)
    with pytest.raises(ModelError, match="model pull"):
        task.chosen_models(None)
    with pytest.raises(GoassistError, match="no model 'absent'"):
        task.chosen_models(["absent"])


def test_all_models_that_are_there_are_asked_the_default_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(registry.ENVIRONMENT_NAME, raising=False)
    registry.models_dir().mkdir(parents=True)
    names = [entry.name for entry in registry.entries()]
    for entry in registry.entries()[::-1]:
        with entry.path.open("wb") as file:
            file.truncate(entry.size_bytes)
    default = registry.default_entry().name
    assert [model.name for model in task.chosen_models(None)] == [default, *(n for n in names if n != default)]
    registry.default_entry().path.unlink()
    assert [model.name for model in task.chosen_models(None)] == [n for n in names if n != default]
