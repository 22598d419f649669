"""Which workspace a Go file belongs to: the nearest go.work, else the nearest go.mod, else its own directory.

The checker starts one type service for each root; `doctor` and the benches ask the same question.
"""

from __future__ import annotations

import os
from pathlib import Path


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
