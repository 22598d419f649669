"""Which workspace a Go file belongs to: the nearest go.work, else the nearest go.mod, else its own directory.

The checker starts one type service for each root; `doctor` and the benches ask the same question.
"""

from __future__ import annotations

import os
from pathlib import Path

from goassist_index.errors import SourceError
from goassist_index.gotools import run_go

_PROBE_TIMEOUT_S = 20


def workspace_root(path: Path) -> Path:
    """The root directory for a file or directory. A go.work further up wins over a go.mod, as for the go command.

    GOWORK=off leaves go.work files aside; a path in GOWORK names the file to use.
    """
    folder = path if path.is_dir() else path.parent
    setting = os.environ.get("GOWORK", "")
    if setting not in ("", "off"):
        return Path(setting).parent
    if setting != "off":
        workspace = nearest(folder, "go.work")
        if workspace is not None:
            return workspace
    module = nearest(folder, "go.mod")
    return module if module is not None else folder


def nearest(folder: Path, name: str) -> Path | None:
    """The closest directory at or above `folder` that holds a file called `name`, or None."""
    for candidate in (folder, *folder.parents):
        if (candidate / name).is_file():
            return candidate
    return None


def module_problem(folder: Path) -> SourceError | None:
    """What keeps Go from reading the module or workspace file that `folder` belongs to; None when all is well.

    The type service works on with what it can load, but a person should be told. Nothing is downloaded.
    Raises GoassistError when there is no Go toolchain.
    """
    root = workspace_root(folder)
    named = next((root / name for name in ("go.work", "go.mod") if (root / name).is_file()), None)
    if named is None:
        return None
    offline = {"GOPROXY": "off", "GOSUMDB": "off"}
    probe = run_go(["list", "-m"], root, timeout_s=_PROBE_TIMEOUT_S, environment=offline)
    if probe.ok:
        return None
    said = " / ".join(line.strip() for line in probe.output.strip().splitlines()[:3])
    return SourceError(
        f"Go cannot use it ({said})", path=str(named), cure="Mend it; until then packages are loaded as far as they go"
    )
