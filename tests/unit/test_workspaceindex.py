"""Claims about the indexer and its client: processes that come and go lose nothing, and nobody is in another's way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from goassist_index import leftovers
from goassist_index.around import Around
from goassist_index.embed import WorkerEmbedder
from goassist_index.errors import IndexUnavailable
from goassist_index.store import Store, store_folder
from goassist_index.vectors import Vectors
from goassist_index.workspaceindex import WorkspaceIndex
from goassist_lsp.indexes import Indexes
from support.embedding import TINY, install
from support.workspaces import lay_out

WAIT_S = 60.0


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return lay_out(tmp_path / "shop").resolve()


@pytest_asyncio.fixture
async def index(root: Path) -> AsyncIterator[WorkspaceIndex]:
    opened = WorkspaceIndex(root)
    yield opened
    await opened.aclose()


async def found(index: WorkspaceIndex, query: str) -> list[str]:
    return [snippet.symbol for snippet in await index.search(query, 5)]


async def process_of(index: WorkspaceIndex) -> psutil.Process:
    stats = await index.stats()
    assert stats is not None
    return psutil.Process(stats["pid"])


async def test_it_is_found_what_an_update_read_and_a_save_changed(index: WorkspaceIndex, root: Path) -> None:
    told: list[tuple[int, int, str]] = []
    summary = await index.update(lambda *at: told.append(at))
    assert (summary.files, summary.made, summary.finished, summary.rebuilt) == (4, 4, True, "")
    assert told[-1][:2] == (5, 5)  # one is left out
    assert (await found(index, "apply a discount"))[0] == "Cart.ApplyDiscount"
    path = root / "cart/discount.go"
    path.write_text("package cart\n\nfunc GrantRebate() {}\n")
    await index.saved([path])
    assert (await found(index, "grant rebate"))[0] == "GrantRebate"
    assert "Cart.ApplyDiscount" not in await found(index, "apply a discount")


async def test_an_unsaved_text_counts_until_it_is_taken_back(index: WorkspaceIndex, root: Path) -> None:
    await index.update()
    index.set_buffer(root / "cart/discount.go", "package cart\n\nfunc Haggle() {}\n")
    assert (await found(index, "haggle"))[0] == "Haggle"
    index.set_buffer(root / "cart/discount.go", None)
    assert "Haggle" not in await found(index, "haggle")


async def test_a_secret_in_a_file_or_an_unsaved_text_is_in_no_snippet(index: WorkspaceIndex, root: Path) -> None:
    secret = "ghp" + "_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    text = f'package cart\n\n// Haggle with {secret}.\nfunc Haggle() string {{\n\treturn "{secret}"\n}}\n'
    (root / "cart/haggle.go").write_text(text)
    await index.update()
    index.set_buffer(root / "cart/discount.go", text.replace("Haggle", "HaggleMore"))
    found = await index.search("haggle more with", 5)
    assert {"Haggle", "HaggleMore"} & {snippet.symbol for snippet in found}
    assert not any(secret in snippet.text for snippet in found)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
async def test_a_killed_indexer_is_started_again_and_told_of_unsaved_texts(index: WorkspaceIndex, root: Path) -> None:
    await index.update()
    index.set_buffer(root / "cart/discount.go", "package cart\n\nfunc Haggle() {}\n")
    await found(index, "haggle")
    process = await process_of(index)
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert (await found(index, "haggle"))[0] == "Haggle"


@pytest.mark.skipif(os.name == "nt", reason="priorities are classes there")
async def test_the_indexer_has_the_least_claim_on_the_processor(index: WorkspaceIndex) -> None:
    await index.update()
    assert (await process_of(index)).nice() == 19


async def test_while_another_process_writes_searches_are_answered_and_the_update_waits(
    index: WorkspaceIndex, root: Path
) -> None:
    await index.update()
    (root / "cart/discount.go").write_text("package cart\n\nfunc GrantRebate() {}\n")
    with Store(store_folder(root)) as other, other.locked():
        update = asyncio.create_task(index.update())
        assert "Cart.ApplyDiscount" in await found(index, "apply a discount")
        assert not update.done()
    assert (await update).made == 1
    assert (await found(index, "grant rebate"))[0] == "GrantRebate"


async def test_an_update_that_is_stopped_while_it_waits_says_why(index: WorkspaceIndex, root: Path) -> None:
    await index.update()
    with Store(store_folder(root)) as other, other.locked():
        update = asyncio.create_task(index.update())
        await found(index, "apply")  # so that the update has begun
        await index.stop_update()
        with pytest.raises(IndexUnavailable, match="another process"):
            await update


async def test_the_index_made_anew_holds_the_same(index: WorkspaceIndex) -> None:
    await index.update()
    before = await index.search("cart total", 5)
    assert (await index.update(anew=True)).made == 4
    assert await index.search("cart total", 5) == before


async def test_a_cache_that_cannot_be_written_is_an_error_with_its_path_and_cure(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "file"))
    index = WorkspaceIndex(root)
    with pytest.raises(IndexUnavailable, match=r"file.*GOASSIST_CACHE_DIR"):
        await index.update()
    await index.aclose()


async def test_an_index_that_was_closed_is_not_started_again(index: WorkspaceIndex) -> None:
    await index.aclose()
    with pytest.raises(IndexUnavailable, match="closed"):
        await index.search("cart", 1)


ALIKE = "".join(f"-- {n}/{n}.go --\npackage {n}\n\nfunc Same{n.title()}() {{}}\n" for n in ("left", "right"))


async def test_a_file_that_is_edited_counts_in_a_search_of_a_place(root: Path, index: WorkspaceIndex) -> None:
    lay_out(root, ALIKE)
    await index.update()
    assert (await index.search("same", 1, kinds=("function",), around=Around()))[0].path == "left/left.go"
    index.set_buffer(root / "right/right.go", (root / "right/right.go").read_text())
    index.set_buffer(root / "right/right.go", None)  # closed: it is of late all the same
    assert (await index.search("same", 1, kinds=("function",), around=Around()))[0].path == "right/right.go"
    assert (await index.search("same", 1, kinds=("function",)))[0].path == "left/left.go"


@pytest.mark.parametrize(
    ("saved", "first"), [(["right/right.go"], "right/right.go"), (["right/right.go", "go.mod"], "left/left.go")]
)
async def test_a_file_that_is_saved_alone_is_of_late(
    root: Path, index: WorkspaceIndex, saved: list[str], first: str
) -> None:
    lay_out(root, ALIKE)
    await index.update()
    await index.saved([root / name for name in saved])
    assert (await index.search("same", 2, around=Around()))[0].path == first


async def test_each_folder_has_its_index_and_each_file_the_nearest(root: Path, tmp_path: Path) -> None:
    other = lay_out(tmp_path / "shop/plugins", "-- go.mod --\nmodule x\n-- p.go --\npackage p\n\nfunc Plug() {}\n")
    problems: list[IndexUnavailable] = []
    indexes = Indexes(problems.append)
    try:
        indexes.document_changed(other / "p.go", "package p\n\nfunc Unplug() {}\n")
        await indexes.set_folders([root, other])
        said: list[str] = []
        await indexes.update(lambda message, percent: said.append(message))
        assert {line.partition(":")[0] for line in said} == {"indexing shop", "indexing plugins"}
        answer = await indexes.search(other / "p.go", "unplug", 3, "")
        assert answer is not None
        assert (answer[0], [snippet.symbol for snippet in answer[2]]) == ("plugins", ["Unplug"])
        assert await indexes.search(tmp_path / "elsewhere.go", "plug", 3, "") is None
        (root / ".gitignore").write_text("cart/\n")
        await indexes.files_changed([root / ".gitignore", root / "README.md"])
        status = await indexes.status()
        assert status[str(root)]["last"]["left_out"]["ignored by .gitignore"] == 1  # type: ignore[index]
        assert problems == []
    finally:
        await indexes.close()


def test_indexes_of_workspaces_that_are_gone_are_thrown_away_but_for_one_in_use(tmp_path: Path) -> None:
    folders = {name: tmp_path / "index" / name for name in ("there", "gone", "used", "shared")}
    for name, folder in folders.items():
        with Store(folder):
            if name != "shared":
                leftovers.claim(folder, tmp_path if name == "there" else tmp_path / "gone")
    with Store(folders["used"]) as used, used.locked():
        assert leftovers.throw_away_gone(tmp_path / "index") == [folders["gone"]]
    assert {folder.name for folder in (tmp_path / "index").iterdir()} == {"there", "used", "shared"}


async def test_with_a_model_pieces_are_embedded_where_that_was_begun_with(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "packages", monkeypatch)
    with Store(store_folder(root)) as store:
        Vectors(store.folder, WorkerEmbedder(TINY).space, TINY.dimensions).close()
    index = WorkspaceIndex(root, TINY)
    try:
        await index.update()
        await wait_until_embedded(index)
        index.set_buffer(root / "cart/discount.go", "package cart\n\nfunc Haggle() {}\n")  # also tells that one types
        assert "Haggle" in await found(index, "haggle")
        assert (await index.stats() or {})["dense"]["embedded"] > 0
    finally:
        await index.aclose()


async def test_a_model_that_does_not_load_is_logged_and_words_are_left(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(tmp_path / "packages", monkeypatch)
    broken = replace(TINY, directory="/models/broken")
    with Store(store_folder(root)) as store:
        Vectors(store.folder, WorkerEmbedder(broken).space, broken.dimensions).close()
    index = WorkspaceIndex(root, broken)
    try:
        await index.update()
        async with asyncio.timeout(WAIT_S):
            while "words alone" not in caplog.text:
                await asyncio.sleep(0.02)
        assert (await found(index, "apply a discount"))[0] == "Cart.ApplyDiscount"
    finally:
        await index.aclose()


async def wait_until_embedded(index: WorkspaceIndex) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            dense = (await index.stats() or {}).get("dense")
            if dense and dense["embedded"] == dense["pieces"] > 0:
                return
            await asyncio.sleep(0.02)
