"""Claims about goassist_lsp.generate.prompt: windows that typing only appends to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.typefacts import Wanted
from goassist_index.verdict import ImportSpec
from goassist_lsp.generate import prompt
from goassist_models.infill import FORMS, InfillPrompt
from support.places import place

HEAD = 'package p\n\nimport (\n\t"fmt"\n\t"os"\n)\n\n'
LINES = [f"var v{i} = fmt.Sprint({i}, os.Args)\n" for i in range(400)]


def built(marked: str, budget_tokens: int = 256, form: str = "joined") -> InfillPrompt:
    return prompt.build(place(marked), form=form, budget_tokens=budget_tokens)


def long_file(lines_before: int, line: str = "") -> str:
    return HEAD + "".join(LINES[:lines_before]) + line + "<CURSOR>\n" + "".join(LINES[lines_before:])


def test_a_small_file_is_taken_whole() -> None:
    made = built("package p\n\nvar x = <CURSOR>\n\nvar y = 1\n")
    assert (made.prefix, made.suffix) == ("package p\n\nvar x = ", "\n\nvar y = 1\n")
    assert made.form is FORMS["joined"]


@given(st.integers(0, 400), st.sampled_from([128, 256, 1024]))
def test_the_prompt_keeps_to_its_budget(lines_before: int, budget_tokens: int) -> None:
    made = built(long_file(lines_before), budget_tokens)
    assert len(made.prefix) + len(made.suffix) <= budget_tokens * prompt.CHARS_A_TOKEN + len("\n")


def test_a_long_file_keeps_its_package_clause_and_imports() -> None:
    assert built(long_file(300)).prefix.startswith(HEAD)


@given(st.integers(60, 340), st.integers(1, 30))
def test_typing_on_appends_to_the_prefix_and_leaves_the_suffix(lines_before: int, typed: int) -> None:
    text = "value := compute(alpha, beta, gamma)"[:typed]
    before, after = built(long_file(lines_before)), built(long_file(lines_before, text))
    assert after.suffix == before.suffix
    # The window moves in steps: within one, nothing that stood in the prompt moves.
    moved = prompt_start(before) != prompt_start(after)
    assert after.prefix == before.prefix + text or moved


def prompt_start(made: InfillPrompt) -> str:
    return made.prefix[len(HEAD) : len(HEAD) + 20]


def test_the_window_moves_once_in_sixteen_lines_when_lines_are_added() -> None:
    starts = [prompt_start(built(long_file(lines), 1024)) for lines in range(200, 232)]
    assert len(set(starts)) <= 1 + -(-32 // prompt.WINDOW_STEP_LINES)


def test_the_window_moves_in_steps_where_lines_are_long_too() -> None:
    long = [f"\tvalue{line:03} := compute(alpha, beta, gamma, delta, epsilon, zeta)\n" for line in range(60)]
    made = [built(HEAD + "".join(long[:lines]) + "<CURSOR>\n}\n", 512) for lines in range(40, 56)]
    assert len({prompt_start(each) for each in made}) <= 8
    room = 512 * prompt.CHARS_A_TOKEN * (1 - prompt.SUFFIX_SHARE)
    assert all(len(each.prefix) >= room / 3 for each in made)


def test_the_suffix_ends_at_a_lines_end() -> None:
    assert built(long_file(100)).suffix.endswith("\n")


def test_carriage_returns_do_not_reach_the_model() -> None:
    made = built("package p\r\n\r\nvar x = <CURSOR>\r\nvar y = 1\r\n")
    assert "\r" not in made.prefix + made.suffix


def test_one_line_longer_than_the_budget_is_cut_and_not_left_out() -> None:
    made = built("package p\n\nvar x = []int{" + "1, " * 2_000 + "<CURSOR>\n}\n")
    assert made.prefix.endswith("1, 1, ")
    assert len(made.prefix) <= 256 * prompt.CHARS_A_TOKEN


def test_a_note_stands_above_the_cursors_line_with_its_indent() -> None:
    noted = prompt.build(place("func f() {\n\tg(1,<CURSOR>\n}\n"), form="joined", budget_tokens=256, note="g(a, b int)")
    assert noted.noted_prefix.endswith("func f() {\n\t// g(a, b int)\n\tg(1,")


@pytest.mark.parametrize(
    ("wanted", "note"),
    [
        (Wanted(), ""),
        (Wanted("int"), "want int"),
        (Wanted("", "g(a ...any)"), "g(a ...any)"),
        (Wanted("int", "g(a int)"), "g(a int) // want int"),
        (Wanted("int", "g(a int)", ("n", "len")), "g(a int) // want int // e.g. n, len"),
        (Wanted("struct {\n}", ""), ""),
        (Wanted("x" * 999, ""), ""),
    ],
)
def test_what_a_place_asks_for_is_one_line_or_nothing(wanted: Wanted, note: str) -> None:
    assert prompt.note_of(wanted) == note


IN_FUNCTION = "func f() {\n\tx := <CURSOR>\n}\n"
BESIDE = tuple(ImportSpec("", path) for path in ("strings", "os", "math/rand", "crypto/rand", "example.com/m/v2"))


def with_beside(marked: str, beside: tuple[ImportSpec, ...] = BESIDE, budget_tokens: int = 256) -> str:
    return prompt.build(place(marked), form="joined", budget_tokens=budget_tokens, beside=beside).prefix


def test_the_head_shows_what_the_files_beside_import_and_no_name_twice() -> None:
    made = with_beside(HEAD + IN_FUNCTION)
    block = '\t"fmt"\n\t"math/rand"\n\t"os"\n\t"strings"\n\n\t"example.com/m/v2"\n'
    assert made == f"package p\n\nimport (\n{block})\n\nfunc f() {{\n\tx := "


def test_a_file_without_imports_shows_those_beside_too() -> None:
    made = with_beside("package p\n\n" + IN_FUNCTION, BESIDE[:2])
    assert made.startswith('package p\n\nimport (\n\t"os"\n\t"strings"\n)\n\nfunc f()')


@pytest.mark.parametrize("head", ['package p\n\nimport (\n\t"fmt\n', "", 'package p; import "os"\n\n'])
def test_a_head_that_takes_no_import_stays_as_it_is(head: str) -> None:
    assert with_beside(head + IN_FUNCTION) == head + "func f() {\n\tx := "


def test_outside_functions_the_head_stays_as_it_is() -> None:
    assert with_beside(HEAD + "var x = <CURSOR>\n") == HEAD + "var x = "


def test_no_more_imports_are_shown_than_there_is_room_for() -> None:
    many = tuple(ImportSpec("", f"example.com/module/package{number}") for number in range(100))
    made = with_beside(HEAD + IN_FUNCTION, many)
    assert "package0" in made and "package99" not in made
    assert len(made) <= len(HEAD + IN_FUNCTION) + prompt.MOST_BESIDE_CHARS


def test_own_imports_that_the_window_left_out_come_before_those_beside() -> None:
    own = "".join(f'\t"example.com/own/{"x" * 40}{number}"\n' for number in range(20))
    head = f"package p\n\nimport (\n{own})\n\n"
    made = with_beside(head + "".join(LINES) + IN_FUNCTION, BESIDE)
    assert 'x0"' in made and "crypto/rand" not in made


@given(st.integers(1, 30))
def test_typing_on_appends_below_imports_beside(typed: int) -> None:
    text = "value := compute(alpha, beta, gamma)"[:typed]
    before, after = (with_beside(HEAD + f"func f() {{\n\t{said}<CURSOR>\n}}\n") for said in ("", text))
    assert after == before + text


COMMENTED = "package p\n\n// f does it.\nfunc f(n int) int {\n\tx := n<CURSOR>\n\treturn x\n}\n"


def with_names(marked: str, names: tuple[str, ...], budget_tokens: int = 256) -> InfillPrompt:
    return prompt.build(place(marked), form="joined", budget_tokens=budget_tokens, names=names)


def test_names_stand_above_the_function_and_its_comment_the_best_next_to_it() -> None:
    made = with_names(COMMENTED, ("best()", "other()"))
    assert made.prefix == "package p\n\n// other()\n// best()\n\n// f does it.\nfunc f(n int) int {\n\tx := n"
    assert with_names(COMMENTED, ()) == built(COMMENTED)


def test_typing_on_in_the_function_appends_behind_names_too() -> None:
    before = with_names(COMMENTED, ("best()",))
    after = with_names(COMMENTED.replace("<CURSOR>", " + 1\n\ty := <CURSOR>"), ("best()",))
    assert after.prefix == before.prefix + " + 1\n\ty := "
    assert after.suffix == before.suffix


@given(st.integers(0, 300), st.integers(0, 20))
def test_names_take_their_part_of_the_budget_and_nothing_else_away(lines: int, count: int) -> None:
    body = "".join(f"\tcall{n}(n)\n" for n in range(lines))
    names = tuple(f"name{n}(text string) error" for n in range(count))
    made = with_names(f"{HEAD}func f(n int) {{\n{body}\t<CURSOR>\n}}\n", names, 512)
    assert len(made.prefix) + len(made.suffix) <= 512 * prompt.CHARS_A_TOKEN + len("\n")
    assert made.prefix.startswith(HEAD)
    assert made.prefix.endswith("\t")
    assert all(f"// {name}\n" in made.prefix for name in names)


def test_a_small_budget_keeps_the_lines_at_the_cursor_before_the_imports() -> None:
    many = "import (\n" + "".join(f'\t"example.com/module/package{i}"\n' for i in range(15)) + ")\n\n"
    made = prompt.build(place("package p\n\n" + many + "".join(LINES) + "<CURSOR>\n"), form="joined", budget_tokens=128)
    assert made.prefix.endswith(LINES[-1])
    assert made.prefix.count("\n") > 4
    assert "example.com" not in made.prefix
