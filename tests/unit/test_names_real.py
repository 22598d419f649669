"""Nothing that stands in real code is refused: every hole of the type service's own functions, said token by token."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import goassist_index
from goassist_index.syntax import functions, parse
from goassist_index.verdict import LegalNames
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate.names import NameGuide
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.ghost import GHOST_KINDS, Place, spans

SERVICE = Path(goassist_index.__file__).parent / "gotypes"
FILES = ("check.go", "view.go", "facts.go", "brackets.go", "universe.go", "main.go", "sources.go")
PIECE = re.compile(r"[ \t]*\w{1,5}|\W")  # words in parts, as a model's tokens may be
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, TypeChecker]]:
    root = tmp_path_factory.mktemp("service") / "gotypes"
    shutil.copytree(SERVICE, root)
    made = TypeChecker(loading_limit_s=60)
    await made.set_folders([root])
    yield root, made
    await made.close()


@pytest.mark.parametrize("file", FILES)
async def test_the_truth_is_never_refused(checker: tuple[Path, TypeChecker], file: str) -> None:
    root, made = checker
    loop = asyncio.get_running_loop()
    path = root / file
    source = path.read_bytes()
    text = source.decode()
    asked: list[LegalNames | None] = []
    refused: list[str] = []
    for node in functions(parse(source)):
        place = Place(path, source, node, new=True)
        for kind in GHOST_KINDS:
            # The middle one of each kind: all of them would take minutes.
            found = list(spans(kind, place))
            for _, start, end in found[len(found) // 2 : len(found) // 2 + 1]:
                before, truth = source[:start].decode(), source[start:end].decode()
                snapshot = DocumentSnapshot(path.as_uri(), path, 1, before + text[len(before) + len(truth) :])
                await made.check(snapshot, len(before), len(before), ("",))

                def ask(
                    said: str, snapshot: DocumentSnapshot = snapshot, offset: int = len(before)
                ) -> LegalNames | None:
                    asking = asyncio.run_coroutine_threadsafe(made.legal(snapshot, offset, said), loop)
                    asked.append(asking.result(30))
                    return asked[-1]

                guide = NameGuide(context_at(snapshot, len(before)), ask)
                refused += await asyncio.to_thread(said_in_pieces, guide, truth)
    assert refused == []
    assert sum(legal is not None for legal in asked) > len(asked) / 2 > 5


def said_in_pieces(guide: NameGuide, truth: str) -> list[str]:
    """What was refused of `truth`, each with the text that stood before it."""
    refused, said = [], ""
    for piece in PIECE.findall(truth):
        if guide.refuses(said, piece):
            refused.append(f"{said}│{piece}")
        said += piece
    assert said == truth
    return refused
