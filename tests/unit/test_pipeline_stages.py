"""Claims about stages that evaluation switches off: only that stage is missing, and the rest goes on."""

from __future__ import annotations

from collections.abc import Sequence

from goassist_index.verdict import ImportSpec
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.cli.eval.ours import RAW, Unhealed, as_answer
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.stages import Stages
from goassist_lsp.types import Completion
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from goassist_models.evaluate.example import Edit
from support.places import CURSOR, snapshot

LINE = "package p\n\nfunc f(n int) int {\n\tx := <CURSOR>\n\treturn n\n}\n"
BLOCK = "package p\n\nfunc f(n int) int {\n\tn++\n\t<CURSOR>\n\treturn n\n}\n"


IMPORTABLE = {"zeta": ImportSpec("", "example.com/zeta"), "beta": ImportSpec("b", "example.com/beta")}


async def complete(
    said: Sequence[str], marked: str, stages: Stages, settings: Settings | None = None
) -> tuple[Completion, FakeEngine]:
    before, after = marked.split(CURSOR)
    engine = FakeEngine(said)
    made = CompletionPipeline(engine, FakeChecker("broken", importable=IMPORTABLE), settings or Settings(), stages)
    return await made.complete(snapshot(before + after), len(before), CancelToken()), engine


def texts(completion: Completion) -> list[str]:
    return [candidate.insert_text for candidate in completion.candidates]


async def test_without_trimming_a_text_runs_on_past_the_hole() -> None:
    completion, engine = await complete(["a + b\n\tother()"], LINE, Stages(trim=False))
    assert texts(completion) == ["a + b\n\tother()"]
    assert engine.requests[0].until is None


async def test_without_filters_the_text_is_what_the_model_said() -> None:
    completion, _ = await complete(["f(a  \n\t\t}\n"], LINE, Stages(trim=False, filters=False))
    assert texts(completion) == ["f(a  \n\t\t}\n"]


async def test_without_cut_back_a_failed_candidate_is_not_shortened() -> None:
    completion, engine = await complete(["alpha()\n\tbroken()\n"], BLOCK, Stages(cut_back=False))
    assert texts(completion) == []
    assert len(engine.requests) == 2


async def test_without_second_draw_the_first_failure_is_the_last_word() -> None:
    completion, engine = await complete(["broken", "alpha"], LINE, Stages(second_draw=False))
    assert texts(completion) == []
    assert len(engine.requests) == 1


async def test_the_raw_model_shows_whatever_it_says_in_one_draw() -> None:
    completion, engine = await complete(["broken\n}\n"], LINE, RAW.stages, Settings(**RAW.settings))
    assert texts(completion) == ["broken\n}\n"]
    assert [request.prompt.form.name for request in engine.requests] == ["psm"]


async def test_the_unhealed_engine_changes_the_form_and_nothing_else() -> None:
    engine = FakeEngine(["a"])
    before, after = LINE.split(CURSOR)
    made = CompletionPipeline(Unhealed(engine), FakeChecker(), Settings())
    completion = await made.complete(snapshot(before + after), len(before), CancelToken())
    assert texts(completion) == ["a"]
    assert not engine.requests[0].prompt.form.healed
    assert engine.requests[0].prompt.form.name == "joined"


async def test_an_answer_says_what_was_shown_or_why_there_was_nothing() -> None:
    shown, _ = await complete(["alpha"], LINE, Stages())
    answer = as_answer(shown, 5.0, 0.5)
    offset = LINE.index(CURSOR)
    assert (answer.edits, answer.silent_because) == ((Edit(offset, offset, "alpha"),), "")
    silent, _ = await complete(["broken"], LINE, Stages(second_draw=False))
    answer = as_answer(silent, 5.0, 0.5)
    assert (answer.edits, answer.silent_because) == ((), "check: undefined: broken")


async def test_what_lacks_an_import_brings_it_along() -> None:
    completion, _ = await complete(["zeta.A(beta.B)"], LINE, Stages())
    (shown,) = completion.candidates
    assert [(edit.start, edit.end) for edit in shown.import_edits] == [(len("package p"), len("package p"))]
    assert shown.import_edits[0].text == '\n\nimport (\n\tb "example.com/beta"\n\t"example.com/zeta"\n)'
    answer = as_answer(completion, 5.0, 0.1)
    assert [edit.text for edit in answer.edits] == ["zeta.A(beta.B)", shown.import_edits[0].text]


async def test_a_shorter_version_brings_only_what_it_uses_itself() -> None:
    completion, _ = await complete(["zeta.A()\n\tbeta.B(broken)"], BLOCK, Stages())
    (shown,) = completion.candidates
    assert (shown.insert_text, [edit.text for edit in shown.import_edits]) == (
        "zeta.A()",
        ['\n\nimport "example.com/zeta"'],
    )


async def test_without_imports_what_lacks_one_is_dropped() -> None:
    completion, _ = await complete(["zeta.A()"], LINE, Stages(imports=False))
    assert texts(completion) == []
    assert completion.rejected[0].reason == "undefined: zeta"


async def test_a_file_head_that_takes_no_import_drops_the_candidate_with_the_reason() -> None:
    completion, _ = await complete(["zeta.A()", "n"], LINE.replace("package p\n", "package p; var v int\n"), Stages())
    assert texts(completion) == ["n"]
    assert [(rejected.text, rejected.stage) for rejected in completion.rejected] == [("zeta.A()", "imports")]
    assert "shares its line" in completion.rejected[0].reason
