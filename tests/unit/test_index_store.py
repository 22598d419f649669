"""Claims about goassist_index.store: private, whole or made anew, shared by several processes."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from goassist_index import store as store_module
from goassist_index.chunk import Piece
from goassist_index.errors import IndexCorrupt, IndexUnavailable
from goassist_index.fileset import Stat
from goassist_index.postings import encode
from goassist_index.store import FileRow, Store, store_folder

PIECE = Piece("function", "F", "", "p", (3, 5), "func F() {\n\treturn\n}", 8)


def filled(folder: Path) -> Store:
    store = Store(folder)
    with store.locked(), store.transaction():
        unit = store.add_unit("content a", [("", PIECE)], encode([PIECE]), b"outline")
        store.put_file(FileRow("x/a.go", "m/x", unit, "", Stat(1, 2, 3, 4)), "x")
    return store


def test_what_was_stored_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    filled(tmp_path / "i").close()
    with Store(tmp_path / "i") as store:
        assert store.rebuilt == ""
        assert store.files() == store.files("x") == {"x/a.go": FileRow("x/a.go", "m/x", 1, "", Stat(1, 2, 3, 4))}
        found = store.piece(1, 0)
        assert found is not None
        assert (found.path, found.package, found.piece) == ("x/a.go", "m/x", PIECE)
        assert store.live_units() == {1}
        assert store.counts()[:2] == (1, 1)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    with filled(tmp_path / "index" / "i") as store:
        assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(store.folder.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_two_workspaces_of_one_name_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    first, second = store_folder(tmp_path / "a" / "shop"), store_folder(tmp_path / "b" / "shop")
    assert first != second
    assert first.name.startswith("shop-")
    assert not first.exists()


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 100, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_file_is_made_anew_and_that_is_said_once(tmp_path: Path, damage: bytes) -> None:
    store = filled(tmp_path / "i")
    store.close()
    store.path.write_bytes(damage)
    with Store(tmp_path / "i") as again:
        assert again.rebuilt in ("damaged", "")
        assert (again.rebuilt == "") == (damage == b"")  # nothing was lost with an empty one
        assert again.files() == {}
    with Store(tmp_path / "i") as third:
        assert third.rebuilt == ""


def test_damage_in_the_middle_is_noticed_where_it_is_read(tmp_path: Path) -> None:
    store = filled(tmp_path / "i")
    with store.transaction():
        store._db.execute("UPDATE units SET postings=zeroblob(8)")
    with pytest.raises(IndexCorrupt, match="checksum"):
        list(store.postings([1]))
    store.close()


@pytest.mark.parametrize(
    "change", ["PRAGMA user_version=99", "UPDATE meta SET value='0' WHERE key='content'", "DELETE FROM meta"]
)
def test_an_index_of_another_version_is_made_anew(tmp_path: Path, change: str) -> None:
    store = filled(tmp_path / "i")
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute(change)
    db.close()
    with Store(tmp_path / "i") as again:
        assert again.rebuilt != ""
        assert again.files() == {}


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with filled(tmp_path / "i") as store:
        before = store.files()
        with pytest.raises(RuntimeError), store.locked(), store.transaction():
            store.drop_files(["x/a.go"])
            raise RuntimeError
        assert store.files() == before


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    with filled(tmp_path / "i") as store:
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count={pages}")
        big = Piece("function", "G", "", "p", (1, 1), "x" * 500_000, 1)
        with pytest.raises(IndexUnavailable, match="full") as caught, store.locked(), store.transaction():
            store.add_unit("content b", [("", big)], b"")
        assert "GOASSIST_CACHE_DIR" in str(caught.value)
        assert store.files().keys() == {"x/a.go"}
    with Store(tmp_path / "i") as again:
        assert again.rebuilt == ""


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IndexUnavailable, match="cannot be used"):
        Store(tmp_path / "file" / "i")


def test_another_process_sees_what_is_written_and_waits_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LOCK_TIMEOUT_S", 0.1)
    store = filled(tmp_path / "i")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from goassist_index.store import Store\n"
            "s = Store(Path(sys.argv[1]))\n"
            "with s.locked():\n"
            "    with s.transaction(): s.drop_files(['x/a.go'])\n"
            "    print('written', flush=True); sys.stdin.read()",
            str(tmp_path / "i"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    version = store.version()
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"written\n"
        assert store.version() != version
        assert store.files() == {}
        with pytest.raises(IndexUnavailable, match="another process"), store.locked():
            pass
        holder.kill()  # and the lock is free: the operating system lets go of it
    monkeypatch.undo()
    with store.locked():
        store.close()


def test_a_reader_turns_to_the_index_that_was_put_in_place(tmp_path: Path) -> None:
    reader = filled(tmp_path / "i")
    with Store(tmp_path / "i") as writer:
        writer.rebuild()
        assert writer.rebuilt == "damaged"
        generation = reader.generation
        reader.reopen_if_replaced()
        assert reader.generation == writer.generation != generation
        assert reader.files() == {}
    reader.close()


def test_the_oldest_units_that_nothing_points_to_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_SPARE_PIECES", 2)
    with filled(tmp_path / "i") as store, store.locked(), store.transaction():
        for n in range(6):
            store.add_unit(f"content {n}", [("", PIECE)], encode([PIECE]))
        store.sweep()
        # The live one, and as many pieces as that has and two more.
        assert [n for n in range(6) if store.unit_for(f"content {n}")] == [3, 4, 5]
        assert store.unit_for("content a") == 1
        newest = store.unit_for("content 5")
        assert newest is not None
        assert store.add_unit("content new", [("", PIECE)], b"") == newest + 1
