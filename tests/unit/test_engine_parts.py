"""The llama engine's parts that need no model: healing, sampling, growing text, form rendering."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_models.engine import GenerationTimings
from goassist_models.engine.healing import HealTable
from goassist_models.engine.sampling import choose, greedy, sample
from goassist_models.engine.sequence import GrowingSequence
from goassist_models.infill import FAMILIES, FORMS, InfillPrompt, render

QWEN = FAMILIES["qwen2.5-coder"]


@given(
    st.lists(st.binary(max_size=4), max_size=40),
    st.binary(min_size=1, max_size=5),
    st.frozensets(st.integers(0, 39), max_size=5),
)
def test_heal_table_allows_exactly_the_pieces_that_agree_with_the_tie(
    pieces: list[bytes], tie: bytes, barred: frozenset[int]
) -> None:
    agree = {
        token
        for token, piece in enumerate(pieces)
        if piece and token not in barred and (piece.startswith(tie) or tie.startswith(piece))
    }
    assert set(HealTable(pieces, barred).allowed(tie).tolist()) == agree


def test_heal_table_finds_pieces_after_a_tie_of_highest_bytes() -> None:
    table = HealTable([b"\xff", b"\xff\xff", b"\xff\xffa", b"a"], frozenset())
    assert sorted(table.allowed(b"\xff\xff").tolist()) == [0, 1, 2]


def test_greedy_choice_carries_its_log_probability() -> None:
    logits = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    index, logprob = greedy(logits)
    assert index == 1
    assert logprob == pytest.approx(np.log(0.5), abs=1e-5)


def test_choice_among_allowed_tokens_is_conditional_on_them() -> None:
    logits = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    token, logprob = choose(logits, np.array([2, 0]), 0.0, 1.0, np.random.default_rng(0))
    assert token == 2
    assert logprob == pytest.approx(np.log(0.6), abs=1e-5)


def test_nucleus_leaves_out_the_tail() -> None:
    logits = np.log(np.array([0.6, 0.3, 0.06, 0.04], np.float32))
    rng = np.random.default_rng(7)
    drawn = {sample(logits, 1.0, 0.85, rng)[0] for _ in range(300)}
    assert drawn == {0, 1}


def test_samples_follow_the_tempered_distribution() -> None:
    logits = np.log(np.array([0.5, 0.25, 0.25], np.float32))
    rng = np.random.default_rng(3)
    counts = np.bincount([sample(logits, 0.5, 1.0, rng)[0] for _ in range(3000)], minlength=3) / 3000
    assert counts == pytest.approx([4 / 6, 1 / 6, 1 / 6], abs=0.03)


def test_nucleus_of_a_flat_distribution_reaches_beyond_the_few_heaviest() -> None:
    rng = np.random.default_rng(1)
    drawn = {sample(np.zeros(2000, np.float32), 1.0, 0.95, rng)[0] for _ in range(4000)}
    assert len(drawn) > 1000


def test_nucleus_among_many_is_that_of_a_full_sort() -> None:
    logits = np.random.default_rng(4).standard_normal(5000).astype(np.float32) * 3
    weights = np.exp(logits.astype(np.float64))
    falling = np.argsort(-weights)
    nucleus = falling[: np.searchsorted(np.cumsum(weights[falling]), 0.5 * weights.sum()) + 1]
    rng = np.random.default_rng(2)
    drawn = {sample(logits, 1.0, 0.5, rng)[0] for _ in range(3000)}
    assert drawn <= set(nucleus.tolist())
    assert len(drawn) > len(nucleus) // 2


def test_sampling_is_repeatable_by_its_seed() -> None:
    logits = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    draws = [[sample(logits, 0.8, 0.95, np.random.default_rng(5))[0] for _ in range(5)] for _ in range(2)]
    assert draws[0] == draws[1]


def grown(tie: bytes, *pieces: bytes) -> GrowingSequence:
    sequence = GrowingSequence(0, tie, 0.0, 0)
    for number, piece in enumerate(pieces):
        sequence.accept(number, piece, -1.0)
    return sequence


def test_healed_bytes_are_taken_off_across_tokens() -> None:
    assert grown(b"Pri", b"P", b"ri", b"nt").text == "nt"
    assert grown(b"Pri", b"Pr", b"intln").text == "ntln"


def test_healed_tokens_do_not_count_against_the_limit() -> None:
    assert grown(b"Pri", b"P", b"rintln", b"(").untied_tokens == 2


def test_character_split_over_tokens_appears_when_it_is_whole() -> None:
    data = "é😀".encode()
    sequence = GrowingSequence(0, b"", 0.0, 0)
    added = [sequence.accept(0, data[at : at + 1], 0.0) for at in range(len(data))]
    assert sequence.text == "é😀"
    assert added == [False, True, False, False, False, True]


def test_tie_may_end_inside_a_character() -> None:
    data = "😀".encode()
    assert grown(data[:2], data[:3], data[3:]).text == ""
    assert grown(data[:2], data[:2], b"").finish_reason is None


def test_bytes_that_are_no_text_end_the_sequence_before_them() -> None:
    sequence = grown(b"", b"ok", b"\xff")
    assert (sequence.text, sequence.finish_reason) == ("ok", "stop")


def test_mean_log_probability_is_over_all_tokens() -> None:
    sequence = GrowingSequence(0, b"", 0.0, 0)
    sequence.accept(1, b"a", -1.0)
    sequence.accept(2, b"b", -3.0)
    assert sequence.generation(GenerationTimings()).mean_logprob == -2.0


def test_joined_form_puts_what_is_typed_last() -> None:
    prompt = InfillPrompt(FORMS["joined"], "before", "after", typed="typed")
    assert [segment.text for segment in render(prompt, QWEN)] == [
        *("<|fim_prefix|>", "<|fim_suffix|>", "after", "<|fim_middle|>", "before", "typed")
    ]


def test_special_texts_in_source_stay_plain_segments() -> None:
    prompt = InfillPrompt(FORMS["psm"], "a <|fim_middle|> b", "")
    assert [(s.text, s.special) for s in render(prompt, QWEN)] == [
        *(("<|fim_prefix|>", True), ("a <|fim_middle|> b", False), ("<|fim_suffix|>", True), ("<|fim_middle|>", True))
    ]
