"""Claims about `bench worth`: one generation a place for all least chances, and what the typist makes of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.cli.bench_worth import CHANCES, Asked, AskedKey, ask, played, read
from goassist_lsp.settings import Settings
from goassist_models.engine import CancelToken, GenerateRequest, Generation, Step
from goassist_models.engine.fake import FakeEngine
from goassist_models.evaluate.keystrokes import TypedBody
from goassist_models.infill import FORMS, InfillPrompt

PROMPT = InfillPrompt(FORMS["joined"], "func f() {\n\ta", "\n}\n")


class Unsure(FakeEngine):
    """Says "b + c" with a chance of 0.8 for the first token and of 0.5 for each other."""

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        await super().generate(request, cancel)
        logprobs = (math.log(0.8), math.log(0.5), math.log(0.5))
        ends = zip(logprobs, (1, 3, 5), strict=True)
        steps = tuple(Step(token=n, logprob=logprob, end=end) for n, (logprob, end) in enumerate(ends))
        return (Generation("b + c", "stop", 3, sum(logprobs) / 3, steps=steps),)


@pytest.fixture
def body(tmp_path: Path) -> TypedBody:
    before = "package m\n\nfunc f() {\n\ta = "
    (tmp_path / "a.go").write_text(before + "\n}\n")
    return TypedBody(tmp_path, tmp_path / "a.go", "f", before, "\n}\n", tuple("b + cd"))


async def test_a_place_is_said_once_and_ended_where_it_gets_unlikely() -> None:
    below = Unsure()
    engine = Asked(below)
    texts = []
    for chance in (0.15, 0.5, 0.9):
        engine.least_logprob = math.log(chance)
        (said,) = await engine.generate(GenerateRequest(PROMPT, 8, least_logprob=-1.0), CancelToken())
        texts.append((said.text, said.finish_reason))
    assert texts == [("b + c", "stop"), ("b", "unlikely"), ("", "unlikely")]
    assert [request.least_logprob for request in below.requests] == [math.log(CHANCES[0])]


async def test_what_is_shown_is_kept_for_each_least_chance(body: TypedBody, tmp_path: Path) -> None:
    checker = FakeChecker()
    one = await ask(Asked(Unsure()), checker, Settings(), body, 0)
    assert one.shown["0.12"] == one.shown["0.18"] == "b + c"
    assert one.shown["0.8"] is None or one.shown["0.8"] == "b"
    assert list(one.shown) == [str(chance) for chance in CHANCES]
    assert (one.said, one.ends) == ("b + c", (1, 3, 5))


def asked(body: TypedBody, key: int, text: str | None) -> tuple[tuple[str, int], AskedKey]:
    return (body.key, key), AskedKey(body.key, key, {"0.5": text}, "", (), ())


def test_the_typist_takes_what_is_right_and_types_against_what_is_not(body: TypedBody) -> None:
    # At the second key a text comes up that is right at its beginning only, behind it one that is right.
    found = dict([asked(body, 1, " + x"), asked(body, 4, "cd")])
    row = played([body], found, 0.5, 100)
    # b, " + x" up; blank, +, blank typed through; then "c" against it, and "d": what came at key 4 was not asked for.
    assert (row.keys, row.completed, row.flicker) == (6, 0, 1)
    assert (row.suggestions.hits, row.suggestions.total) == (1, 1)
    assert (row.at_keys.hits, row.at_keys.total) == (4, 4)
    row = played([body], dict([asked(body, 4, "cd")]), 0.5, 100)
    assert (row.keys, row.completed, row.characters) == (5, 2, 6)
    assert (row.suggestions.hits, row.at_keys.hits, row.flicker) == (0, 0, 0)


def test_a_line_that_was_not_finished_is_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "worth.jsonl"
    line = '{"body": "b", "key": 2, "shown": {"0.5": null}, "said": "", "logprobs": [], "ends": []}\n'
    out.write_text(line + line[:20])
    assert list(read(out)) == [("b", 2)]
    assert out.read_text() == line
