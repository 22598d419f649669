"""Claims about goassist_models.engine.kept: a generation that comes true is kept running, any other ends at once."""

from __future__ import annotations

import asyncio
import math

import pytest

from goassist_models.engine import CancelToken, GenerateRequest, Generation, Patience, Step, kept
from goassist_models.engine.kept import KeptEngine
from goassist_models.infill import FORMS, InfillPrompt

TOKEN_S = 0.01


class Slow:
    """Says its text a character each TOKEN_S, behind any prompt that `says` knows; keeps the prompts it was asked."""

    model_name = "slow"

    def __init__(self, says: dict[str, str]) -> None:
        self.says = says
        self.asked: list[str] = []
        self.ended: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text)

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        self.asked.append(request.prompt.prefix)
        full, text = self.says[request.prompt.prefix], ""
        for character in full:
            await asyncio.sleep(TOKEN_S)
            if cancel.cancelled:
                self.ended.append(text)
                return (Generation(text, "cancelled"),)
            text += character
            if request.until is not None and request.until(text):
                break
        self.ended.append(text)
        steps = tuple(Step(n, -0.1, n + 1) for n in range(len(text)))
        return (Generation(text, "cancelled" if cancel.cancelled else "eos", len(text), -0.1, steps=steps),)

    async def close(self) -> None:
        pass


def request(
    prefix: str,
    *,
    suffix: str = "\n",
    patience_s: float | None = None,
    n: int = 1,
    idle: bool = False,
    least: float = -math.inf,
) -> GenerateRequest:
    prompt = InfillPrompt(FORMS["joined"], prefix, suffix)
    patience = Patience(patience_s, lambda text: text.rfind("\n") + 1) if patience_s is not None else None
    return GenerateRequest(prompt, max_tokens=99, n=n, patience=patience, idle=idle, least_logprob=least)


async def ask(engine: KeptEngine, prefix: str, cancel: CancelToken | None = None, **wanted: object) -> Generation:
    (generation,) = await engine.generate(request(prefix, **wanted), cancel or CancelToken())  # type: ignore[arg-type]
    return generation


async def left_alone(engine: KeptEngine, prefix: str, **wanted: object) -> asyncio.Task[Generation]:
    """A request that is given up after some tokens, as an editor does it at the next key."""
    cancel = CancelToken()
    asked = asyncio.create_task(ask(engine, prefix, cancel, **wanted))
    await asyncio.sleep(4 * TOKEN_S)
    cancel.cancel()
    return asked


async def test_who_types_what_is_being_said_joins_it() -> None:
    inner = Slow({"x": "alpha beta"})
    engine = KeptEngine(inner)
    first = await left_alone(engine, "x")
    second = await ask(engine, "xal")
    assert (second.text, second.continued, second.steps) == ("pha beta", True, ())
    assert (await first).finish_reason == "cancelled"
    assert inner.asked == ["x"]


async def test_what_has_ended_still_answers_who_types_it() -> None:
    inner = Slow({"x": "alpha", "xalpha": " beta", "xb": "gamma"})
    engine = KeptEngine(inner)
    assert (await ask(engine, "x")).text == "alpha"
    assert (await ask(engine, "xalp")).text == "ha"
    assert (await ask(engine, "xalpha")).text == " beta"  # nothing is left of it
    assert (await ask(engine, "xb")).text == "gamma"
    assert inner.asked == ["x", "xalpha", "xb"]


async def test_a_key_that_disagrees_ends_it_at_once() -> None:
    inner = Slow({"x": "alpha beta gamma delta", "xb": "eta"})
    engine = KeptEngine(inner)
    first = await left_alone(engine, "x")
    assert (await ask(engine, "xb")).text == "eta"
    assert (await first).text == ""
    assert inner.asked == ["x", "xb"]
    assert len(inner.ended[0]) < len("alpha beta")


async def test_a_key_typed_before_the_first_token_is_held_against_it() -> None:
    inner = Slow({"x": "alpha", "xb": "eta"})
    engine = KeptEngine(inner)
    cancel = CancelToken()
    first = asyncio.create_task(ask(engine, "x", cancel))
    await asyncio.sleep(0)
    cancel.cancel()
    assert (await ask(engine, "xb")).text == "eta"
    await first
    assert len(inner.ended[0]) <= 1


async def test_another_place_is_another_generation() -> None:
    inner = Slow({"x": "alpha", "y": "beta"})
    engine = KeptEngine(inner)
    assert (await ask(engine, "x")).text == "alpha"
    assert (await ask(engine, "y")).text == "beta"
    assert (await ask(engine, "x", suffix="other")).text == "alpha"
    assert inner.asked == ["x", "y", "x"]


async def test_requests_for_two_places_at_once_are_both_answered() -> None:
    inner = Slow({"x": "alpha", "y": "beta"})
    engine = KeptEngine(inner)
    first, second = await asyncio.gather(ask(engine, "x"), ask(engine, "y"))
    assert (first.text, second.text) == ("alpha", "beta")


async def test_what_nobody_waits_for_ends_after_a_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "GRACE_S", 0.1)
    inner = Slow({"x": "a" * 500})
    engine = KeptEngine(inner)
    cancel = CancelToken()
    first = asyncio.create_task(ask(engine, "x", cancel))
    await asyncio.sleep(2 * TOKEN_S)
    cancel.cancel()
    await asyncio.wait_for(first, 4)
    assert len(inner.ended[0]) < 400


class Clock:
    """In place of the module `time`: says what it is told to."""

    def __init__(self) -> None:
        self.now_s = 7.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.mark.parametrize("step_s", [0.0, -5.0])
async def test_a_clock_that_stands_still_or_goes_back_ends_nothing_that_comes_true(
    step_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(kept, "time", clock)
    monkeypatch.setattr(kept, "GRACE_S", 0.0)
    inner = Slow({"x": "alpha beta", "xb": "eta"})
    engine = KeptEngine(inner)
    cancel = CancelToken()
    first = asyncio.create_task(ask(engine, "x", cancel))
    await asyncio.sleep(3 * TOKEN_S)
    cancel.cancel()
    clock.now_s += step_s
    await first  # nobody waits, and for all it can tell no time has passed: it goes on to its end
    assert inner.ended == ["alpha beta"]
    assert (await ask(engine, "xal")).text == "pha beta"
    assert (await ask(engine, "xb")).text == "eta"
    assert inner.asked == ["x", "xb"]


async def test_on_a_clock_that_stands_still_what_disagrees_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "time", Clock())
    inner = Slow({"x": "a" * 500, "xb": "eta"})
    engine = KeptEngine(inner)
    cancel = CancelToken()
    first = asyncio.create_task(ask(engine, "x", cancel))
    await asyncio.sleep(3 * TOKEN_S)
    cancel.cancel()
    assert (await ask(engine, "xb")).text == "eta"
    assert (await first).text == ""
    assert len(inner.ended[0]) < 100


async def test_patience_ends_with_whole_lines_and_the_rest_follows() -> None:
    inner = Slow({"x": "alpha\nbeta\ngamma and more of it"})
    engine = KeptEngine(inner)
    first = await ask(engine, "x", patience_s=8 * TOKEN_S)
    assert first.text in ("alpha\n", "alpha\nbeta\n")
    rest = await ask(engine, "xalpha", patience_s=60)
    assert rest.text == "\nbeta\ngamma and more of it"
    assert inner.asked == ["x"]


async def test_patience_waits_for_the_first_line() -> None:
    inner = Slow({"x": "alpha\nbeta"})
    assert (await ask(KeptEngine(inner), "x", patience_s=TOKEN_S)).text == "alpha\n"


async def test_who_joins_has_its_line_at_once_and_who_began_it_waits_for_its_end() -> None:
    inner = Slow({"x": "alpha\nbeta\ngamma"})
    engine = KeptEngine(inner)
    first = asyncio.create_task(ask(engine, "x", patience_s=0.0))
    await asyncio.sleep(3 * TOKEN_S)
    second = await ask(engine, "xa", patience_s=0.0)
    assert (second.text, second.finish_reason) == ("lpha\n", "partial")
    assert ((await first).text, inner.asked) == ("alpha\nbeta\ngamma", ["x"])


async def test_several_candidates_are_asked_of_the_engine_itself() -> None:
    inner = Slow({"x": "alpha"})
    engine = KeptEngine(inner)
    await ask(engine, "x", n=2)
    await ask(engine, "x", n=2)
    assert inner.asked == ["x", "x"]


async def test_what_was_said_ahead_answers_who_comes_there() -> None:
    inner = Slow({"x": "alpha", "xalpha": " beta"})
    engine = KeptEngine(inner)
    await ask(engine, "x")
    ahead = asyncio.create_task(ask(engine, "xalpha", idle=True))
    await asyncio.sleep(2 * TOKEN_S)
    assert (await ask(engine, "xalpha b")).text == "eta"
    await ahead
    assert inner.asked == ["x", "xalpha"]


async def test_nothing_is_said_ahead_while_somebody_waits() -> None:
    inner = Slow({"x": "alpha", "y": "beta"})
    engine = KeptEngine(inner)
    first = asyncio.create_task(ask(engine, "x"))
    await asyncio.sleep(TOKEN_S)
    assert (await ask(engine, "y", idle=True)).finish_reason == "cancelled"
    assert (await first).text == "alpha"
    assert inner.asked == ["x"]


async def test_what_is_said_ahead_gives_way_at_once() -> None:
    inner = Slow({"x": "a" * 300, "y": "beta"})
    engine = KeptEngine(inner)
    ahead = asyncio.create_task(ask(engine, "x", idle=True))
    await asyncio.sleep(2 * TOKEN_S)
    assert (await ask(engine, "y")).text == "beta"
    assert (await ahead).finish_reason == "cancelled"
    assert len(inner.ended[0]) < 100


async def test_of_fifty_requests_at_once_for_one_place_one_is_computed_and_the_last_is_answered() -> None:
    inner = Slow({"x": "alpha"})
    engine = KeptEngine(inner)
    cancels = [CancelToken() for _ in range(50)]
    asked = [asyncio.create_task(ask(engine, "x", cancel)) for cancel in cancels]
    await asyncio.sleep(0)
    for cancel in cancels[:-1]:
        cancel.cancel()  # as the session does when a newer one comes
    answers = await asyncio.gather(*asked)
    assert [answer.text for answer in answers] == [""] * 49 + ["alpha"]
    assert inner.asked == ["x"]


async def test_of_fifty_requests_at_once_for_fifty_places_only_the_last_is_said_to_its_end() -> None:
    places = [f"{number:02}" for number in range(50)]
    inner = Slow({place: "alpha" * 20 for place in places})
    engine = KeptEngine(inner)
    cancels = [CancelToken() for _ in places]
    asked = []
    for number, place in enumerate(places):
        if number:
            cancels[number - 1].cancel()
        asked.append(asyncio.create_task(ask(engine, place, cancels[number])))
        await asyncio.sleep(0)
    answers = await asyncio.gather(*asked)
    assert [answer.text for answer in answers] == [""] * 49 + ["alpha" * 20]
    assert inner.ended[-1] == "alpha" * 20
    assert all(len(said) <= 2 for said in inner.ended[:-1])


async def test_of_what_was_said_for_somebody_else_only_what_is_likely_enough_is_taken() -> None:
    engine = KeptEngine(Slow({"x": "alpha"}))
    assert (await ask(engine, "x")).text == "alpha"
    likely = await ask(engine, "xal", least=-0.25)  # each character has -0.1, those that were typed are certain
    assert (likely.text, likely.finish_reason) == ("ph", "unlikely")
    assert (await ask(engine, "xal", least=-0.35)).text == "pha"


async def test_what_is_being_said_for_somebody_who_wants_anything_is_not_waited_for() -> None:
    inner = Slow({"x": "alpha beta", "xal": "pha"})
    engine = KeptEngine(inner)
    first = await left_alone(engine, "x")
    assert (await ask(engine, "xal", least=-5.0)).text == "pha"
    await first
    assert inner.asked == ["x", "xal"]


async def test_who_wants_a_little_more_joins_all_the_same() -> None:
    inner = Slow({"x": "alpha beta"})
    engine = KeptEngine(inner)
    first = await left_alone(engine, "x", least=-5.0)
    assert (await ask(engine, "xal", least=-4.5)).text == "pha beta"
    await first
    assert inner.asked == ["x"]


async def test_who_is_content_with_less_is_not_answered_by_what_ended_for_want_of_more() -> None:
    class Unsure(Slow):
        async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
            self.asked.append(request.prompt.prefix)
            return (Generation("al" if request.least_logprob > -1 else "alpha", "unlikely"),)

    engine = KeptEngine(Unsure({}))
    assert (await ask(engine, "x", least=-0.5)).text == "al"
    assert (await ask(engine, "x", least=-0.5)).text == "al"
    assert (await ask(engine, "x", least=-2.0)).text == "alpha"
