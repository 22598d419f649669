"""Claims about goassist_lsp.generate.reuse: what was shown serves the keys that say the same."""

import pickle
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from goassist_lsp.generate.reuse import CompletionCache
from goassist_lsp.types import Candidate, CursorContext
from goassist_models.engine import Generation
from support.places import place

BEFORE, AFTER = "package p\n\nvar x = ", "\n\nvar y = 1\n"


def at(typed: str) -> CursorContext:
    return place(f"{BEFORE}{typed}<CURSOR>{AFTER}")


def shown(*texts: str, trail: tuple[str, ...] = ()) -> tuple[Candidate, ...]:
    return tuple(Candidate(text, 0, 0, Generation(text, "eos", mean_logprob=-0.5), trail=trail) for text in texts)


def texts(generations: tuple[Generation, ...]) -> list[str]:
    return [generation.text for generation in generations]


@given(st.text(st.sampled_from("ab (),\n\té👋"), min_size=1, max_size=30), st.data())
def test_typing_any_beginning_of_a_text_leaves_exactly_its_rest(text: str, data: st.DataObject) -> None:
    typed = data.draw(st.integers(0, len(text) - 1))
    cache = CompletionCache()
    cache.put(at(""), shown(text))
    rest = text[typed:]
    assert texts(cache.get(at(text[:typed]))) == ([rest] if rest.strip() else [])


def test_other_text_than_the_suggestion_gets_nothing() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo(a)"))
    assert cache.get(at("fa")) == ()


def test_going_back_brings_the_suggestion_back() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo(a)"))
    cache.put(at("fa"), shown("ct()"))
    assert texts(cache.get(at("f"))) == ["oo(a)"]


def test_of_several_suggestions_those_that_agree_remain() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo(a)", "bar()", "fob"))
    assert texts(cache.get(at("fo"))) == ["o(a)", "b"]


def test_a_text_typed_to_its_end_is_used_up() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo"))
    assert cache.get(at("foo")) == ()
    assert [cache.used_up(at(typed)) for typed in ("", "fo", "foo", "food", "bar")] == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_what_was_cut_back_is_not_all_that_there_is() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo", trail=("cut back",)))
    assert not cache.used_up(at("foo"))


def test_a_change_behind_the_cursor_ends_the_reuse() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo(a)"))
    assert cache.get(place(f"{BEFORE}f<CURSOR>)" + AFTER)) == ()


def test_another_file_with_the_same_text_gets_nothing() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo(a)"))
    other = at("f")
    assert cache.get(replace(other, snapshot=replace(other.snapshot, uri="file:///other.go"))) == ()


def test_line_ends_of_the_document_do_not_hinder_reuse() -> None:
    cache = CompletionCache()
    cache.put(place("package p\r\n\r\nvar x = <CURSOR>\r\n"), shown("f(\n\t1,\n)"))
    assert texts(cache.get(place("package p\r\n\r\nvar x = f(\r\n<CURSOR>\r\n"))) == ["\t1,\n)"]


def test_the_oldest_place_is_forgotten_first() -> None:
    cache = CompletionCache(capacity=2)
    for typed, text in (("1", "a"), ("2", "b"), ("3", "c")):
        cache.put(at(typed), shown(text))
    assert cache.get(at("1")) == ()
    assert texts(cache.get(at("3"))) == ["c"]


def test_clear_forgets_everything() -> None:
    cache = CompletionCache()
    cache.put(at(""), shown("foo"))
    cache.clear()
    assert cache.get(at("")) == ()


def test_of_a_large_file_only_what_is_near_is_kept() -> None:
    far, near = "var z = 1\n" * 10_000, "var x = "
    cache = CompletionCache()
    for number in range(64):
        cache.put(place(f"package p\n\n{far}{'a' * number}{near}<CURSOR>\n{far}"), shown("foo(a)"))
    assert len(pickle.dumps(cache)) < 64 * 6_000
    later = far.replace("z", "w", 1)
    assert texts(cache.get(place(f"package p\n\n{later}{near}fo<CURSOR>\n{far}"))) == ["o(a)"]
    assert cache.get(place(f"package p\n\n{far}\n{near}fo<CURSOR>\n{far}")) == ()
    assert cache.get(place(f"package p\n\n{far}{near}fo<CURSOR>\n{far}\n")) == ()
