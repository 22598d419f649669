"""Typing replays prove both ways: systems whose every answer is known give exactly the figures that follow from it.

Virtual time: a body takes no time to type, and an answer comes at the millisecond that it should.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Answer, Edit, Question, System
from goassist_models.evaluate.keystrokes import BodyRecord, Replay, TypedBody, keys_of
from goassist_models.evaluate.typing import HANG_S, LOOK_S, READING_S, type_body
from support.virtual_time import run_virtually

BEFORE = "package p\n\nfunc F(a, b int) int {\n\t"
TEXT = "if a > b {\n\t\treturn a\n\t}\n\treturn b"
AFTER = "\n}\n"
TRUTH = BEFORE + TEXT + AFTER
CHARACTERS, KEYS = 34, 30
INTERVAL_S = 0.18


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "p.go").write_text(TRUTH)
    return tmp_path


def rest_of(question: Question) -> str:
    """What the author wrote next."""
    assert question.text.endswith(AFTER)
    return TRUTH[question.offset : -len(AFTER)]


def inserting(question: Question, text: str) -> Answer:
    return Answer((Edit(question.offset, question.offset, text),) if text else ())


def saying(text_of: Callable[[str], str], delay_s: float = 0.0) -> Callable[[Question], Awaitable[Answer]]:
    """A system's `ask` that knows what comes next, and makes of it what it says."""

    async def ask(question: Question) -> Answer:
        if delay_s:
            await asyncio.sleep(delay_s)
        return inserting(question, text_of(rest_of(question)))

    return ask


def typed(
    root: Path, ask: Callable[[Question], Awaitable[Answer]], interval_s: float = INTERVAL_S, **arguments: Any
) -> tuple[BodyRecord, dict[str, Any]]:
    limit = arguments.pop("limit", None)
    body = TypedBody(root, root / "p.go", "F", BEFORE, AFTER, keys_of(TEXT), "example.com/p")
    record = run_virtually(type_body(System("s", ask, **arguments), root, body, interval_s, limit=limit))
    return record, Replay([record]).figures()


def percent(figures: dict[str, Any], name: str) -> float | None:
    value: float | None = figures[name]["percent"]
    return value


def test_the_text_costs_the_keys_that_the_tests_count_on() -> None:
    assert (len(TEXT), len(keys_of(TEXT))) == (CHARACTERS, KEYS)


def test_an_oracle_completes_all_but_the_first_key(root: Path) -> None:
    record, figures = typed(root, saying(lambda rest: rest))
    assert [(key.press, key.chars) for key in record.keys] == [("key", 1), ("accept", CHARACTERS - 1)]
    assert percent(figures, "characters_completed") == pytest.approx(100 * (CHARACTERS - 1) / CHARACTERS)
    assert percent(figures, "answered") == 100
    assert percent(figures, "wrong_of_shown") == 0
    assert percent(figures, "flicker_per_100_keys") == 0
    assert (figures["keys"], figures["keys_alone"], figures["accepts"]) == (2, KEYS, 1)
    assert record.seconds == pytest.approx(2 * INTERVAL_S + READING_S)
    assert figures["time_saved_percent"] == pytest.approx(100 * (1 - record.seconds / (KEYS * INTERVAL_S)))


def test_a_silent_system_shows_nothing_and_answers_always(root: Path) -> None:
    record, figures = typed(root, saying(lambda rest: ""))
    assert percent(figures, "answered") == 100
    assert figures["shown"]["part"] == 0
    assert percent(figures, "wrong_of_shown") is None
    assert percent(figures, "characters_completed") == 0
    assert figures["keys"] == figures["keys_alone"] == KEYS
    assert record.seconds == pytest.approx(KEYS * INTERVAL_S)
    assert figures["time_saved_percent"] == pytest.approx(0)


def test_a_late_system_answers_no_key_however_right_it_is(root: Path) -> None:
    given_up = 0

    async def ask(question: Question) -> Answer:
        nonlocal given_up
        try:
            await asyncio.sleep(2 * INTERVAL_S)
        except asyncio.CancelledError:
            given_up += 1
            raise
        return inserting(question, rest_of(question))

    _, figures = typed(root, ask)
    assert percent(figures, "answered") == 0
    assert figures["shown"]["part"] == 0
    assert percent(figures, "characters_completed") == 0
    assert (figures["answer_ms_p50"], figures["answer_ms_p90"]) == (None, None)
    assert given_up == KEYS - 1  # the last one is waited for


def test_a_wrong_system_is_wrong_at_each_key_and_completes_nothing(root: Path) -> None:
    _, figures = typed(root, saying(lambda rest: "?!"))
    assert percent(figures, "shown") == 100
    assert percent(figures, "wrong_of_shown") == 100
    assert (figures["wrong_of_suggestions"]["part"], figures["wrong_of_suggestions"]["of"]) == (KEYS, KEYS)
    assert percent(figures, "characters_completed") == 0
    # Each text but the last, which nothing follows, is typed against.
    assert figures["flicker_per_100_keys"]["part"] == KEYS - 1


def test_one_line_at_a_time_completes_as_much_for_a_key_a_line(root: Path) -> None:
    def line(rest: str) -> str:
        end = rest.find("\n", 1)
        return rest if end < 0 else rest[:end]

    record, figures = typed(root, saying(line))
    assert [key.chars for key in record.keys] == [1, 9, 11, 3, 10]
    assert percent(figures, "characters_completed") == pytest.approx(100 * 33 / CHARACTERS)
    assert percent(figures, "wrong_of_shown") == 0
    assert record.seconds == pytest.approx(INTERVAL_S + 4 * (INTERVAL_S + READING_S))


def test_the_right_lines_of_a_text_with_a_fault_are_accepted_and_its_rest_is_wrong(root: Path) -> None:
    record, figures = typed(root, saying(lambda rest: rest[:-1] + "c" if rest else ""))
    presses = [(key.press, key.chars) for key in record.keys]
    assert presses[:4] == [("key", 1), ("accept line", 9), ("accept line", 11), ("accept line", 3)]
    assert presses[4:] == [("key", 2)] + 8 * [("key", 1)]
    # The faulty line is on display from the last accept on, until the key before its fault is typed.
    assert (figures["wrong_of_shown"]["part"], figures["wrong_of_shown"]["of"]) == (9, 12)
    # What is left of a text is no other suggestion; when it is typed against it is, at each key, a new one.
    assert (figures["wrong_of_suggestions"]["part"], figures["wrong_of_suggestions"]["of"]) == (0, 1)
    assert percent(figures, "characters_completed") == pytest.approx(100 * 23 / CHARACTERS)
    assert figures["flicker_per_100_keys"]["part"] == 1


def test_texts_that_alternate_flicker_at_each_key_though_they_begin_right(root: Path) -> None:
    turn = 0

    def alternating(rest: str) -> str:
        nonlocal turn
        turn += 1
        return rest[:1] + "XY"[turn % 2] if rest else ""

    _, figures = typed(root, saying(alternating))
    assert figures["flicker_per_100_keys"]["part"] == KEYS - 1
    assert percent(figures, "wrong_of_shown") == 100


def test_a_text_that_grows_while_it_is_typed_through_does_not_flicker(root: Path) -> None:
    # Not to be accepted: what stands behind would go with it.
    async def ask(question: Question) -> Answer:
        behind = question.offset + len(AFTER)
        text = rest_of(question)[:5] + ("" if rest_of(question)[5:] else "?")
        return Answer((Edit(question.offset, behind, text),) if rest_of(question) else ())

    record, figures = typed(root, ask)
    assert [key.press for key in record.keys if key.flicker] == ["key"]  # the question mark, typed against at the end
    assert figures["accepts"] == 0


def test_answer_times_are_those_of_the_loop(root: Path) -> None:
    _, figures = typed(root, saying(lambda rest: "", delay_s=0.05))
    assert figures["answer_ms_p50"] == pytest.approx(50)
    assert figures["answer_ms_p90"] == pytest.approx(50)


def test_unanswered_keys_count_last_among_the_answer_times(root: Path) -> None:
    asked = 0

    async def ask(question: Question) -> Answer:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01 if asked % 4 else 1.0)
        return Answer()

    _, figures = typed(root, ask)
    assert figures["answered"]["part"] == KEYS - 7  # each fourth from the third key on; the opening was the first
    assert figures["answer_ms_p50"] == pytest.approx(10)
    assert figures["answer_ms_p90"] is None


def test_after_an_accept_an_answer_has_the_reading_time_too(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        rest = rest_of(question)
        first = len(rest) == CHARACTERS - 1
        await asyncio.sleep(0.0 if first else INTERVAL_S + READING_S - 0.01)
        return inserting(question, rest[:9] if first else "")

    record, _ = typed(root, ask)
    assert [(key.press, key.answer_ms) for key in record.keys[:3]] == [
        ("key", pytest.approx(0)),
        ("accept", pytest.approx(470)),
        ("key", None),
    ]


def test_a_text_of_one_key_is_typed_and_not_wrong(root: Path) -> None:
    _, figures = typed(root, saying(lambda rest: rest[:1] if not rest.startswith("\n") else ""))
    assert figures["accepts"] == 0
    assert percent(figures, "wrong_of_shown") == 0
    assert figures["shown"]["part"] == KEYS - 1 - 3  # silent before three line ends and at the end of all


def test_what_comes_along_is_made_too_and_the_cursor_stays_with_the_text(root: Path) -> None:
    header = 'import "fmt"\n'
    asked: list[Question] = []

    async def ask(question: Question) -> Answer:
        asked.append(question)
        rest = TRUTH[question.offset - (len(header) if header in question.text else 0) : -len(AFTER)]
        if not rest.startswith("return a"):
            return Answer()
        here, end = question.offset, len(question.text)
        return Answer((Edit(here, here, rest[:8]), Edit(10, 10, header), Edit(end, end, "// end\n")))

    _, figures = typed(root, ask)
    assert figures["accepts"] == 1
    assert percent(figures, "characters_completed") == pytest.approx(100 * 8 / CHARACTERS)
    assert asked[-1].text == TRUTH[:10] + header + TRUTH[10:] + "// end\n"
    assert asked[-1].text[asked[-1].offset :] == AFTER + "// end\n"


def test_a_line_replaced_by_itself_and_more_is_a_text_at_the_cursor(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        start = question.text.rfind("\n", 0, question.offset) + 1
        end = question.offset + len(AFTER)
        return Answer((Edit(start, end, question.text[start : question.offset] + rest_of(question) + AFTER),))

    record, _ = typed(root, ask)
    assert [key.press for key in record.keys] == ["key", "accept"]


def test_a_suggestion_that_changes_what_is_written_is_wrong(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        return Answer((Edit(0, question.offset, "package q" + rest_of(question)),))

    _, figures = typed(root, ask)
    assert percent(figures, "wrong_of_shown") == 100
    assert percent(figures, "characters_completed") == 0


def test_a_system_that_breaks_down_loses_the_body_by_name_and_the_file_is_whole_again(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        if len(rest_of(question)) < CHARACTERS - 5:
            raise GoassistError("the server has ended")
        return Answer()

    _, figures = typed(root, ask)
    assert figures["keys"] == figures["bodies"] == 0
    assert figures["characters_completed"]["percent"] is None
    assert figures["abandoned"] == [
        {"module": "example.com/p", "file": "p.go", "function": "F", "keys": 6, "why": "the server has ended."}
    ]
    assert (root / "p.go").read_text() == TRUTH


def test_an_answer_that_is_an_error_is_counted_by_its_message_and_typing_goes_on(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        return Answer(error="no model" if len(rest_of(question)) % 2 else "")

    _, figures = typed(root, ask)
    odd = sum(len(rest) % 2 for rest in remainders())
    assert figures["errors"] == {"no model": odd}
    assert figures["answered"]["part"] == KEYS - odd
    assert figures["abandoned"] == []


def remainders() -> list[str]:
    """What is left after each key."""
    keys = keys_of(TEXT)
    return ["".join(keys[number:]) for number in range(1, len(keys) + 1)]


@pytest.mark.parametrize("hangs_at", ["opening", "end"])
def test_a_system_that_hangs_loses_the_body_after_the_limit(root: Path, hangs_at: str) -> None:
    ended_at: list[float] = []

    async def ask(question: Question) -> Answer:
        if hangs_at == "opening" or not rest_of(question):
            await asyncio.Event().wait()
        return Answer()

    async def go() -> BodyRecord:
        body = TypedBody(root, root / "p.go", "F", BEFORE, AFTER, keys_of(TEXT))
        record = await type_body(System("s", ask), root, body, INTERVAL_S)
        ended_at.append(asyncio.get_running_loop().time())
        return record

    record = run_virtually(go())
    assert record.abandoned.startswith("it does not answer when")
    spent_s = 0.0 if hangs_at == "opening" else LOOK_S + KEYS * INTERVAL_S
    assert ended_at == [pytest.approx(HANG_S + spent_s)]


def test_a_system_that_will_not_be_cancelled_is_named_as_such(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        if len(rest_of(question)) == CHARACTERS - 1:
            while True:
                try:
                    await asyncio.sleep(2 * HANG_S)
                    break
                except asyncio.CancelledError:
                    continue
        return Answer()

    record, _ = typed(root, ask)
    assert record.abandoned.startswith("it goes on with what nobody waits for")


def test_a_question_that_a_system_gives_up_by_itself_is_a_breakdown_and_no_end_of_the_run(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        raise asyncio.CancelledError

    record, _ = typed(root, ask)
    assert record.abandoned == "it gave a question up by itself."


def test_the_body_is_not_on_disk_while_it_is_typed(root: Path) -> None:
    async def ask(question: Question) -> Answer:
        assert question.path.read_text() == BEFORE + AFTER
        return Answer()

    typed(root, ask)
    assert (root / "p.go").read_text() == TRUTH


def test_processor_time_is_that_of_the_keys_alone(root: Path) -> None:
    used_s = 0.0

    async def ask(question: Question) -> Answer:
        nonlocal used_s
        used_s += 7.0 if len(rest_of(question)) == CHARACTERS else 0.25
        return Answer()

    _, figures = typed(root, ask, cpu_s=lambda: used_s)
    assert figures["cpu_s_per_100_keys"] == pytest.approx(25)


def test_a_limit_ends_a_body_early_and_counts_what_was_typed(root: Path) -> None:
    record, figures = typed(root, saying(lambda rest: ""), limit=12)
    assert len(record.keys) == figures["keys_alone"] == 12
    assert figures["characters"] == 14  # ten characters, a line break with two tabs, one more


@settings(max_examples=60)
@given(st.integers())
def test_whatever_a_system_says_the_author_s_text_is_what_is_written(tmp_path_factory: Any, seed: int) -> None:
    rng = random.Random(seed)
    root: Path = tmp_path_factory.mktemp("typed")
    (root / "p.go").write_text(TRUTH)
    asked: list[Question] = []

    async def ask(question: Question) -> Answer:
        asked.append(question)
        await asyncio.sleep(rng.choice((0.0, 0.1, 0.3)))
        rest = rest_of(question)
        text = rest[: rng.randint(0, 25)]
        if rng.random() < 0.5:
            text += rng.choice(("?", "\n", "\n\t", " ", "}"))
        back, ahead = rng.randint(0, 3), rng.randint(0, 2)
        start, end = question.offset - back, question.offset + ahead
        return Answer((Edit(start, end, question.text[start : question.offset] + text),))

    record, _ = typed(root, ask)
    assert asked[-1].text.startswith(BEFORE + TEXT)
    assert asked[-1].text[len(BEFORE + TEXT) :].strip() == AFTER.strip()
    assert sum(key.chars for key in record.keys) == CHARACTERS
