"""Claims about goassist_models.evaluate.copies: which functions stand nearly the same elsewhere in a module."""

from pathlib import Path

import pytest

from goassist_index.syntax import function_name, functions, parse
from goassist_models.evaluate.copies import Copied, Copies

LONG = """	total, missing := 0, 0
	for _, key := range keys {
		value, ok := s.items[key]
		if !ok {
			missing = missing + 1
			continue
		}
		total = total + clamp(value, s.limit)
	}
	return total, missing
"""
OTHER = """	names := make([]string, 0, len(s.items))
	for name, value := range s.items {
		if value > s.limit {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
"""


def function(name: str, body: str) -> str:
    return f"func (s *Store) {name}(keys ...string) any {{\n{body}}}\n\n"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.go").write_text("package a\n\n" + function("Sum", LONG) + function("Names", OTHER))
    return tmp_path


def nearest(module: Path, name: str, file: str = "a.go") -> Copied | None:
    path = module / file
    source = path.read_bytes()
    (node,) = [node for node in functions(parse(source)) if function_name(node, source).endswith(name)]
    return Copies.below(module).of_function(path, node.start_byte)


def stands_elsewhere(module: Path, text: str) -> Copied | None:
    path = module / "a.go"
    source = path.read_bytes()
    start = source.index(text.encode())
    (node,) = [n for n in functions(parse(source)) if n.start_byte <= start < n.end_byte]
    return Copies.below(module).of_lines(node, source, path, start, start + len(text.encode()))


def test_functions_that_differ_are_no_copies(module: Path) -> None:
    assert nearest(module, "Sum") is None
    assert nearest(module, "Names") is None


def test_a_function_with_names_exchanged_is_a_near_copy(module: Path) -> None:
    (module / "inner" / "b.go").write_text("package b\n\n" + function("Add", LONG.replace("clamp", "cut")))
    found = nearest(module, "Sum")
    assert found is not None
    assert (found.file, found.function) == (module / "inner" / "b.go", "Store.Add")
    assert 0.5 <= found.jaccard < 1


def test_layout_and_comments_do_not_hide_a_copy(module: Path) -> None:
    spread = LONG.replace("\n", "\n\n").replace("continue", "continue // the next one")
    (module / "inner" / "b_test.go").write_text("package b\n\n" + function("Add", spread))
    found = nearest(module, "Sum")
    assert found is not None and found.jaccard == 1.0


def test_a_function_that_stands_within_a_longer_one_is_a_copy_but_the_longer_one_is_none(module: Path) -> None:
    longer = LONG.replace("\treturn total, missing\n", OTHER + OTHER.replace("names", "ids").replace("name", "id"))
    (module / "b.go").write_text("package a\n\n" + function("Both", longer))
    found = nearest(module, "Sum")
    assert found is not None and found.jaccard < 0.5 and found.contained >= 0.8
    assert nearest(module, "Both", "b.go") is None


def test_a_short_beginning_in_common_is_no_copy(module: Path) -> None:
    check = "\tif err := s.open(); err != nil {\n\t\treturn err\n\t}\n"
    (module / "b.go").write_text(
        "package a\n\n" + function("First", check + LONG) + function("Second", check + "\treturn s.second(keys)\n")
    )
    assert nearest(module, "Second", "b.go") is None


def test_lines_that_stand_in_another_function_are_found_there(module: Path) -> None:
    loop = OTHER[OTHER.index("\tfor") : OTHER.index("\tslices")].strip()
    assert stands_elsewhere(module, loop) is None
    (module / "b.go").write_text("package a\n\n" + function("All", f"\tnames := s.names()\n\t{loop}\n" + LONG))
    found = stands_elsewhere(module, loop)
    assert found is not None and found.function == "Store.All"


def test_one_or_two_lines_that_stand_elsewhere_are_no_copy(module: Path) -> None:
    (module / "b.go").write_text("package a\n\n" + function("All", OTHER))
    assert stands_elsewhere(module, "slices.Sort(names)\n\treturn names") is None


def test_lines_that_stand_only_in_the_same_function_are_no_copy(module: Path) -> None:
    (module / "a.go").write_text("package a\n\n" + function("Twice", OTHER + OTHER.replace("names :=", "names =")))
    source = (module / "a.go").read_text()
    again = source[source.index("\tfor") : source.index("\tslices")].strip()
    assert source.count(again) == 2
    assert stands_elsewhere(module, again) is None
