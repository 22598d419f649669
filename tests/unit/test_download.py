"""Downloads that break off, lie, find no room or meet another: over sources that are functions."""

from __future__ import annotations

import errno
import hashlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from goassist_index.errors import DownloadError
from goassist_models import download, registry
from goassist_models.download import Job, pull

DATA = bytes(range(256)) * 400
HUB = registry.HubSource("someone/some-model")
WHEELS = registry.PackageSource("some-part{n}", "1.0", 4)


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry.ModelEntry:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "ca che"))
    digest = hashlib.sha256(DATA).hexdigest()
    row = replace(registry.default_entry(), name="m", file="m.gguf", size_bytes=len(DATA), sha256=digest)
    return replace(row, sources=(HUB, WHEELS))


def left_over(entry: registry.ModelEntry) -> list[str]:
    """Names in the models directory, the lock aside."""
    return sorted(path.name for path in entry.path.parent.iterdir() if not path.name.endswith(".lock"))


def good(job: Job, source: registry.Source) -> None:
    job.part.write_bytes(DATA)


def test_first_source_that_delivers_is_enough(entry: registry.ModelEntry) -> None:
    asked: list[registry.Source] = []

    def fetch(job: Job, source: registry.Source) -> None:
        asked.append(source)
        good(job, source)

    assert pull(entry, fetch=fetch).read_bytes() == DATA
    assert asked == [HUB]
    assert left_over(entry) == ["m.gguf"]


def test_next_source_is_tried_when_one_fails(entry: registry.ModelEntry) -> None:
    def fetch(job: Job, source: registry.Source) -> None:
        if source == HUB:
            raise DownloadError("cannot be reached")
        good(job, source)

    assert pull(entry, fetch=fetch).read_bytes() == DATA


def test_all_failures_are_told_with_their_sources(entry: registry.ModelEntry) -> None:
    def fetch(job: Job, source: registry.Source) -> None:
        raise DownloadError(f"no luck with {source.kind}")

    with pytest.raises(DownloadError, match=r"some-model: no luck with hub; .*no luck with pypi") as raised:
        pull(entry, fetch=fetch)
    assert raised.value.cure is not None
    assert str(entry.path) in raised.value.cure
    assert not entry.path.exists()


@pytest.mark.parametrize("wrong", [DATA[:-1], DATA + b"x", DATA[:-1] + b"x"])
def test_what_is_not_byte_for_byte_right_is_never_put_in_place(entry: registry.ModelEntry, wrong: bytes) -> None:
    with pytest.raises(DownloadError, match="no source could deliver"):
        pull(entry, fetch=lambda job, source: job.part.write_bytes(wrong) and None)
    assert not entry.path.exists()


def test_wrong_digest_is_not_gone_on_from(entry: registry.ModelEntry) -> None:
    seen: list[bool] = []

    def fetch(job: Job, source: registry.Source) -> None:
        seen.append(job.part.exists())
        job.part.write_bytes(DATA[:-1] + b"x" if source == HUB else DATA)

    pull(entry, fetch=fetch)
    assert seen == [False, False]


def test_broken_off_download_goes_on_where_it_stopped(entry: registry.ModelEntry) -> None:
    def half(job: Job, source: registry.Source) -> None:
        job.part.write_bytes(DATA[:1000])
        raise DownloadError("the line broke")

    def rest(job: Job, source: registry.Source) -> None:
        with job.part.open("ab") as file:
            file.write(DATA[file.tell() :])

    with pytest.raises(DownloadError):
        pull(entry, fetch=half)
    assert pull(entry, fetch=rest).read_bytes() == DATA
    assert left_over(entry) == ["m.gguf"]


def test_file_that_is_there_is_not_fetched_again(entry: registry.ModelEntry) -> None:
    pull(entry, fetch=good)

    def fetch(job: Job, source: registry.Source) -> None:
        raise AssertionError("fetched again")

    assert pull(entry, fetch=fetch) == entry.path


def test_damaged_file_is_replaced(entry: registry.ModelEntry) -> None:
    entry.path.parent.mkdir(parents=True)
    entry.path.write_bytes(DATA[:-1] + b"x")
    assert pull(entry, fetch=good).read_bytes() == DATA


def test_too_small_a_disk_is_told_before_anything_is_fetched(
    entry: registry.ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 5_000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)

    def fetch(job: Job, source: registry.Source) -> None:
        raise AssertionError("fetched without room")

    needed = len(DATA) + download._SPARE_BYTES
    with pytest.raises(DownloadError, match=f"5,000 bytes free and the model needs {needed:,}"):
        pull(entry, fetch=fetch)


def test_disk_that_fills_up_leaves_nothing_under_the_final_name(entry: registry.ModelEntry) -> None:
    asked = []

    def fetch(job: Job, source: registry.Source) -> None:
        asked.append(source)
        job.part.write_bytes(DATA[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DownloadError, match="disk is full") as raised:
        pull(entry, fetch=fetch)
    assert raised.value.cure is not None
    assert "GOASSIST_CACHE_DIR" in raised.value.cure
    assert not entry.path.exists()
    assert asked == [HUB]  # no other source can help


def test_directory_that_cannot_be_written_is_named(entry: registry.ModelEntry) -> None:
    def fetch(job: Job, source: registry.Source) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(DownloadError, match=r"models.*Permission denied"):
        pull(entry, fetch=fetch)


def test_cancel_between_sources_keeps_what_was_fetched(entry: registry.ModelEntry) -> None:
    stop = threading.Event()

    def fetch(job: Job, source: registry.Source) -> None:
        job.part.write_bytes(DATA[:1000])
        stop.set()
        raise DownloadError("broke off")

    with pytest.raises(download.Cancelled):
        pull(entry, cancelled=stop.is_set, fetch=fetch)
    assert left_over(entry) == [".m.gguf.download"]


def test_progress_reaches_the_whole_size(entry: registry.ModelEntry) -> None:
    told: list[tuple[int, int, str]] = []
    pull(entry, lambda done, total, what: told.append((done, total, what)), fetch=good)
    assert told[-1] == (len(DATA), len(DATA), "verifying")


def test_second_download_waits_and_can_be_cancelled(entry: registry.ModelEntry) -> None:
    entry.path.parent.mkdir(parents=True)
    told: list[str] = []
    with FileLock(entry.path.parent / ".m.gguf.lock"), pytest.raises(download.Cancelled, match="another process"):
        pull(entry, lambda done, total, what: told.append(what), cancelled=lambda: bool(told), fetch=good)
    assert told == ["waiting for another download of this model"]


def test_two_downloads_at_once_fetch_the_file_once(entry: registry.ModelEntry) -> None:
    fetched: list[int] = []

    def fetch(job: Job, source: registry.Source) -> None:
        fetched.append(1)
        good(job, source)

    threads = [threading.Thread(target=lambda: pull(entry, fetch=fetch)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == [1]
    assert entry.path.read_bytes() == DATA
