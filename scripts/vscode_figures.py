"""Prints what the VS Code extension costs: its package's size, its start, and the processor time at rest."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.gofile import go_file  # noqa: E402
from support.vscode import VSCode, running  # noqa: E402
from support.vscode_install import extension  # noqa: E402

REST_S = 30
# Timers of the start itself have run out by then.
BEFORE_REST_S = 5

ACTIVATE = """
  const begun = performance.now();
  await vscode.extensions.getExtension("goassist.goassist").activate();
  return performance.now() - begun;
"""


def main() -> int:
    """One window; the extension is started by hand, then a file is opened and nothing is done."""
    print(f"package: {extension().stat().st_size / 1000:.0f} kB")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as code:
        rest(code, "before its start")
        print(f"start of the extension: {code.js(ACTIVATE):.0f} ms, the reading of its code included")
        code.open(go_file(say=["println(1)"]))
        code.until(code.server_ready, "the server")
        rest(code, "with it")
    return 0


def rest(code: VSCode, when: str) -> None:
    """Print what is used while nothing happens."""
    time.sleep(BEFORE_REST_S)
    before = processor_s(code)
    time.sleep(REST_S)
    after = processor_s(code)
    for name in before:
        print(f"{name}, {when}: {(after[name] - before[name]) * 1000:.0f} ms of processor time in {REST_S} s")


def processor_s(code: VSCode) -> dict[str, float]:
    """Seconds that the extension host (all extensions together) and the server have used."""
    found = {}
    for process in psutil.Process(code.process.pid).children(recursive=True):
        line = " ".join(process.cmdline())
        name = "extension host" if "--type=extensionHost" in line else "server" if "fake_server" in line else None
        if name is not None:
            times = process.cpu_times()
            found[name] = times.user + times.system
    return found


if __name__ == "__main__":
    sys.exit(main())
