"""Claims about goassist_index.around: what types say and which files somebody works on counts in a search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goassist_index.around import Around
from goassist_index.search import Searcher
from goassist_index.store import Store
from goassist_index.update import update_workspace
from support.workspaces import lay_out

BANK = """\
-- go.mod --
module example.com/bank

go 1.23
-- ledger/ledger.go --
package ledger

// Ledger keeps entries.
type Ledger interface {
	Append(text string) error
	Balance() int
}

// Open begins a new one.
func Open(name string) Ledger {
	return &disk{name: name}
}
-- ledger/disk.go --
package ledger

type disk struct {
	name string
}

func (d *disk) Append(text string) error {
	return nil
}

func (d *disk) Balance() int {
	return 0
}

type paper struct{}

func (p *paper) Balance() int {
	return 1
}
-- audit/audit.go --
package audit

// Ledger is another one.
type Ledger struct {
	seen int
}

// Compare weighs two sums.
func Compare(one, other int) bool {
	return one == other
}

// Weigh compares two sums.
func Weigh(one, other int) bool {
	return Compare(one, other)
}
-- audit/late.go --
package audit

// Compared says how two sums compare.
func Compared(one, other int) string {
	return "alike"
}
"""


@pytest.fixture
def searcher(tmp_path: Path) -> Iterator[Searcher]:
    root = lay_out(tmp_path / "bank", BANK)
    with Store(tmp_path / "store") as store:
        update_workspace(store, root)
        made = Searcher(store, root)
        made.refresh()
        yield made


def places(searcher: Searcher, query: str, around: Around | None = None) -> list[tuple[str, str]]:
    return [(found.path, found.symbol) for found in searcher.search(query, 20, around=around)]


def test_a_type_in_play_is_found_though_the_words_do_not_name_it(searcher: Searcher) -> None:
    assert ("ledger/ledger.go", "Ledger") not in places(searcher, "compare two sums")
    found = places(searcher, "compare two sums", Around(types=("ledger.Ledger",)))
    assert ("ledger/ledger.go", "Ledger") in found
    assert ("audit/audit.go", "Ledger") not in found
    assert ("audit/audit.go", "Ledger") in places(searcher, "compare two sums", Around(types=("Ledger",)))


def test_methods_of_a_type_in_play_come_with_it(searcher: Searcher) -> None:
    assert ("ledger/disk.go", "paper.Balance") in places(searcher, "compare two sums", Around(types=("paper",)))


def test_of_an_interface_in_play_those_who_implement_it_are_found(searcher: Searcher) -> None:
    found = places(searcher, "compare two sums", Around(types=("ledger.Ledger",)))
    assert ("ledger/disk.go", "disk") in found
    assert ("ledger/disk.go", "paper") not in found


def test_who_calls_the_same_function_is_found(searcher: Searcher) -> None:
    assert ("audit/audit.go", "Weigh") not in places(searcher, "disk name")
    found = places(searcher, "disk name", Around(calls=("Compare",)))
    assert ("audit/audit.go", "Weigh") in found
    assert ("audit/audit.go", "Compare") not in found


def test_what_stands_in_a_file_of_late_comes_before_what_fits_alike(searcher: Searcher, tmp_path: Path) -> None:
    for name in ("early", "later"):
        text = f"package audit\n\n// Same{name.title()} is a twin.\nfunc Same{name.title()}() {{}}\n"
        searcher.set_buffer(tmp_path / f"bank/audit/{name}.go", text)
    asked = "twin"
    assert [path for path, _ in places(searcher, asked)] == ["audit/early.go", "audit/later.go"]
    found = places(searcher, asked, Around(recent=("audit/later.go",)))
    assert [path for path, _ in found] == ["audit/later.go", "audit/early.go"]
    # It has to fit: a file of late in which nothing does is of no help.
    assert places(searcher, asked, Around(recent=("ledger/disk.go",))) == places(searcher, asked)


def test_a_method_of_a_type_in_play_comes_before_another_types_of_the_same_name(searcher: Searcher) -> None:
    methods = ("disk.Balance", "paper.Balance")
    for first, second in (methods, methods[::-1]):
        found = searcher.search("balance", 20, around=Around(types=(first.partition(".")[0],)))
        assert [one.symbol for one in found if one.symbol in methods] == [first, second]


def test_a_test_of_late_does_not_come_before_what_it_tests(searcher: Searcher, tmp_path: Path) -> None:
    text = "package audit\n\nfunc TestCompare() {\n\t// compare two sums\n\tCompare(1, 2)\n}\n"
    searcher.set_buffer(tmp_path / "bank/audit/audit_test.go", text)
    found = places(searcher, "compare two sums", Around(recent=("audit/audit_test.go",)))
    assert found == places(searcher, "compare two sums")
    assert ("audit/audit_test.go", "TestCompare") in found


def test_who_knows_nothing_of_the_place_gets_what_the_words_find(searcher: Searcher) -> None:
    assert places(searcher, "compare two sums", Around()) == places(searcher, "compare two sums")
    unknown = Around(types=("NoSuchType",), calls=("noSuchCall",), recent=("no/such.go",))
    assert places(searcher, "compare two sums", unknown) == places(searcher, "compare two sums")
