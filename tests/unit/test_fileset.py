"""Claims about goassist_index.fileset and ignore: what is read, and the reason for everything that is not."""

import os
from pathlib import Path

import pytest

from goassist_index import fileset
from goassist_index.fileset import MAX_FILE_BYTES, FileSet, Found, LeftOut, read
from support.workspaces import lay_out


def found(root: Path) -> list[str]:
    return [seen.path for seen in FileSet(root).walk() if isinstance(seen, Found)]


def left_out(root: Path) -> dict[str, str]:
    return {seen.path: seen.reason for seen in FileSet(root).walk() if isinstance(seen, LeftOut)}


def test_what_go_passes_over_is_left_out_with_a_reason(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "shop")
    for name in ("_draft/a.go", ".hidden/a.go", "price/_old.go", "price/.go", "node_modules/x/a.go"):
        lay_out(root, f"-- {name} --\npackage x\n")
    assert found(root) == [
        "cart/cart.go",
        "cart/cart_test.go",
        "cart/discount.go",
        "price/price.go",
        "price/rates.pb.go",
    ]
    reasons = left_out(root)
    assert "vendored" in reasons["vendor"]
    assert "testdata" in reasons["cart/testdata"]
    assert "underscore" in reasons["_draft"]
    assert "node_modules" in reasons["node_modules"]
    assert ".hidden" not in reasons  # as .git: nobody asks


def test_a_file_has_the_import_path_of_the_nearest_module(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path,
        """\
-- go.mod --
module example.com/a
-- x/x.go --
-- in/go.mod --
module "example.com/b" // quoted
-- in/y/y.go --
-- a.go --
""",
    )
    packages = {seen.path: seen.package for seen in FileSet(root).walk() if isinstance(seen, Found)}
    assert packages == {"a.go": "example.com/a", "x/x.go": "example.com/a/x", "in/y/y.go": "example.com/b/y"}
    below = {seen.path: seen.package for seen in FileSet(root / "x").walk() if isinstance(seen, Found)}
    assert below == {"x.go": "example.com/a/x"}
    assert all(FileSet(root).found(root / path) == Found(path, package) for path, package in packages.items())


def test_ignore_files_are_read_as_git_reads_them(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path,
        """\
-- .git/info/exclude --
excluded.go
-- .gitignore --
/build/
*.gen.go
!kept.gen.go
# a comment
-- .goassistignore --
private/
!wanted.go
-- deep/.gitignore --
wanted.go
local.go
-- deep/.ignore --
ripgrep.go
-- a.go --
-- a.gen.go --
-- kept.gen.go --
-- excluded.go --
-- build/b.go --
-- deep/build/b.go --
-- deep/local.go --
-- deep/ripgrep.go --
-- deep/wanted.go --
-- private/p.go --
-- local.go --
""",
    )
    assert found(root) == ["a.go", "kept.gen.go", "local.go", "deep/wanted.go", "deep/build/b.go"]
    reasons = left_out(root)
    assert reasons["build"] == "ignored by .gitignore"
    assert reasons["private"] == "ignored by .goassistignore"
    assert reasons["deep/ripgrep.go"] == "ignored by deep/.ignore"
    assert reasons["excluded.go"] == "ignored by .git/info/exclude"


def test_ignore_files_above_the_root_count_within_one_repository_only(tmp_path: Path) -> None:
    lay_out(tmp_path, "-- .gitignore --\nsecond.go\n-- repo/.git/HEAD --\n-- repo/.gitignore --\n/go/first.go\n")
    root = lay_out(tmp_path / "repo" / "go", "-- first.go --\n-- second.go --\n")
    assert found(root) == ["second.go"]


def test_an_ignore_file_that_is_no_list_has_no_say(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "-- a.go --\n-- b.go --\n")
    (root / ".gitignore").write_bytes(b"\xff\xfe\x00[\n!\nb.go\n")
    (root / ".ignore").mkdir()
    assert found(root) == ["a.go"]


def test_links_to_directories_are_not_followed_so_that_no_loop_is_entered(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "-- a/a.go --\npackage a\n")
    (root / "a" / "loop").symlink_to(root)
    (root / "b").symlink_to(root / "a")
    assert found(root) == ["a/a.go"]
    assert left_out(root) == {path: "a link to a directory: Go does not follow it" for path in ("b", "a/loop")}


def test_links_to_files_are_read_and_a_circle_of_them_is_named(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "-- a.go --\npackage a\n")
    (root / "link.go").symlink_to("a.go")
    (root / "round.go").symlink_to("round.go")
    (root / "gone.go").symlink_to("nowhere.go")
    assert read(root / "link.go").data == b"package a\n"
    assert read(root / "round.go").reason == "cannot be read (a link that leads round in a circle)"
    assert read(root / "gone.go").reason == "cannot be read (no such file or directory)"


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lay_out(tmp_path, "-- a/a.go --\n-- b/b.go --\n")
    real = os.scandir

    # Not by its rights: they do not bind whoever runs the tests as root.
    def refusing(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert found(root) == ["b/b.go"]
    assert left_out(root) == {"a": "cannot be listed (Permission denied)"}


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.go").write_text("package a\n")

    def refusing(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refusing)
    assert read(tmp_path / "a.go").reason == "cannot be read (permission denied)"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.go")
    assert read(tmp_path / "pipe.go").reason == "no regular file"


def test_a_file_of_100_megabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.go").open("wb") as file:
        file.truncate(100_000_000)
    source = read(tmp_path / "huge.go")
    assert (source.data, source.reason) == (b"", f"larger than {MAX_FILE_BYTES:,} bytes")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"package a\n\x00", "no text (it holds NUL bytes)"),
        (b"package a // \xff\n", "not UTF-8 (byte 13)"),
        (b"// A\n\n// Code generated by x. DO NOT EDIT.\n\npackage a\n", "generated (Code generated … DO NOT EDIT.)"),
        (b"package a\n\n// Code generated by hand. DO NOT EDIT.\n", None),
        (b"", None),
    ],
)
def test_content_that_is_not_indexed_has_a_reason(tmp_path: Path, data: bytes, reason: str | None) -> None:
    (tmp_path / "a.go").write_bytes(data)
    assert read(tmp_path / "a.go").reason == reason


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.go"
    path.write_text("package a\n")
    real, calls = os.fstat, []

    def growing(descriptor: int) -> os.stat_result:
        calls.append(descriptor)
        if len(calls) == 2:
            path.write_text("package a // longer\n")
        return real(descriptor)

    monkeypatch.setattr(fileset.os, "fstat", growing)
    assert read(path).data == b"package a // longer\n"


def test_a_file_that_never_comes_to_rest_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.go"
    path.write_text("package a\n")
    real = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        with path.open("a") as file:
            file.write("// more\n")
        return real(descriptor)

    monkeypatch.setattr(fileset.os, "fstat", growing)
    assert read(path).reason == "changes while it is read"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("vendor/github.com/other/lib/lib.go", "vendor"),
        ("cart/testdata/broken.go", "testdata"),
        ("price/rates.pb.go", "generated"),
        ("go.mod", "no Go file"),
        ("price/nowhere.go", "cannot be read"),
        (".git/a.go", "dot"),
        ("../outside.go", "outside"),
    ],
)
def test_every_file_can_be_asked_about(tmp_path: Path, path: str, word: str) -> None:
    root = lay_out(tmp_path / "shop")
    assert word in (FileSet(root).explain(root / path) or "")
    assert FileSet(root).explain(root / "cart/cart.go") is None
