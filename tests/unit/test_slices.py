"""Claims about goassist_models.evaluate.slices: what a hole's truth refers to decides the groups it is reported in."""

from __future__ import annotations

from pathlib import Path

import pytest

from goassist_index.gotools import PackageOrigin, list_packages
from goassist_index.syntax import function_name, functions, parse
from goassist_models.evaluate.declarations import ModuleDeclarations
from goassist_models.evaluate.slices import SLICES, slices_and_dependencies

FILES = {
    "go.mod": "module example.com/shop\n\ngo 1.22\n",
    "shop.go": """package shop

import (
	"cmp"
	"strings"
	"sync"

	"example.com/shop/money"
)

type Cart struct {
	mu    sync.Mutex
	items []item
	done  chan struct{}
}

func Largest[T cmp.Ordered](of ...T) T {
	return max(of[0], of[1])
}

func Plain[T any](of T) T {
	return of
}

func (c *Cart) Total() money.Amount {
	sum := money.Zero()
	for _, it := range c.items {
		sum = sum.Plus(it.price)
	}
	return sum
}

func (c *Cart) Names() string {
	return strings.Join(names(c.items), ", ")
}

func (c *Cart) Close() {
	close(c.done)
}

func Biggest(a, b int) int {
	return Largest(a, b)
}

func Wait(c *Cart) {
	select {
	case <-c.done:
		println("done")
	}
}
""",
    "item.go": """package shop

import "example.com/shop/money"

type item struct {
	name  string
	price money.Amount
}

func names(of []item) []string {
	var found []string
	for _, it := range of {
		found = append(found, it.name)
	}
	return found
}
""",
    "shop_test.go": """package shop

import "testing"

func TestNames(t *testing.T) {
	if names(nil) != nil {
		t.Fatal("names of nothing")
	}
}
""",
    "money/money.go": """package money

type Amount int

func Zero() Amount { return 0 }

func (a Amount) Plus(b Amount) Amount { return a + b }
""",
}


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModuleDeclarations]:
    root = tmp_path_factory.mktemp("shop")
    for name, content in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content)
    packages = tuple(p for p in list_packages(root, ("./...",), export=False) if p.in_module)
    return root, ModuleDeclarations.of(root, packages)


@pytest.mark.parametrize(
    ("file", "function", "truth", "expected"),
    [
        ("shop.go", "Largest", "max(of[0], of[1])", {"generics"}),
        ("shop.go", "Plain", "of\n}", set()),
        ("shop.go", "Biggest", "Largest(a, b)", {"generics"}),
        ("shop.go", "Cart.Total", "money.Zero()", {"cross-package"}),
        ("shop.go", "Cart.Total", "sum.Plus(it.price)", {"cross-package", "cross-file", "unexported-types"}),
        ("shop.go", "Cart.Names", "names(c.items)", {"cross-file"}),
        ("shop.go", "Cart.Names", "strings.Join", set()),
        ("shop.go", "Cart.Close", "close(c.done)", {"concurrency"}),
        ("shop.go", "Wait", 'println("done")', {"concurrency"}),
        ("item.go", "names", "it.name", {"unexported-types"}),
        ("shop_test.go", "TestNames", "names(nil)", {"cross-file", "tests"}),
    ],
)
def test_slices_of_a_truth(
    module: tuple[Path, ModuleDeclarations], file: str, function: str, truth: str, expected: set[str]
) -> None:
    found, dependencies = asked(*module, file, function, truth)
    assert set(found) == expected
    assert list(found) == [name for name in SLICES if name in expected]
    assert dependencies == ()


def test_a_package_of_another_module_is_a_dependency_with_its_version_and_month(
    module: tuple[Path, ModuleDeclarations],
) -> None:
    root, declarations = module
    origin = PackageOrigin(
        "example.com/shop/money", "money", "example.com/money", "v1.2.3", "2025-03-04T05:06:07Z", main=False
    )
    elsewhere = ModuleDeclarations(declarations.packages, declarations.files, {"example.com/shop/money": origin})
    found, dependencies = asked(root, elsewhere, "shop.go", "Cart.Total", "money.Zero()")
    assert "dependencies" in found
    assert dependencies == ("example.com/money@v1.2.3 2025-03",)


def asked(
    root: Path, declarations: ModuleDeclarations, file: str, function: str, truth: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    path = root / file
    source = path.read_bytes()
    node = next(node for node in functions(parse(source)) if function_name(node, source) == function)
    start = source.index(truth.encode(), node.start_byte)
    return slices_and_dependencies(declarations, path, source, node, start, start + len(truth))
