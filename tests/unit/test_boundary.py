"""Claims about goassist_index.boundary: where the text said into a hole ends, for stopping and trimming alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.boundary import Hole, boundary, repeat_of_following

PIECES = st.lists(
    st.sampled_from(
        [
            "a",
            "foo",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            ", ",
            " + ",
            "\n",
            "\t",
            '"',
            "`",
            "'",
            ":",
            ".",
            "return b",
            "func",
            "//",
            "\\",
            "if x {\n",
        ]
    ),
    max_size=24,
).map("".join)
HOLES = st.builds(
    Hole,
    multiline=st.booleans(),
    literal=st.sampled_from(["", "", '"', "`", '\\"']),
    literal_closed=st.booleans(),
    closers=st.sampled_from(["", ")", ")}", "}", "})}"]),
    due=st.integers(0, 1),
    spare=st.sampled_from(["", "", "}", ")"]),
    ended=st.booleans(),
    in_list=st.booleans(),
    rest=st.sampled_from(["", ")", ", b)", "{", "+ b"]),
    following=st.sampled_from([(), ("return b", "}"), ("if x {", "foo()")]),
)


@given(PIECES, PIECES, HOLES)
def test_an_end_stays_where_it_was_found_however_the_text_goes_on(text: str, more: str, hole: Hole) -> None:
    found = boundary(text, hole)
    if found is not None:
        assert boundary(text + more, hole) == found


@given(PIECES, HOLES)
def test_trimming_twice_is_trimming_once(text: str, hole: Hole) -> None:
    end = boundary(text, hole)
    once = text if end is None else text[:end]
    again = boundary(once, hole)
    assert again is None or once[:again] == once


LINE = Hole(multiline=False)
BLOCK = Hole(multiline=True, following=("return n", "}"))


@pytest.mark.parametrize(
    ("hole", "text", "kept"),
    [
        (LINE, "foo(a)\nbar()", "foo(a)"),
        (LINE, "foo(\n\ta,\n)\nbar()", "foo(\n\ta,\n)"),
        (LINE, "a +\n\tb\nc", "a +\n\tb"),
        (LINE, "a // why\nb", "a // why"),
        (LINE, "a)\n", "a"),
        (LINE, "1:\n\treturn", "1:"),
        (LINE, "`a\nb`\nc", "`a\nb`"),
        (LINE, "[]int{1}\n```\nThis", "[]int{1}"),
        (Hole(multiline=False, ended=True), "\n\tbar()", ""),
        (Hole(multiline=False, in_list=True), "1,\n\tb: 2,", "1,"),
        (Hole(multiline=False, closers=")", due=1), "a,\n\tb)\nc", "a,\n\tb)"),
        (Hole(multiline=False, closers="}", due=0), "a\n}", "a"),
        (Hole(multiline=False, spare="}"), "x {\n\tfoo()\n}", "x {"),
        (Hole(multiline=False, rest=", b)"), "a, b)\n", "a"),
        (Hole(multiline=False, rest="{"), '[]string{"a"} {\n', '[]string{"a"} '),
        (Hole(multiline=False, literal='"'), 'b")\nc', 'b"'),
        (Hole(multiline=False, literal='"', literal_closed=True, rest='")'), 'b")\nc', "b"),
        (Hole(multiline=False, literal="`", literal_closed=True), "b\nc`", "b\nc"),
        (BLOCK, "n++\nreturn n\n}", "n++\n"),
        (BLOCK, "if n {\n\treturn n\n}\nn++", "if n {\n\treturn n\n}\nn++"),
        (BLOCK, "n++\nfunc g() {", "n++"),
        (BLOCK, "f := func() {\n}\nn++", "f := func() {\n}\nn++"),
        (Hole(multiline=True, closers="}"), "n++\n}\n\nvar x", "n++\n}"),
    ],
)
def test_what_was_asked_ends_where_the_place_says(hole: Hole, text: str, kept: str) -> None:
    end = boundary(text, hole)
    assert text[:end] == kept


def test_a_header_like_the_next_one_is_no_repeat_until_its_body_is_too() -> None:
    hole = Hole(multiline=True, following=("for _, x := range xs {", "use(x)"))
    assert repeat_of_following("for _, x := range xs {\n\tcheck(x)\n}\n", hole) is None
    assert repeat_of_following("for _, x := range xs {\n\tuse(x)\n}\n", hole) == 0


def test_a_last_line_without_its_end_counts_only_when_nothing_more_will_be_said() -> None:
    assert repeat_of_following("n++\nreturn n", BLOCK) is None
    assert repeat_of_following("n++\nreturn n", BLOCK, whole=True) == 4
