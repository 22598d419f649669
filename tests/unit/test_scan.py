"""Claims about goassist_index.scan: tokens, brackets, literals and declarations of text that need not parse."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index import scan

# Text that is dense in what the scanner has to tell apart.
GO_LIKE = st.text(st.sampled_from("ab_1 \t\n\"'`/*\\()[]{}.,:;=+-&<é👋"), max_size=80)
GO_LINES = st.lists(
    st.sampled_from(
        [
            "func f() {",
            "}",
            "\tx := 1",
            "",
            "type T struct {",
            "var x = []int{",
            ")",
            "import (",
            "\t`",
            "// a",
            '\t"a',
            "\tif x {",
            "\t}",
        ]
    ),
    max_size=14,
).map("\n".join)


@given(GO_LIKE)
def test_tokens_cover_all_but_blanks_and_never_overlap(text: str) -> None:
    spans = [(token.start, token.end) for token in scan.tokens(text)]
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
    covered = {index for start, end in spans for index in range(start, end)}
    assert all(char in " \t" for index, char in enumerate(text) if index not in covered)


@given(GO_LIKE)
def test_a_token_is_its_span_of_the_text(text: str) -> None:
    assert all(text[token.start : token.end] == token.text for token in scan.tokens(text))


@given(GO_LIKE)
def test_brackets_and_literals_found_alone_are_those_among_all_tokens(text: str) -> None:
    among_all = [token for token in scan.tokens(text) if token.kind in ("comment", "string", "open", "close")]
    assert [scan._token(match) for match in scan._NESTING_TOKEN.finditer(text)] == among_all


@given(GO_LIKE)
def test_the_closers_needed_leave_nothing_open(text: str) -> None:
    last = [*scan.tokens(text)][-1:]
    if not last or last[0].closed:
        assert scan.brackets(text + "\n" + scan.brackets(text).needed).openers == ""


@given(GO_LINES, st.integers(0, 200))
def test_declaration_span_contains_the_offset(text: str, at: int) -> None:
    offset = min(at, len(text))
    start, end = scan.declaration_span(text, offset)
    assert 0 <= start <= offset <= end <= len(text)


@given(GO_LIKE, GO_LIKE)
def test_a_literal_ends_at_the_same_place_whether_scanned_whole_or_from_its_middle(before: str, after: str) -> None:
    literal = scan.open_literal(before)
    if literal in (None, "//", "/*"):
        return
    whole = next(token for token in scan.tokens(before + after) if token.end >= len(before))
    end = scan.literal_end(after, literal)
    if end:
        assert whole.end == len(before) + end
    else:
        assert not whole.closed


@pytest.mark.parametrize(
    ("text", "closers", "openers"),
    [
        ("f(a, []int{1})", "", ""),
        ("f(a, []int{1", "", "({"),
        ("a) }", ")}", ""),
        ("(]", "]", "("),
        ("\")\" + `}` + ')' // {", "", ""),
        ("/* ( */ {", "", "{"),
    ],
)
def test_brackets_in_literals_and_comments_do_not_count(text: str, closers: str, openers: str) -> None:
    assert scan.brackets(text) == scan.Brackets(closers, openers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('x := "a', '"'),
        ('x := "a\\', '\\"'),
        ('x := "a\\\\', '"'),
        ("x := 'a", "'"),
        ("x := `a\nb\\", "`"),
        ("x // a", "//"),
        ("x // a\n", None),
        ("x /* a\n", "/*"),
        ('x := "a\n', None),
        ("x := 1", None),
    ],
)
def test_open_literal_tells_what_the_text_breaks_off_in(text: str, expected: str | None) -> None:
    assert scan.open_literal(text) == expected


@pytest.mark.parametrize(
    ("text", "quote", "end"),
    [
        ('b") + 1', '"', 2),
        ('n" + 1', '\\"', 2),
        ('"" + 1', '\\"', 2),
        ("a\nb`", "`", 4),
        ('a\n"', '"', 0),
        ("a */ b", "/*", 4),
    ],
)
def test_literal_end_is_behind_the_closing_quote(text: str, quote: str, end: int) -> None:
    assert scan.literal_end(text, quote) == end


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("f(", True),
        ("x[", True),
        ("if x {", False),
        ("func() {", False),
        ("T{", True),
        ("[]int{", True),
        ("struct {", False),
        ("struct{", False),
        ("[]T{\n\t{", True),
        ("[]T{{1}, {", True),
        ('map[string]T{"a": {', True),
    ],
)
def test_holds_elements_tells_literals_from_blocks_by_gofmts_space(text: str, elements: bool) -> None:
    assert scan.holds_elements(text, len(text) - 1) is elements


def test_a_declaration_ends_with_its_closing_brace_in_column_0() -> None:
    text = "package p\n\nfunc a() {\n\tx(\n}\n\nfunc b() {}\n"
    start, end = scan.declaration_span(text, text.index("x("))
    assert text[start:end] == "func a() {\n\tx(\n}"


def test_a_declaration_without_its_brace_ends_before_the_next() -> None:
    text = "package p\n\nfunc a() {\n\tx(\n\nfunc b() {}\n"
    start, end = scan.declaration_span(text, text.index("x("))
    assert text[start:end] == "func a() {\n\tx(\n\n"


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("a()\nb()", [3, 7]),
        ("a(\nb)\nc", [5, 7]),
        ("a +\nb", [5]),
        ("x := T{\n1,\n}", [12]),
        ("a.\nb()", [6]),
        ("a(", []),
    ],
)
def test_statement_ends_are_line_ends_that_nothing_carries_on(text: str, ends: list[int]) -> None:
    assert scan.statement_ends(text) == ends
