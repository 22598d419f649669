"""Runs tests/cases/*.txtar: the real pipeline and type checker, with an engine that says what the case says.

A case has its Go files (`name.go unsaved` is an open buffer that is not on disk), one of them with <CURSOR>, and
`generations`. `request`, if there, holds `key: value` lines: `n`, `requested`, `line ends: crlf`, and `typed`, what
the user types before a second request, for which the engine has nothing more to say. A case with `@points` says where
each text may be left that is taken in parts: it stands there with a │ at each accept point but its end.
`@imports` is the head of the file as it stands with each candidate that brings imports along.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from goassist_index.header import read_header
from goassist_index.verdict import Verdict
from goassist_lsp import pipeline, verification
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.settings import Settings
from goassist_lsp.types import Candidate, Completion, DocumentSnapshot
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from support import txtar

CASES = sorted((Path(__file__).parent.parent / "cases").glob("*.txtar"))
CURSOR = "<CURSOR>"
SEPARATOR = "\n---\n"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, TypeChecker]]:
    """A folder with all cases' files, one module each, and one type checker over all of them."""
    root = tmp_path_factory.mktemp("cases")
    for case in CASES:
        _lay_out(txtar.read(case), root / case.stem)
    checker = TypeChecker(import_budget_s=60)  # no verdict may hang on how busy the machine is
    await checker.set_folders([root])
    yield root, checker
    await checker.close()


def _lay_out(case: txtar.Archive, folder: Path) -> None:
    for name, content in case.files.items():
        if name.endswith((".go", "go.mod")):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_document(case, content).replace(CURSOR, "").encode())


def _request(case: txtar.Archive) -> dict[str, str]:
    lines = case.files.get("request", "").splitlines()
    return {key: value for key, _, value in (line.partition(": ") for line in lines)}


def _document(case: txtar.Archive, content: str) -> str:
    return content.replace("\n", "\r\n") if _request(case).get("line ends") == "crlf" else content


def _snapshot(case: txtar.Archive, folder: Path) -> tuple[DocumentSnapshot, int]:
    (name,) = [name for name, content in case.files.items() if name.endswith(".go") and CURSOR in content]
    before, after = _document(case, case[name]).split(CURSOR)
    path = folder / name
    return DocumentSnapshot(path.as_uri(), path, 1, before + after), len(before)


async def _complete(case: txtar.Archive, folder: Path, checker: TypeChecker) -> Completion:
    snapshot, offset = _snapshot(case, folder)
    for name, content in case.files.items():
        if name.endswith(".go unsaved"):
            await checker.document_changed(folder / name.removesuffix(" unsaved"), content)
    said = case.files.get("generations", "").removesuffix("\n").split(SEPARATOR)
    request = _request(case)
    made = pipeline.CompletionPipeline(FakeEngine(said), checker, Settings())

    async def ask(snapshot: DocumentSnapshot, offset: int) -> Completion:
        n, requested = int(request.get("n", len(said))), request.get("requested") == "true"
        return await made.complete(snapshot, offset, CancelToken(), n=n, requested=requested)

    completion = await ask(snapshot, offset)
    typed = request.get("typed")
    if typed is None:
        return completion
    text = snapshot.text[:offset] + typed + snapshot.text[offset:]
    return await ask(replace(snapshot, text=text, version=2), offset + len(typed))


def _ghost(completion: Completion) -> str:
    if completion.candidates:
        return SEPARATOR.join(candidate.insert_text.replace("\r", "␍") for candidate in completion.candidates) + "\n"
    reasons = dict.fromkeys(f"{rejected.stage}: {rejected.reason.splitlines()[0]}" for rejected in completion.rejected)
    return f"silent: {completion.skip_reason or '; '.join(reasons)}\n"


def _pieces(candidate: Candidate) -> str:
    ends = [0, *candidate.accept_points]
    assert ends[-1] == len(candidate.insert_text), "the whole text is an accept point"
    return "│".join(candidate.insert_text[start:end].replace("\r", "␍") for start, end in pairwise(ends))


async def _assert_parts_check(completion: Completion, checker: TypeChecker) -> None:
    """Whatever part of a candidate is accepted stands in the file without a new error."""
    for candidate in completion.candidates:
        assert completion.context is not None
        place = completion.context.snapshot, candidate.start, candidate.end
        parts = tuple(candidate.insert_text[:end] for end in candidate.accept_points)
        verdicts = await checker.check(*place, parts, resolve_imports=bool(candidate.import_edits))
        assert [part for part, verdict in zip(parts, verdicts, strict=True) if not verdict.showable] == []


def _verdict(verdict: Verdict | None) -> str:
    assert verdict is not None
    lines = [verdict.status, *(f"imports {spec.name} {spec.path}".replace("  ", " ") for spec in verdict.imports)]
    return ", ".join([*lines, *(f"leaves: {item.message}" for item in verdict.unfinished)])


def _with(candidate: Candidate, text: str) -> str:
    """The document once the candidate is accepted, with its imports."""
    text = text[: candidate.start] + candidate.insert_text + text[candidate.end :]
    for edit in candidate.import_edits:
        assert edit.end < candidate.start
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _imports(completion: Completion) -> dict[str, str]:
    heads = []
    for candidate in completion.candidates:
        if candidate.import_edits:
            assert completion.context is not None
            text = _with(candidate, completion.context.snapshot.text)
            heads.append(text[: read_header(text).end].replace("\r", "␍"))
    return {"@imports": SEPARATOR.join(heads) + "\n"} if heads else {}


def _builds(candidate: Candidate, snapshot: DocumentSnapshot, copy: Path) -> None:
    """The folder builds, for the compiler too, with the candidate and its imports in the file."""
    shutil.copytree(snapshot.path.parent, copy)
    (copy / snapshot.path.name).write_bytes(_with(candidate, snapshot.text).encode())
    command = ["go", "build", "-o", os.devnull, "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
async def test_case(
    path: Path,
    workspace: tuple[Path, TypeChecker],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(verification, "POINTS_LIMIT_S", 60.0)  # a busy machine must not decide
    root, checker = workspace
    case = txtar.read(path)
    assert case.comment.strip(), "a case begins with why it exists"
    completion = await asyncio.wait_for(_complete(case, root / path.stem, checker), timeout=60)
    await _assert_parts_check(completion, checker)
    got = {
        "@ghost": _ghost(completion),
        "@verdict": "".join(_verdict(candidate.verdict) + "\n" for candidate in completion.candidates),
        **_imports(completion),
    }
    for number, candidate in enumerate(completion.candidates):
        if candidate.import_edits:
            assert completion.context is not None
            _builds(candidate, completion.context.snapshot, tmp_path / str(number))
    if "@points" in case.files:
        got["@points"] = SEPARATOR.join(map(_pieces, completion.candidates)) + "\n"
    if request.config.getoption("--update"):
        given = {name: content for name, content in case.files.items() if not name.startswith("@")}
        path.write_text(txtar.render(replace(case, files=given | got)), encoding="utf-8")
        return
    assert got == {name: content for name, content in case.files.items() if name.startswith("@")}
