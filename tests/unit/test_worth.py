"""Claims about what is not worth showing: goassist_lsp.generate.worth, and what the pipeline makes of it."""

from __future__ import annotations

import math

import pytest

from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.explain import explanation
from goassist_lsp.generate.worth import least_logprob
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import EAGERNESS, Settings
from goassist_lsp.types import Completion, Pace
from goassist_models.engine import CancelToken, Generation, Step
from goassist_models.engine.fake import FakeEngine
from support.places import CURSOR, snapshot

LINE = "package p\n\nfunc f(n int) {\n\tx := <CURSOR>\n}\n"
TYPING, AT_REST = Pace(typing=True, patience_s=0.1), Pace(typing=False, patience_s=1.0)


async def ask(engine: FakeEngine, pace: Pace | None, eagerness: str = "balanced") -> Completion:
    before, after = LINE.split(CURSOR)
    settings = Settings(eagerness=eagerness)  # type: ignore[arg-type]
    made = CompletionPipeline(engine, FakeChecker(bad="broken"), settings)
    return await made.complete(snapshot(before + after), len(before), CancelToken(), pace=pace)


def test_the_more_eager_the_less_sure_the_model_has_to_be() -> None:
    for pace in (TYPING, AT_REST, None):
        leasts = [least_logprob(word, pace) for word in EAGERNESS]
        assert leasts == sorted(leasts)
    assert all(least_logprob(word, AT_REST) <= least_logprob(word, TYPING) < 0 for word in EAGERNESS)


def test_who_types_slowly_is_shown_more() -> None:
    leasts = [least_logprob("balanced", Pace(True, patience_s)) for patience_s in (0.05, 0.1, 0.2, 0.4)]
    assert leasts[0] == leasts[1] > leasts[2] > leasts[3]


@pytest.mark.parametrize("pace", [TYPING, AT_REST, None])
async def test_the_engine_is_told_how_sure_it_has_to_be(pace: Pace | None) -> None:
    engine = FakeEngine(["alpha"])
    await ask(engine, pace)
    assert engine.requests[0].least_logprob == least_logprob("balanced", pace)


async def test_of_a_text_that_got_unlikely_the_sure_beginning_is_shown() -> None:
    class Unsure(FakeEngine):
        async def generate(self, request, cancel):  # type: ignore[no-untyped-def]
            self.requests.append(request)
            return (Generation("alpha.beta(n) + gam", "unlikely", 2, -0.1, steps=(Step(0, -0.1, 5),)),)

    completion = await ask(Unsure(), TYPING)
    assert [shown.insert_text for shown in completion.candidates] == ["alpha.beta(n)"]
    assert completion.rejected[0].stage == "worth"


async def test_a_sure_beginning_is_not_closed_with_what_the_model_did_not_say() -> None:
    class Unsure(FakeEngine):
        async def generate(self, request, cancel):  # type: ignore[no-untyped-def]
            return (Generation("alpha(beta, gam", "unlikely", 2, -0.1, steps=(Step(0, -0.1, 5),)),)

    assert [shown.insert_text for shown in (await ask(Unsure(), TYPING)).candidates] == ["alpha"]


async def test_where_the_model_is_not_sure_of_anything_the_user_is_told_so() -> None:
    class Unsure(FakeEngine):
        async def generate(self, request, cancel):  # type: ignore[no-untyped-def]
            return (Generation("", "unlikely"),)

    assert "not sure enough" in explanation(await ask(Unsure(), TYPING))


async def test_while_one_types_nothing_more_is_drawn_where_the_first_answer_fails() -> None:
    for pace, requests in ((TYPING, 1), (AT_REST, 2), (None, 2)):
        engine = FakeEngine(["broken"], again=["broken"] * 9)
        completion = await ask(engine, pace)
        assert completion.candidates == ()
        assert len([request for request in engine.requests if request.resume is None]) == requests


@pytest.mark.parametrize("eagerness", ["eager", "balanced"])
@pytest.mark.parametrize("pace", [AT_REST, None])
def test_who_waits_is_shown_whatever_passes_the_check(eagerness: str, pace: Pace | None) -> None:
    assert least_logprob(eagerness, pace) == -math.inf
