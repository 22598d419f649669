"""llama.cpp's server as a process: started, waited for, ended. The program here is a script."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goassist_index.errors import GoassistError
from goassist_models.evaluate.peers import llama_server

SERVES = """
import http.server, sys
class Health(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        type(self).asked += 1
        self.send_response(200 if self.asked > 2 else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args): pass
print("arguments:", *sys.argv[1:], flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Health).serve_forever()
"""
DIES = """
import sys
print("loading", flush=True)
sys.exit("no such tensor")
"""
HANGS = """
import time
print("loading for ever", flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script with #! is no program on Windows")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def program(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


async def test_is_ready_once_it_says_so_and_gone_after_the_stop(tmp_path: Path) -> None:
    server = await llama_server.start(program(tmp_path, SERVES), Path("m.gguf"), arguments=["--more", "1"])
    assert server.running
    assert "-m m.gguf --host 127.0.0.1 --port" in server.log.read_text()
    assert server.log.read_text().rstrip().endswith("--more 1")
    assert server.cpu_s() is not None
    server.stop()
    server.stop()
    assert not server.running
    assert server.cpu_s() is None


async def test_a_server_that_ends_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match=r"ended with status 1(.|\n)*no such tensor") as caught:
        await llama_server.start(program(tmp_path, DIES), Path("m.gguf"))
    assert caught.value.path is not None
    assert caught.value.path.endswith("server-m.log")


async def test_a_server_that_never_gets_ready_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match=r"not ready after(.|\n)*loading for ever"):
        await llama_server.start(program(tmp_path, HANGS), Path("m.gguf"), loading_limit_s=0.5)


async def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoassistError, match="cannot be run") as caught:
        await llama_server.start(tmp_path / "absent", Path("m.gguf"))
    assert caught.value.path == str(tmp_path / "absent")
