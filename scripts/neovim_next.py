"""Fetches Debian's newest Neovim (0.12 or later) into the cache, beside whatever is installed, for the tests.

Neovim 0.11 comes as a Python package; 0.12 does not yet. It is taken from Debian's unstable packages by apt, with all
its libraries, into a folder of its own: nothing is installed. Prints the program's path, or why there is none; exit
status 0 either way, since the tests that want it say so themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from goassist_index.cachedir import cache_dir

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TIMEOUT_S = 240


def home() -> Path:
    """Where it is kept."""
    return cache_dir() / "tools" / "neovim-next"


def program() -> Path | None:
    """The program, if it was fetched."""
    found = home() / "usr" / "bin" / "nvim"
    return found if found.exists() else None


def fetch() -> str:
    """Fetch it if it is not there; returns a line for the reader."""
    if (there := program()) is not None:
        return str(there)
    if not shutil.which("apt-get") or not KEYRING.exists():
        return "no Neovim 0.12: there is no apt-get here, or no keys of Debian's"
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = _unpacked(Path(folder))
            home().parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, home())
            _bind(home())
        said = run([str(home() / "usr" / "bin" / "nvim"), "--version"])
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        shutil.rmtree(home(), ignore_errors=True)
        return f"no Neovim 0.12: {error}"
    return f"{program()}: {said.splitlines()[0]}"


def run(argv: list[str], **environment: str) -> str:
    """Output of a command that has to succeed."""
    done = subprocess.run(argv, env=environment or None, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if done.returncode != 0:
        raise ValueError(f"{argv[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def _unpacked(folder: Path) -> Path:
    """The packages' files below one root, by an apt that knows no other packages and installs nothing."""
    # The mirror is this machine's own.
    sites = run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]).split()
    site = next((site for site in sites if site.rstrip("/").endswith("/debian")), None)
    if site is None:
        raise ValueError("apt knows no mirror of Debian's")
    for name in ("lists/partial", "cache/archives/partial", "state"):
        (folder / name).mkdir(parents=True)
    (folder / "state" / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {site} sid main\n")
    config = folder / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n'
        f'Dir::State "{folder}/state"; Dir::State::status "{folder}/state/status";\n'
        f'Dir::State::lists "{folder}/lists";\n'
        f'Dir::Cache "{folder}/cache"; APT::Sandbox::User "root"; Acquire::Languages "none";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(config), "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], **environment)
    run(["apt-get", "install", "-y", "--no-install-recommends", "--download-only", "neovim", "patchelf"], **environment)
    root = folder / "root"
    for package in sorted((folder / "cache" / "archives").glob("*.deb")):
        run(["dpkg-deb", "-x", str(package), str(root)])
    return root


def _bind(root: Path) -> None:
    """Have the program use the loader and the libraries that it came with: this machine's may be older."""
    loader = next((root / "usr").glob("lib*/ld-linux*.so.*"), None) or next((root / "usr/lib").glob("*/ld-linux*.so.*"))
    libraries = next(path for path in (root / "usr" / "lib").glob("*-linux-gnu*") if path.is_dir())
    patch = [str(loader), "--library-path", str(libraries), str(root / "usr" / "bin" / "patchelf")]
    binary = str(root / "usr" / "bin" / "nvim")
    run([*patch, "--set-interpreter", str(loader), "--set-rpath", str(libraries), "--force-rpath", binary])


if __name__ == "__main__":
    print(fetch())
    sys.exit(0)
