"""Claims about goassist_lsp.pipeline: the stages in their order, with a fake engine and checker."""

import asyncio
from collections.abc import Sequence

import pytest

from goassist_index.errors import CheckerUnavailable, ModelError
from goassist_index.typefacts import Wanted
from goassist_index.verdict import Diagnostic, LegalNames, Verdict
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.pipeline import SECOND_DRAW, CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.stages import Stages
from goassist_lsp.types import Checker, Completion, RefusedName
from goassist_lsp.verification import MOST_REPAIRS, REPAIR_BUDGET_TOKENS
from goassist_models.engine import CancelToken, GenerateRequest, Generation
from goassist_models.engine.fake import FakeEngine
from support.places import CURSOR, snapshot

FUNCTION = "package p\n\nfunc f(n int) int {\n%s\n\treturn n\n}\n"
LINE = FUNCTION % "\tx := <CURSOR>"
BLOCK = FUNCTION % "\tn++\n\t<CURSOR>"


def pipeline(
    said: Sequence[str] | Exception,
    checker: Checker | None = None,
    settings: Settings | None = None,
    stages: Stages | None = None,
) -> tuple[CompletionPipeline, FakeEngine]:
    engine = FakeEngine(said)
    return CompletionPipeline(engine, checker or FakeChecker(), settings or Settings(), stages), engine


async def ask(
    made: CompletionPipeline,
    marked: str,
    *,
    n: int | None = None,
    requested: bool = False,
    cancel: CancelToken | None = None,
) -> Completion:
    before, after = marked.split(CURSOR)
    return await made.complete(snapshot(before + after), len(before), cancel or CancelToken(), n=n, requested=requested)


def texts(completion: Completion) -> list[str]:
    return [candidate.insert_text for candidate in completion.candidates]


async def test_what_is_shown_went_through_post_processing_and_check() -> None:
    checker = FakeChecker()
    made, _ = pipeline(["a + b\n\tother()"], checker)
    completion = await ask(made, LINE)
    assert texts(completion) == checker.asked[:1] == ["a + b"]
    assert completion.candidates[0].verdict is not None
    assert completion.candidates[0].verdict.status == "ok"


async def test_a_skipped_request_asks_neither_engine_nor_checker() -> None:
    checker = FakeChecker()
    made, engine = pipeline(["a"], checker)
    completion = await ask(made, FUNCTION % "\t// <CURSOR>")
    assert completion.skip_reason == "cursor stands in a comment"
    assert (engine.requests, checker.asked) == ([], [])


async def test_who_asks_by_hand_where_one_is_shown_gets_the_others_too() -> None:
    made, engine = pipeline(["alpha", "beta", "gamma"], settings=Settings(candidates=3))
    assert texts(await ask(made, LINE, n=1)) == ["alpha"]
    assert texts(await ask(made, LINE, requested=True)) == ["alpha", "beta", "gamma"]
    assert texts(await ask(made, LINE, requested=True)) == ["alpha", "beta", "gamma"]
    assert len(engine.requests) == 2


async def test_a_failed_candidate_is_cut_back_to_what_passes() -> None:
    made, engine = pipeline(["alpha()\n\tbroken()\n"], FakeChecker(bad="broken"))
    completion = await ask(made, BLOCK)
    assert texts(completion) == ["alpha()"]
    assert completion.candidates[0].trail == ("cut back",)
    assert completion.rejected[0].reason == "undefined: broken"
    assert len(engine.requests) == 1


async def test_what_was_rejected_says_where_it_failed_and_how_it_was_mended() -> None:
    made, _ = pipeline(["alpha()\n\tbroken()\n"], FakeChecker(bad="broken"))
    (rejected,) = (await ask(made, BLOCK)).rejected
    assert rejected.at is not None
    assert (rejected.text[rejected.at :], rejected.mended) == ("broken()", "cut back")
    made, _ = pipeline(["broken"], FakeChecker(bad="broken"))
    assert [rejected.mended for rejected in (await ask(made, LINE)).rejected] == [""]


async def test_the_try_that_was_mended_is_told_from_those_that_were_given_up() -> None:
    async def told(again: list[str]) -> list[tuple[str, str]]:
        engine = FakeEngine(["alpha()\n\tbroken()\n"], again=again)
        completion = await ask(CompletionPipeline(engine, FakeChecker(bad="broken"), Settings()), BLOCK)
        return [(rejected.stage, rejected.mended) for rejected in completion.rejected]

    assert await told(["alpha()\n\tbeta()\n"]) == [("check", "repaired")]
    assert await told(["alpha()\n\tbroken(1)\n", "alpha()\n\tbeta()\n"]) == [("check", ""), ("repair", "repaired")]
    further = "alpha()\n\tbeta()\n\tbroken(1)\n"
    assert (await told([further] + ["broken()"] * 9))[:2] == [("check", ""), ("repair", "cut back")]


async def test_refused_names_and_their_tokens_are_told() -> None:
    class Tempted(FakeEngine):
        async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
            assert request.refuses is not None
            # The token loop runs in a thread of its own, while the pipeline's loop answers.
            assert await asyncio.to_thread(request.refuses, "n.", "Foo")
            return (Generation("n", "eos", 1, refused=2),)

    checker = FakeChecker(legal=LegalNames("member", frozenset({"Bar"})))
    completion = await ask(CompletionPipeline(Tempted(), checker, Settings()), LINE)
    assert completion.refused_tokens == 2
    assert completion.refused_names == (RefusedName("Foo", "x := n."),)


async def test_a_failed_candidate_is_said_otherwise_from_where_it_failed() -> None:
    engine = FakeEngine(["alpha(broken)"], again=["alpha(broken + 1)", "alpha(beta)"])
    completion = await ask(CompletionPipeline(engine, FakeChecker(bad="broken"), Settings()), LINE)
    assert texts(completion) == ["alpha(beta)"]
    assert completion.candidates[0].trail == ("repaired",)
    assert [rejected.stage for rejected in completion.rejected] == ["check", "repair"]
    first, second, third = engine.requests
    assert first.resume is None and second.resume is not None and third.resume is not None
    assert second.resume.generation.text == "alpha(broken)"
    assert second.resume.keep == third.resume.keep == 2  # behind "alpha" and "("
    assert second.resume.barred == third.resume.barred == {second.resume.generation.steps[2].token}
    assert second.temperature == 0.0


async def test_a_second_draw_is_told_what_the_place_asks_for() -> None:
    checker = FakeChecker(bad="broken", wanted=Wanted("string", "take(s string)"))
    made, engine = pipeline(["broken"], checker, stages=Stages(facts=True))
    completion = await ask(made, LINE)
    assert completion.prompt_notes == ("take(s string) // want string",)
    first, second = (request for request in engine.requests if request.resume is None)
    assert "want" not in first.prompt.noted_prefix
    assert "\t// take(s string) // want string\n" in second.prompt.noted_prefix
    assert (second.n, second.temperature) == (SECOND_DRAW, 0.0)
    made, engine = pipeline(["broken()\n"], checker, stages=Stages(facts=True))
    assert (await ask(made, BLOCK)).prompt_notes == ()
    assert all(request.prompt.note == "" for request in engine.requests)


async def test_what_has_the_wrong_type_is_said_otherwise_with_what_fits() -> None:
    class Typed(FakeChecker):
        def _verdict(self, insert: str, resolve_imports: bool) -> Verdict:
            if "near" in insert:
                return Verdict("ok")
            return Verdict("error", errors=(Diagnostic(1, 1, "cannot use a.far (type int) as string value", 5),))

    class Asking(FakeEngine):
        async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
            assert request.refuses is not None
            held.append(await asyncio.to_thread(request.refuses, "take(a.", "next"))
            return await super().generate(request, cancel)

    held: list[bool] = []
    legal = LegalNames("member", frozenset({"far", "near", "next"}), fits=frozenset({"near"}))
    engine = Asking(["take(a.far)"], again=["take(a.near)"])
    completion = await ask(CompletionPipeline(engine, Typed(legal=legal), Settings()), LINE)
    assert texts(completion) == ["take(a.near)"]
    assert held == [False, True]
    resume = engine.requests[1].resume
    assert resume is not None and resume.generation.text[: resume.generation.steps[resume.keep - 1].end] == "take(a."


async def test_repairs_end_at_their_number_and_then_it_is_cut_back() -> None:
    engine = FakeEngine(["alpha()\n\tbroken()\n"], again=[f"alpha()\n\tbroken({number})\n" for number in range(9)])
    completion = await ask(CompletionPipeline(engine, FakeChecker(bad="broken"), Settings()), BLOCK)
    assert texts(completion) == ["alpha()"]
    assert completion.candidates[0].trail == ("cut back",)
    assert len(engine.requests) == 1 + MOST_REPAIRS


async def test_no_repair_is_begun_when_others_have_said_much() -> None:
    long = " + ".join(f"alpha{number}" for number in range(REPAIR_BUDGET_TOKENS))
    engine = FakeEngine(["broken"], again=[f"broken + {long}", "alpha", "alpha"])
    completion = await ask(
        CompletionPipeline(engine, FakeChecker(bad="broken"), Settings(), Stages(second_draw=False)), LINE
    )
    assert [request.resume is not None for request in engine.requests] == [False, True]
    assert completion.candidates == ()


async def test_what_a_repair_said_right_is_kept_when_it_is_cut_back() -> None:
    engine = FakeEngine(["alpha()\n\tbroken()\n"], again=["alpha()\n\tbeta()\n\tbroken()\n"])
    completion = await ask(CompletionPipeline(engine, FakeChecker(bad="broken"), Settings()), BLOCK)
    assert texts(completion) == ["alpha()\n\tbeta()"]
    assert completion.candidates[0].trail == ("cut back",)


async def test_a_fix_comes_before_a_repair() -> None:
    class Strict(FakeChecker):
        def _verdict(self, insert: str, resolve_imports: bool) -> Verdict:
            if ":=" not in insert:
                return Verdict("ok")
            at = len(insert[: insert.index(":=")].encode())
            return Verdict("error", errors=(Diagnostic(1, 1, "no new variables on left side of :=", at),))

    engine = FakeEngine(["n := 2"], again=["n + 2"])
    completion = await ask(CompletionPipeline(engine, Strict(), Settings()), BLOCK)
    assert texts(completion) == ["n = 2"]
    assert completion.candidates[0].trail == ("fixed",)
    assert len(engine.requests) == 1


async def test_others_are_drawn_when_nothing_of_the_first_can_be_shown() -> None:
    made, engine = pipeline(["broken", "alpha"], FakeChecker(bad="broken"))
    assert texts(await ask(made, LINE)) == ["alpha"]
    assert [request.n for request in engine.requests] == [1, SECOND_DRAW]
    assert engine.requests[1].temperature > 0


async def test_nothing_is_shown_when_nothing_passes() -> None:
    made, _ = pipeline(["broken"], FakeChecker(bad="broken"))
    completion = await ask(made, LINE)
    assert completion.candidates == ()
    assert [(rejected.stage, rejected.reason) for rejected in completion.rejected] == [("check", "undefined: broken")]


async def test_without_a_checker_it_stays_silent_and_says_so() -> None:
    made, _ = pipeline(["alpha"], FakeChecker(error=CheckerUnavailable("no Go toolchain")))
    completion = await ask(made, LINE)
    assert completion.candidates == ()
    assert completion.degraded == ("check",)


async def test_unchecked_text_is_shown_where_the_user_switched_the_check_off() -> None:
    made, _ = pipeline(["broken"], FakeChecker(bad="broken"), Settings(check_types=False))
    assert texts(await ask(made, LINE)) == ["broken"]


async def test_what_was_typed_through_is_checked_again_and_not_generated_again() -> None:
    checker = FakeChecker()
    made, engine = pipeline(["alpha + beta"], checker)
    await ask(made, LINE)
    assert texts(await ask(made, FUNCTION % "\tx := alpha<CURSOR>")) == [" + beta"]
    assert len(engine.requests) == 1
    assert checker.asked == ["alpha + beta", "alpha", " + beta"]


async def test_a_cancelled_request_shows_nothing() -> None:
    cancel = CancelToken()
    cancel.cancel()
    made, engine = pipeline(["alpha"])
    completion = await ask(made, LINE, cancel=cancel)
    assert completion.cancelled and completion.candidates == ()
    assert engine.requests == []


async def test_an_engine_that_breaks_down_is_not_hidden() -> None:
    made, _ = pipeline(ModelError("out of memory"))
    with pytest.raises(ModelError, match="out of memory"):
        await ask(made, LINE)


async def test_the_same_text_is_checked_and_shown_once() -> None:
    checker = FakeChecker()
    made, _ = pipeline(["alpha", "alpha\n\tbeta()", "gamma"], checker)
    assert texts(await ask(made, LINE, n=3)) == ["alpha", "gamma"]
    assert checker.asked == ["alpha", "gamma"]  # of one word each: no part of them is asked about


async def test_blocks_are_offered_only_where_several_lines_are_wanted() -> None:
    made, _ = pipeline(["alpha()"], settings=Settings(multiline=False))
    assert (await ask(made, BLOCK)).skip_reason == "suggestions of several lines are switched off"
    assert texts(await ask(made, BLOCK, requested=True)) == ["alpha()"]


async def test_a_crlf_document_gets_its_own_line_ends() -> None:
    made, _ = pipeline(["alpha(\n\t\tn,\n\t)"])
    assert texts(await ask(made, LINE.replace("\n", "\r\n"))) == ["alpha(\r\n\t\tn,\r\n\t)"]


async def test_every_stage_that_ran_is_timed_and_tokens_are_counted() -> None:
    made, _ = pipeline(["alpha"])
    completion = await ask(made, LINE)
    stages = [timing.stage for timing in completion.timings]
    assert stages == [*("trigger", "context", "reuse", "prompt", "generate", "postprocess", "check", "rank", "points")]
    assert completion.prompt_tokens > 0 and completion.generated_tokens == 1


async def test_where_a_whole_suggestion_has_been_taken_nothing_is_asked_but_by_hand() -> None:
    made, engine = pipeline(["alpha"], FakeChecker())
    assert texts(await ask(made, LINE)) == ["alpha"]
    taken = LINE.replace(CURSOR, "alpha" + CURSOR)
    assert "whole" in str((await ask(made, taken)).skip_reason)
    assert len(engine.requests) == 1
    before, after = taken.split(CURSOR)
    await made.complete(snapshot(before + after), len(before), CancelToken(), requested=True)
    assert len(engine.requests) == 2
