"""Node's own package of OpenAI's client, fetched once into the cache; Node itself comes with the test tools."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from goassist_index.cachedir import cache_dir

VERSION = "7.57.0"
BIN = Path(sys.executable).parent
NODE = str(BIN / "node")


def environment() -> dict[str, str]:
    """Of programs that have to find this Node."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_UPDATE_NOTIFIER": "1"}


def with_openai() -> Path:
    """A directory whose scripts can import `openai`."""
    kept = cache_dir() / "tools" / f"node-openai-{VERSION}"
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        command = [str(BIN / "npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", f"openai@{VERSION}"]
        done = subprocess.run(command, cwd=made, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-1000:]
        try:
            made.rename(kept)
        except OSError:
            assert kept.is_dir()  # another run was quicker
    return kept
