"""Claims about goassist_index.words: names whole and in pieces, the same for an index and a question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.words import MAX_WORD_CHARS, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ParseHTTPHeader2", ["parsehttpheader2", "pars", "http", "header", "2"]),
        ("parse_duration", ["parse_duration", "pars", "duration"]),
        ("userIDs", ["userids", "user", "id"]),
        ("MAX_RETRIES", ["max_retries", "max", "retry"]),
        ("apply discounts", ["apply", "discount"]),
        ("dropping called", ["drop", "call"]),
        ("func the return", []),
        ("größe Größe", ["größe", "größe"]),
        ("", []),
    ],
)
def test_names_are_taken_whole_and_in_pieces(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_doc_comment_meets_the_name_it_describes() -> None:
    assert set(words("parses durations")) & set(words("ParseDuration")) == {"pars", "duration"}


def test_encoded_data_gives_no_word() -> None:
    assert words('"' + "Qk1" * MAX_WORD_CHARS + '"') == []


@given(st.text(st.sampled_from("abXYZ09_ .(é界\n"), max_size=60))
def test_words_hang_on_nothing_but_the_names_between_what_parts_them(text: str) -> None:
    assert words(text) == [word for part in text.split() for word in words(part)]
    assert all(word == word.lower() and word for word in words(text))
