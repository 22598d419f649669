"""Claims about goassist_index.update: an index brought up to date is the same as one made anew."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index import update as update_module
from goassist_index.chunk import outline_of
from goassist_index.errors import IndexUnavailable
from goassist_index.search import Searcher, Snippet
from goassist_index.store import Store
from goassist_index.update import pack, unpack, update_file, update_workspace
from support.workspaces import lay_out

QUERIES = ("parse line", "total price of all lines", "convert currency rate", "cart", "Amount", "discount percent")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "shop")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def answers(store: Store, root: Path) -> list[list[Snippet]]:
    searcher = Searcher(store, root)
    searcher.refresh()
    return [searcher.search(query, 20) for query in QUERIES]


def anew(tmp_path: Path, root: Path) -> list[list[Snippet]]:
    folder = tmp_path / "anew"
    shutil.rmtree(folder, ignore_errors=True)
    with Store(folder) as store:
        update_workspace(store, root)
        return answers(store, root)


def test_a_first_pass_reads_all_and_a_second_nothing_new(store: Store, root: Path) -> None:
    for path in root.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    seen: list[tuple[int, int, str]] = []
    first = update_workspace(store, root, lambda *at: seen.append(at))
    assert (first.files, first.read, first.made, first.finished) == (4, 5, 4, True)
    assert first.chunks == store.counts()[1] > 8
    assert seen == [(0, 5, "cart"), (3, 5, "price"), (5, 5, "")]
    assert {left.path: left.reason.partition(" ")[0] for left in first.left_out} == {
        "vendor": "vendored",
        "cart/testdata": "testdata:",
        "price/rates.pb.go": "generated",
    }
    second = update_workspace(store, root)
    assert (second.made, second.files, second.chunks) == (0, first.files, first.chunks)
    assert second.left_out == first.left_out


def test_a_file_that_rests_is_not_even_read(store: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_module, "_RACY_NS", 0)
    update_workspace(store, root)
    assert update_workspace(store, root).read == 0


def test_a_change_within_the_clocks_grain_is_seen(store: Store, root: Path) -> None:
    path = root / "price/price.go"
    update_workspace(store, root)
    before = path.stat()
    path.write_text(path.read_text().replace("ConvertCurrency", "ExchangeMonies"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    update_workspace(store, root)
    searcher = Searcher(store, root)
    searcher.refresh()
    assert searcher.search("exchange monies")[0].symbol == "ExchangeMonies"


def test_a_switch_of_branches_and_back_makes_nothing_twice(store: Store, root: Path, tmp_path: Path) -> None:
    update_workspace(store, root)
    before = {path: path.read_text() for path in root.rglob("*.go")}
    for path in (root / "cart").glob("*.go"):
        path.write_text(path.read_text().replace("Line", "Row"))
    there = update_workspace(store, root)
    assert there.made == 2  # discount.go says nothing of lines
    for path, text in before.items():
        path.write_text(text)
    assert update_workspace(store, root).made == 0
    assert answers(store, root) == anew(tmp_path, root)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["cart/cart.go", "cart/discount.go", "price/price.go", "price/new.go", "stock/stock.go"]),
        st.sampled_from(["remove", "touch", "append", "copy", "rename", "break", "generated", "package"]),
        st.booleans(),
    ),
    max_size=6,
)


@given(EDITS)
def test_after_any_edits_search_agrees_with_an_index_made_anew(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str, bool]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("edits")
    root = lay_out(tmp_path / "shop")
    with Store(tmp_path / "store") as store:
        update_workspace(store, root)
        for name, edit, alone in edits:
            path = root / name
            apply(path, edit)
            if alone:
                update_file(store, root, path)
        update_workspace(store, root)
        assert answers(store, root) == anew(tmp_path, root)
    shutil.rmtree(tmp_path)


def apply(path: Path, edit: str) -> None:
    if edit == "remove":
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if path.exists() else f"package {path.parent.name}\n"
    other = path.parent.parent / "price/price.go"
    changed = {
        "touch": text,
        "append": text + "\nfunc (c *Cart) AddLine(line Line, currency string) {}\n",
        "copy": other.read_text() if other.exists() else text,
        "rename": text.replace("Total", "Sum"),
        "break": text + "\nfunc (",
        "generated": "// Code generated by x. DO NOT EDIT.\n" + text,
        "package": text.replace("package ", "package other", 1),
    }[edit]
    path.write_text(changed)


def test_a_saved_file_alone_is_brought_up_to_date(store: Store, root: Path, tmp_path: Path) -> None:
    update_workspace(store, root)
    path = root / "cart/discount.go"
    path.write_text(path.read_text().replace("ApplyDiscount", "GrantRebate"))
    assert update_file(store, root, path)
    assert answers(store, root) == anew(tmp_path, root)
    path.unlink()
    assert update_file(store, root, path)
    assert answers(store, root) == anew(tmp_path, root)
    assert not update_file(store, root, tmp_path / "elsewhere.go")


def test_a_pass_that_is_cancelled_keeps_what_it_did_and_the_next_goes_on(
    store: Store, root: Path, tmp_path: Path
) -> None:
    asked: list[int] = []

    def after_one() -> bool:
        asked.append(1)
        return len(asked) > 1

    cut_short = update_workspace(store, root, cancelled=after_one)
    assert (cut_short.finished, cut_short.files) == (False, 3)
    rest = update_workspace(store, root)
    assert (rest.finished, rest.made) == (True, 1)
    assert answers(store, root) == anew(tmp_path, root)


def test_a_cancelled_pass_forgets_no_file(store: Store, root: Path) -> None:
    update_workspace(store, root)
    assert update_workspace(store, root, cancelled=lambda: True).files == 4


def test_a_workspace_that_is_empty_or_gone_is_no_error(store: Store, root: Path, tmp_path: Path) -> None:
    update_workspace(store, root)
    gone = update_workspace(store, tmp_path / "nowhere")
    assert (gone.files, gone.chunks) == (0, 0)
    assert "cannot be listed" in gone.left_out[0].reason


def test_a_workspace_is_only_read(store: Store, root: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in (root, *root.rglob("*"))}

    before = state()
    update_workspace(store, root)
    assert state() == before


def test_a_full_disk_stops_the_pass_and_leaves_what_was_done(store: Store, root: Path, tmp_path: Path) -> None:
    update_workspace(store, root)
    before = answers(store, root)
    store._db.execute(f"PRAGMA max_page_count={store._db.execute('PRAGMA page_count').fetchone()[0]}")
    for n in range(50):
        (root / f"cart/more{n}.go").write_text(f"package cart\n\nfunc More{n}() {{\n" + "\tprintln(1)\n" * 2000 + "}\n")
    with pytest.raises(IndexUnavailable, match="full"):
        update_workspace(store, root)
    assert answers(store, root) == before
    store._db.execute("PRAGMA max_page_count=1000000")
    update_workspace(store, root)
    assert answers(store, root) == anew(tmp_path, root)


def test_a_damaged_store_is_made_anew_in_the_pass_that_meets_the_damage(store: Store, root: Path) -> None:
    update_workspace(store, root)
    with store.transaction():
        store._db.execute("UPDATE units SET outline=x'00'")
    (root / "cart/discount.go").write_text("package cart\n\nfunc Fresh() {}\n")
    assert update_workspace(store, root).finished
    assert store.rebuilt == "damaged"
    assert answers(store, root)[0][0].symbol == "ParseLine"


def test_secrets_are_stored_nowhere(store: Store, root: Path) -> None:
    secret = "ghp" + "_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    lay_out(root, f'-- cart/key.go --\n// Key {secret}\npackage cart\n\n// Key {secret}\nconst Key = "{secret}"\n\n'
                  f'// T {secret}\ntype T struct { "{" }\n\tA int `k:"{secret}"`\n{ "}" }\n\n'
                  f'func Key2() string {{\n\t// {secret}\n\treturn "{secret}"\n}}\n')  # fmt: skip
    update_workspace(store, root)
    everything = b"".join(path.read_bytes() for path in store.folder.iterdir() if path.is_file())
    assert b"func Key2" in everything
    assert secret.encode() not in everything
    assert secret.lower().encode() not in everything


def test_an_outline_survives_being_stored(root: Path) -> None:
    for path in root.rglob("*.go"):
        outline = outline_of(path.read_bytes())
        assert unpack(pack(outline)) == replace(outline, functions=())
