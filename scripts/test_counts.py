"""Prints how many tests there are of each kind, as the test runner collects them."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GO_TEST = re.compile(r"^func Test\w+\(t \*testing\.T\)", re.MULTILINE)


class Counting:
    """Sorts collected tests by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.counts[kind_of(item)] += 1


def kind_of(item: pytest.Item) -> str:
    """Unit, txtar case, property or end to end."""
    if "e2e" in item.path.parts:
        return "end to end"
    if item.path.name == "test_ghost_cases.py":
        return "txtar case"
    if getattr(getattr(item, "function", None), "is_hypothesis_test", False):
        return "property"
    return "unit"


def main() -> int:
    """Collect, count and print one table."""
    counting = Counting()
    with contextlib.redirect_stdout(io.StringIO()):
        status = pytest.main(["--collect-only", "-q", str(ROOT / "tests")], plugins=[counting])
    if status != 0:
        return int(status)
    go = sum(
        len(GO_TEST.findall(path.read_text())) for path in (ROOT / "index/goassist_index/gotypes").glob("*_test.go")
    )
    counting.counts["Go, type service"] = go
    print("| kind | tests |\n|---|---|")
    for kind in ("unit", "txtar case", "property", "end to end", "Go, type service"):
        print(f"| {kind} | {counting.counts[kind]} |")
    print(f"| all | {counting.counts.total()} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
