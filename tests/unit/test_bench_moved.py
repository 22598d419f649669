"""Claims about `bench moved`: windows on their way to a place's prompt, and what is asked of the engine for each."""

from __future__ import annotations

from pathlib import Path

from goassist_lsp.cli.bench_moved import TIMES, scored
from goassist_lsp.settings import Settings
from goassist_models.engine.sequence import ScoredText
from goassist_models.evaluate.keystrokes import TypedBody, keys_of
from goassist_models.infill import InfillPrompt

HEAD = "package p\n\n"
AFTER = "\n}\n\nfunc last() {}\n"
BODY = "".join(f"\n\tfmt.Println({number}, err, nil)" for number in range(12))


def body(lines_above: int) -> TypedBody:
    above = "".join(f"var value{number:03} = compute(alpha, {number})\n" for number in range(lines_above))
    return TypedBody(Path("/m"), Path("/m/p.go"), "f", f"{HEAD}{above}\nfunc f() {{", AFTER, keys_of(BODY))


class Asked:
    """An engine that notes what it is asked to score."""

    def __init__(self) -> None:
        self.asked: list[tuple[InfillPrompt, str, bool]] = []

    async def score(self, prompt: InfillPrompt, text: str, *, moved: bool = False) -> ScoredText:
        self.asked.append((prompt, text, moved))
        return ScoredText(float(len(self.asked)), 20, len(text))


async def test_the_same_prompt_is_scored_read_anew_and_behind_windows_further_up() -> None:
    engine = Asked()
    (one,) = [each async for each in scored(engine, Settings(), [body(200)])]  # type: ignore[arg-type]
    truths = [(prompt, moved) for prompt, text, moved in engine.asked if text != "x"]
    assert [moved for _, moved in truths] == [False, True, True]
    assert len({prompt.prefix for prompt, _ in truths}) == 1
    assert len(engine.asked) == len(TIMES) + sum(TIMES)
    assert set(one.nats) == set(TIMES)
    # Before its window has moved once, the first prompt of each way is read anew.
    assert [moved for _, text, moved in engine.asked if text == "x"] == [False, False, True, True]


async def test_what_leaves_the_window_stood_in_the_one_before() -> None:
    engine = Asked()
    [each async for each in scored(engine, Settings(), [body(200)])]  # type: ignore[arg-type]
    before, last = (prompt.prefix for prompt, _, _ in engine.asked[1:3])
    assert before.startswith(HEAD) and last.startswith(HEAD)
    first_line = last[len(HEAD) :].partition("\n")[0]
    assert first_line in before and not before.startswith(HEAD + first_line)


async def test_a_place_with_too_little_above_it_is_left_out() -> None:
    engine = Asked()
    assert [each async for each in scored(engine, Settings(), [body(3)])] == []  # type: ignore[arg-type]
    assert engine.asked == []
