"""Claims about goassist_index.chunk: what a package, a type and a function are cut into."""

from hypothesis import given
from hypothesis import strategies as st

from goassist_index.chunk import MAX_CHARS, Chunk, chunks_of, outline_of, package_pieces
from support import txtar
from support.workspaces import SHOP

FILES = txtar.parse(SHOP).files
GO_LIKE = st.lists(
    st.sampled_from(
        ["func f() {", "}", "type T struct {", "type (", ")", "package p", "import (", '"a/b"', "// doc", "\tx := `",
         "func (t *T[K]) M()", "/*", "*/", "var x = 1", "const (", "\tA = iota", "é👋", "", "if x {", "#", "func ("]
    ),
    max_size=25,
).map("\n".join)  # fmt: skip


def of(chunks: list[Chunk], symbol: str) -> Chunk:
    (found,) = [chunk for chunk in chunks if chunk.symbol == symbol and chunk.kind != "package"]
    return found


def shop(name: str) -> list[Chunk]:
    return chunks_of(name, "example.com/shop/cart", FILES[name].encode())


def test_a_function_has_its_comment_signature_body_and_lines() -> None:
    chunk = of(shop("cart/cart.go"), "Cart.Total")
    assert chunk.text.startswith(
        "// Total adds up the price of all lines.\nfunc (c *Cart) Total() (price.Amount, error) {"
    )
    assert chunk.text.endswith("return price.Sum(c.lines), nil\n}")
    assert (chunk.kind, chunk.receiver, chunk.package) == ("function", "Cart", "example.com/shop/cart")
    lines = FILES["cart/cart.go"].split("\n")
    assert "\n".join(lines[chunk.lines[0] - 1 : chunk.lines[1]]) == chunk.text


def test_a_type_has_its_comment_and_the_signatures_of_its_methods_in_all_files() -> None:
    files = [(name, outline_of(FILES[f"cart/{name}"].encode())) for name in ("cart.go", "discount.go")]
    (name, piece), *_ = [(n, p) for n, p in package_pieces("example.com/shop/cart", files) if p.symbol == "Cart"]
    assert name == "cart.go"
    assert piece.text == (
        "// Cart is a list of lines with one currency.\ntype Cart struct {\n\tlines []Line\n}\n\n"
        "func (c *Cart) ApplyDiscount(percent int) error\nfunc (c *Cart) Total() (price.Amount, error)"
    )


def test_types_of_a_group_are_cut_apart_each_with_its_own_comment() -> None:
    chunks = shop("cart/cart.go")
    line = of(chunks, "Line")
    assert line.text.startswith("// Line is one article and how many of it.\ntype Line struct {\n\tArticle string\n")
    assert "quiet" not in line.text
    assert of(chunks, "quiet").text == "type quiet int"


def test_a_package_has_its_comment_its_imports_and_what_it_exports() -> None:
    (package,) = [chunk for chunk in shop("cart/cart.go") if chunk.kind == "package"]
    assert package.text.split("\n") == [
        "// Package cart holds what a customer is about to buy.",
        'package cart // import "example.com/shop/cart"',
        "import errors example.com/shop/price",
        'var ErrEmpty = errors.New("empty cart")',
        "type Cart struct",
        "type Line struct",
        "func ParseLine(text string) (Line, error)",
    ]
    assert package.lines == (1, 2)


def test_tests_give_functions_but_no_package() -> None:
    assert [(c.kind, c.symbol) for c in shop("cart/cart_test.go")] == [("function", "TestParseLine")]


def test_a_long_function_is_cut_at_statements_and_no_line_is_lost() -> None:
    body = "".join(f'\tif step{n} {{\n\t\tdoSomething({n}, "{"x" * 40}")\n\t}}\n' for n in range(150))
    source = f"package p\n\n// Long does much.\nfunc Long(a int) {{\n{body}}}\n"
    chunks = chunks_of("p.go", "p", source.encode())
    parts = [chunk for chunk in chunks if chunk.kind == "function"]
    assert len(parts) > 3
    assert all(part.text.startswith(("// Long does much.\nfunc Long(a int) {", "func Long(a int) {")) for part in parts)
    assert all(len(part.text) <= MAX_CHARS + 100 for part in parts)
    whole = "\n".join(part.text for part in parts)
    assert all(whole.count(f"doSomething({n},") == 1 for n in range(150))
    for part in parts[1:]:
        assert part.text.split("\n")[2].startswith("\tif step")
        assert source.split("\n")[part.lines[0] - 1] == part.text.split("\n")[2]
    assert [part.lines[1] + 1 for part in parts[:-1]] == [part.lines[0] for part in parts[1:]]


def test_a_table_of_one_statement_is_cut_at_line_ends() -> None:
    rows = "".join(f'\t\t{{"name {n}", {n}}},\n' for n in range(400))
    source = f"package p\n\nfunc Table() {{\n\tx := []row{{\n{rows}\t}}\n\tuse(x)\n}}\n"
    parts = [chunk for chunk in chunks_of("p.go", "p", source.encode()) if chunk.kind == "function"]
    assert len(parts) > 2
    assert all("\n".join(part.text for part in parts).count(f'"name {n}"') == 1 for n in range(400))


def test_a_large_type_is_cut_at_lines_each_part_with_its_first_line() -> None:
    fields = "".join(f"\tField{n} string // {'x' * 30}\n" for n in range(200))
    methods = "".join(f"\nfunc (b *Big) Method{n}() {{}}\n" for n in range(5))
    source = f"package p\n\n// Big is big.\ntype Big struct {{\n{fields}}}\n{methods}"
    parts = [chunk for chunk in chunks_of("p.go", "p", source.encode()) if chunk.kind == "type"]
    assert len(parts) > 2
    assert all("type Big struct {" in part.text for part in parts)
    lines = source.split("\n")
    for part in parts[1:]:
        assert lines[part.lines[0] - 1] == part.text.split("\n")[1]
    assert (parts[0].lines[0], parts[-1].lines[1]) == (3, 205)
    assert "func (b *Big) Method4()" in parts[-1].text


def test_a_large_package_and_a_long_comment_stay_within_bounds() -> None:
    functions = "".join(f"func Exported{n}(first, second string) error {{ return nil }}\n" for n in range(200))
    comment = "// A manual.\n" * 1000
    source = f"{comment}package p\n\n{functions}{comment}func Last() {{}}\n"
    chunks = chunks_of("p.go", "example.com/p", source.encode())
    assert all(len(chunk.text) <= MAX_CHARS + 100 for chunk in chunks)
    packages = [chunk for chunk in chunks if chunk.kind == "package"]
    assert all('package p // import "example.com/p"' in chunk.text for chunk in packages[1:])
    assert all(sum(f"Exported{n}(" in c.text for c in packages) == 1 for n in range(200))


def test_a_declaration_behind_broken_code_is_found() -> None:
    source = b"package p\n\nfunc broken( {\n\nfunc Whole() int {\n\treturn 1\n}\n"
    assert "Whole" in [chunk.symbol for chunk in chunks_of("p.go", "p", source)]


def test_a_comment_parted_by_a_blank_line_is_no_doc_comment() -> None:
    source = b"// Licence.\n\npackage p\n\n// Alone.\n\nfunc F() {}\n\nvar a = 1 // behind\nfunc G() {}\n"
    chunks = chunks_of("p.go", "p", source)
    assert [chunk.text for chunk in chunks if chunk.kind == "function"] == ["func F() {}", "func G() {}"]
    assert not any("Licence" in chunk.text for chunk in chunks)


def test_generic_receivers_and_types_have_bare_names() -> None:
    source = (
        b"package p\n\ntype Set[K comparable] struct{ m map[K]bool }\n\nfunc (s *Set[K]) Add(k K) { s.m[k] = true }\n"
    )
    chunks = chunks_of("p.go", "p", source)
    assert [c.symbol for c in chunks if c.kind == "function"] == ["Set.Add"]
    assert "func (s *Set[K]) Add(k K)" in of(chunks, "Set").text


def test_digests_name_the_text_and_nothing_else() -> None:
    here, there = shop("cart/discount.go"), chunks_of("other/x.go", "other", FILES["cart/discount.go"].encode())
    functions = [[c.digest for c in chunks if c.kind == "function"] for chunks in (here, there)]
    assert functions[0] == functions[1]
    assert len({c.digest for c in shop("cart/cart.go")}) == len(shop("cart/cart.go"))


@given(GO_LIKE)
def test_any_text_is_cut_without_complaint(text: str) -> None:
    for chunk in chunks_of("p.go", "p", text.encode()):
        assert 1 <= chunk.lines[0] <= chunk.lines[1] <= text.count("\n") + 1
        assert len(chunk.text) <= 2 * MAX_CHARS


@given(st.binary(max_size=200))
def test_any_bytes_are_cut_without_complaint(data: bytes) -> None:
    chunks_of("p.go", "p", data)
