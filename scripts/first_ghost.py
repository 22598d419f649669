"""Goes the README's way from a bare home to the first ghost text, for one editor, and says how long each step takes.

    python scripts/first_ghost.py neovim|vscode

The steps are those of the README, run as they stand there: the commands of its section on the editor by a shell, its
Lua written into `~/.config/nvim/init.lua`; then a Go file is opened and typed into. The home is new, with a clone of
this repository in `~/src/goassist`: no model, no package, no build of any kind is in it. Package indexes are reached as
pip and npm are told to reach them. VS Code is code-server in a browser; what `code` installs is installed there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from vscode_picture import LINE, SOURCE  # noqa: E402

from support.neovim import Neovim, packaged  # noqa: E402
from support.vscode import running  # noqa: E402

MODULE = "module example.com/names\n\ngo 1.23\n"
TYPED = "if err"
# The most that one tick counts for: a process that was stopped meanwhile has not worked.
TICK_S, LONGEST_TICK_S = 0.2, 1.0
SECTIONS = {"neovim": "### Neovim", "vscode": "### VS Code"}
FIRST_LOAD_S = 1800
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


class Clock:
    """Seconds in which this process was not stopped."""

    def __init__(self) -> None:
        self.seconds = 0.0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(TICK_S)
            now = time.monotonic()
            self.seconds, last = self.seconds + min(now - last, LONGEST_TICK_S), now


def main() -> int:
    """Exit status 0 when ghost text was seen."""
    editor = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        clone = home / "src" / "goassist"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        project = home / "names"
        project.mkdir()
        (project / "go.mod").write_text(MODULE)
        (project / "main.go").write_text(SOURCE)
        env = bare(home)
        clock, steps = Clock(), 0
        for kind, text in blocks((clone / "README.md").read_text(), editor):
            steps += 1
            step = clock.seconds
            if kind == "lua":
                init = home / ".config" / "nvim" / "init.lua"
                init.parent.mkdir(parents=True)
                init.write_text(text)
            else:
                subprocess.run(["bash", "-euc", text], cwd=home, env=env, check=True)
            say(f"step {steps}: {' && '.join(text.strip().splitlines())}", clock.seconds - step)
        steps += 1
        step = clock.seconds
        ghost = in_neovim(project, env) if editor == "neovim" else in_vscode(home, project, env)
        say(f"step {steps}: open a Go file and type; behind {TYPED!r} it shows {ghost!r}", clock.seconds - step)
        say(f"{steps} steps from a bare home to the first ghost text in {editor}", clock.seconds)
    return 0


def say(what: str, took_s: float) -> None:
    print(f"{took_s / 60:.1f} minutes: {what}", flush=True)


def blocks(readme: str, editor: str) -> Iterator[tuple[str, str]]:
    """The code of the README's first step and of the editor's section, each with its language."""
    first = readme.partition("## Use it")[2].partition("### ")[0]
    own = readme.partition(SECTIONS[editor])[2].partition("\n### ")[0].partition("\n## ")[0]
    yield from (match.groups() for match in [*_BLOCK.finditer(first), *_BLOCK.finditer(own)])  # type: ignore[misc]


def bare(home: Path) -> dict[str, str]:
    """The environment of a user who has just come: their home, and nothing that points elsewhere."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "GOASSIST_", "VIRTUAL_"))}
    commands = home / "commands"
    commands.mkdir()
    # Kept for the window that is opened later: there is no desktop here.
    code = commands / "code"
    code.write_text('#!/bin/sh\n[ "$1" = --install-extension ] && cp "$2" "$HOME/installed.vsix"\n')
    code.chmod(0o755)
    own = str(Path(sys.executable).parent)
    path = [part for part in env["PATH"].split(os.pathsep) if part != own]
    return {**env, "HOME": str(home), "PATH": os.pathsep.join([*path, str(commands)])}


def in_neovim(project: Path, env: dict[str, str]) -> str:
    """Open the file, type, and return the first ghost text."""
    with tempfile.TemporaryDirectory() as folder:
        terminal = {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        nvim = Neovim([*packaged(), str(project / "main.go")], Path(folder), terminal)
        try:
            nvim.keys(f"{LINE}GA{TYPED}")
            return str(until(nvim.ghost))
        finally:
            nvim.close()


def in_vscode(home: Path, project: Path, env: dict[str, str]) -> str:
    """The same in the browser."""
    places = {name: env.get(name, "") for name in ("HOME", "PATH")} | {"XDG_CACHE_HOME": str(home / ".cache")}
    if "GOASSIST_CACHE_DIR" in os.environ:
        places["GOASSIST_CACHE_DIR"] = str(home / ".cache" / "goassist")
    with running(project, server=None, env=places, package=home / "installed.vsix") as code:
        code.show(project / "main.go", LINE)
        code.type(TYPED)
        return str(until(code.ghost))


def until(holds: Callable[[], str | None]) -> str:
    """Wait for a text: the type service is built, the model loaded for the first time."""
    end = time.monotonic() + FIRST_LOAD_S
    while time.monotonic() < end:
        if (found := holds()) is not None:
            return found
        time.sleep(0.05)
    raise SystemExit("no ghost text")


if __name__ == "__main__":
    sys.exit(main())
