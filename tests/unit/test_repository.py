"""Claims about goassist_lsp.generate.repository, and about the pipeline that shows snippets to the model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.generate import prompt, repository
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.stages import Stages
from goassist_lsp.types import Completion, Retrieved
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from goassist_models.infill import InfillPrompt, RepoFile
from support.places import CURSOR, snapshot
from support.snippets import FakeRetriever, snippet

ADD = snippet("Add", "// Add adds.\nfunc Add(a, b int) int {\n\treturn a + b\n}", path="sums/add.go")
PAIR = snippet("Pair", "type Pair struct {\n\tLeft, Right int\n}", kind="type", path="pair.go")
PACKAGE = snippet("sums", 'package sums // import "x/sums"', kind="package")
RETRIEVE = Stages(retrieve=True)
LINE = "package p\n\nfunc f(n int) int {\n\tx := <CURSOR>\n\treturn n\n}\n"


def found(*snippets: object) -> Retrieved:
    return Retrieved("module", "main.go", tuple(snippets))  # type: ignore[arg-type]


async def asked(
    marked: str, retriever: FakeRetriever, stages: Stages = RETRIEVE, settings: Settings | None = None
) -> tuple[Completion, InfillPrompt]:
    before, after = marked.split(CURSOR)
    engine = FakeEngine(["n + 1"])
    made = CompletionPipeline(engine, FakeChecker("broken"), settings or Settings(), stages, retriever)
    completion = await made.complete(snapshot(before + after), len(before), CancelToken())
    return completion, engine.requests[0].prompt


def test_the_best_stands_next_to_the_file_and_functions_are_shown_without_bodies() -> None:
    shown = repository.shown(found(ADD, PAIR, PACKAGE), 1000)
    assert shown is not None
    assert shown.files == (
        RepoFile("pair.go", "type Pair struct {\n\tLeft, Right int\n}"),
        RepoFile("sums/add.go", "// Add adds.\nfunc Add(a, b int) int"),
    )
    assert (shown.name, shown.path) == ("module", "main.go")
    assert repository.notes(shown) == ("from sums/add.go: func Add(a, b int) int", "from pair.go: type Pair struct {")


def test_what_does_not_fit_is_left_out_and_a_smaller_one_takes_its_place() -> None:
    large = snippet("Large", "type Large struct {\n" + "\tField int\n" * 100 + "}", kind="type")
    shown = repository.shown(found(large, ADD), 200)
    assert shown is not None
    assert [file.path for file in shown.files] == ["sums/add.go"]
    assert repository.shown(found(large), 200) is None
    assert repository.shown(None, 200) is None


@given(st.lists(st.sampled_from([ADD, PAIR, PACKAGE]), max_size=9), st.integers(0, 600))
def test_it_keeps_to_its_budget(snippets: list[object], budget_chars: int) -> None:
    shown = repository.shown(found(*snippets), budget_chars)
    assert shown is None or repository.size_chars(shown) <= budget_chars


async def test_snippets_stand_in_the_prompt_and_in_what_is_told_of_it() -> None:
    retriever = FakeRetriever([ADD])
    completion, shown = await asked(LINE, retriever)
    assert shown.repo is not None
    assert [file.path for file in shown.repo.files] == ["sums/add.go"]
    assert completion.prompt_notes == ("from sums/add.go: func Add(a, b int) int",)
    assert "retrieve" in [timing.stage for timing in completion.timings]
    assert retriever.known == [shown.prefix + shown.suffix]


async def test_without_the_stage_nobody_is_asked() -> None:
    retriever = FakeRetriever([ADD])
    completion, shown = await asked(LINE, retriever, Stages())
    assert (shown.repo, retriever.known, completion.prompt_notes) == (None, [], ())


async def test_an_index_that_fails_is_done_without() -> None:
    completion, shown = await asked(LINE, FakeRetriever(None))
    assert shown.repo is None
    assert completion.degraded == ("retrieve",)
    assert [candidate.insert_text for candidate in completion.candidates] == ["n + 1"]


async def test_snippets_and_windows_share_the_budget_and_typing_only_appends() -> None:
    filler = "".join(f"var v{n} = {n}\n" for n in range(400))
    begun = f"package p\n\n{filler}\nfunc f(n int) int {{\n\tx := <CURSOR>\n\treturn n\n}}\n"
    settings = Settings(context_tokens=256)
    _, before = await asked(begun, FakeRetriever([ADD, PAIR]), settings=settings)
    _, after = await asked(begun.replace(CURSOR, f"n + {CURSOR}"), FakeRetriever([ADD, PAIR]), settings=settings)
    assert before.repo is not None
    spent = len(before.prefix) + len(before.suffix) + repository.size_chars(before.repo)
    assert spent <= 256 * prompt.CHARS_A_TOKEN + 2
    assert after.repo == before.repo
    assert after.suffix == before.suffix
    assert after.prefix == before.prefix + "n + "
