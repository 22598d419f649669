"""Claims about goassist_lsp.postprocess.fixes: the cure for each complaint, in words that the Go type checker uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from goassist_index.verdict import Diagnostic, Verdict
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.postprocess.fixes import fixed_versions
from goassist_lsp.types import DocumentSnapshot

MODULE = """package p

import "bytes"

type T struct{ a int }

func (t *T) Read(p []byte) (int, error) { return 0, nil }

type reader interface{ Read(p []byte) (int, error) }

func take(t *T)          {}
func val(t T)            {}
func read(r reader)      {}
func two() (int, error)  { return 0, nil }
func one() int           { return 1 }

var _ bytes.Buffer
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, TypeChecker]]:
    root = tmp_path_factory.mktemp("fixes")
    (root / "go.mod").write_text("module example.com/p\n\ngo 1.22\n")
    (root / "p.go").write_text(MODULE)
    made = TypeChecker()
    await made.set_folders([root])
    yield root, made
    await made.close()


@pytest.mark.parametrize(
    ("before", "said", "fixed"),
    [
        ("var t T", "take(t)", "take(&t)"),
        ("var t T", "read(t)", "read(&t)"),
        ("p := &T{}", "val(p)", "val(*p)"),
        ("var t T", "val(&t)", "val(t)"),
        ("n := 1\n\t_ = n", "n := 2", "n = 2"),
        ("", "n = one()\n\t_ = n", "n := one()\n\t_ = n"),
        ("", "n := two()\n\t_ = n", "n, err := two()\n\t_ = n"),
        ("", "n, err := one()\n\t_ = n", "n := one()\n\t_ = n"),
        ("", "if true {\n\t\tn := one()\n\t}", None),
        (
            "",
            "if true {\n\t\tn, err := two()\n\t\tprintln(n)\n\t}",
            "if true {\n\t\tn, _ := two()\n\t\tprintln(n)\n\t}",
        ),
        (
            "",
            "for i, b := range []int{1} {\n\t\tone()\n\t\t_ = b\n\t}",
            "for _, b := range []int{1} {\n\t\tone()\n\t\t_ = b\n\t}",
        ),
        ("", "println(1)\n\ttake(nil, one(), 3)\n\tprintln(2)", "println(1)\n\ttake(nil)\n\tprintln(2)"),
        ("", "one()\n\treturn nil, one()", None),
        ("", "take(one())", None),
        ("", "nowhere()", None),
    ],
)
async def test_the_type_checkers_complaint_is_cured(
    checker: tuple[Path, TypeChecker], before: str, said: str, fixed: str | None
) -> None:
    root, made = checker
    prefix = f"package p\n\nfunc f() {{\n\t{before}\n\t"
    path = root / "f.go"
    snapshot = DocumentSnapshot(path.as_uri(), path, 1, f"{prefix}\n}}\n")

    async def verdict(text: str) -> Verdict:
        (found,) = await asyncio.wait_for(made.check(snapshot, len(prefix), len(prefix), (text,)), 60)
        return found

    failed = await verdict(said)
    assert not failed.showable
    versions = fixed_versions(said, failed, prefix)
    if fixed is None:
        assert versions == ()
        return
    assert versions == (fixed,)
    assert (await verdict(fixed)).status == "ok"


async def test_complaints_outside_of_the_candidate_are_left_alone() -> None:
    verdict = Verdict("error", errors=(Diagnostic(1, 1, "no new variables on left side of :="),))
    assert fixed_versions("n := 1", verdict, "") == ()


async def test_offsets_are_bytes_of_the_candidate() -> None:
    said = 's := "ä"; n := 2'
    offset = len(said[: said.rindex(":=")].encode())
    verdict = Verdict("error", errors=(Diagnostic(1, 1, "no new variables on left side of :=", offset),))
    assert fixed_versions(said, verdict, "") == ('s := "ä"; n = 2',)
