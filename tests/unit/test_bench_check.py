"""Claims about `bench check`: what is asked where, what is counted, and what is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from goassist_index.typefacts import Wanted
from goassist_index.verdict import LegalNames, Verdict
from goassist_lsp import cli
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.cli.bench_check import Measured, measured
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.example import Case
from support.examples import case


class NotingChecker(FakeChecker):
    """Also notes every question, in order; texts with "unclear" in them it cannot judge."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[tuple[str, str]] = []

    async def check(
        self,
        snapshot: DocumentSnapshot,
        start: int,
        end: int,
        inserts: tuple[str, ...],
        *,
        complete: bool = False,
        resolve_imports: bool = False,
    ) -> tuple[Verdict, ...]:
        self.questions.append(("check", inserts[0]))
        return tuple(Verdict("unknown" if "unclear" in insert else "ok") for insert in inserts)

    async def legal(self, snapshot: DocumentSnapshot, offset: int, said: str) -> LegalNames | None:
        self.questions.append(("legal", said))
        return None

    async def wanted(self, snapshot: DocumentSnapshot, offset: int) -> Wanted:
        self.questions.append(("wanted", ""))
        return Wanted()


def cases(root: Path, *truths: str) -> list[Case]:
    """A case for each truth, each in a file of its own; every other one in a package of its own."""
    made = []
    for number, truth in enumerate(truths):
        file = f"p{number // 2}/a{number}.go"
        path = root / file
        path.parent.mkdir(exist_ok=True)
        before = f"package p{number // 2}\n\nfunc f{number}() {{\n\t"
        path.write_text(f"{before}{truth}\n}}\n")
        made.append(case(number, file=file, start=len(before), end=len(before) + len(truth), truth=truth))
    return made


async def test_each_place_is_asked_about_in_the_pipelines_order_and_a_new_package_first(tmp_path: Path) -> None:
    checker = NotingChecker()
    found = await measured(checker, tmp_path, cases(tmp_path, "one()", "two()", "three()"))
    first = ("check", "")
    assert checker.questions == [
        *(first, ("wanted", ""), ("legal", ""), ("check", "one()")),
        *(("wanted", ""), ("legal", ""), ("check", "two()")),
        *(first, ("wanted", ""), ("legal", ""), ("check", "three()")),
    ]
    assert {name: len(ms) for name, ms in found.ms.items()} == {
        "check": 3,
        "legal": 3,
        "wanted": 3,
        "first check of a package": 2,
    }
    assert (found.places, found.unknown) == (3, 0)


async def test_what_cannot_be_judged_is_counted(tmp_path: Path) -> None:
    found = await measured(NotingChecker(), tmp_path, cases(tmp_path, "one()", "unclear()"))
    assert (found.places, found.unknown) == (2, 1)


def test_figures_of_modules_add_up() -> None:
    one, other = Measured(places=1), Measured(places=2, unknown=1)
    one.ms["check"], other.ms["check"] = [1.0], [2.0, 9.0]
    one.add(other)
    assert one.as_json()["check"] == {"n": 3, "p50": 2.0, "p95": 9.0}
    assert (one.places, one.unknown) == (3, 1)


@pytest.mark.skipif(shutil.which("go") is None, reason="needs the Go toolchain")
def test_a_real_module_is_measured_and_one_without_places_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.23\n")
    lines = "".join(f"\tprintln(a, b, {n})\n\tb = a + {n}\n" for n in range(8))
    (tmp_path / "m.go").write_text(f"package m\n\nfunc f(a, b int) int {{\n{lines}\treturn a * b\n}}\n")
    assert cli.main(["bench", "check", str(tmp_path), "--limit", "4", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ms"]["places"] == said["ms"]["check"]["n"] == 1
    assert said["ms"]["first check of a package"]["n"] == 1
    assert cli.main(["bench", "check", str(tmp_path), "--limit", "0"]) == 1
    assert "first check p50" in capsys.readouterr().out
