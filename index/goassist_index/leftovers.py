"""Throws away the indexes of workspaces that are gone. The indexer does so when it starts.

Each index folder says in a file of its own which workspace it belongs to. An index is made anew in seconds, so a
workspace that comes back (a drive that was away) costs no more than that.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

_ROOT_FILE = "workspace"


def claim(folder: Path, root: Path) -> None:
    """Write down that the index in `folder` is that of the workspace at `root`. Raises OSError."""
    (folder / _ROOT_FILE).write_text(f"{root}\n", encoding="utf-8")


def throw_away_gone(indexes: Path) -> list[Path]:
    """Remove each index below `indexes` whose workspace is not there; those removed. One in use stays."""
    removed = []
    for claimed in indexes.glob(f"*/{_ROOT_FILE}"):
        folder = claimed.parent
        try:
            if Path(claimed.read_text(encoding="utf-8").removesuffix("\n")).is_dir():
                continue
            with FileLock(folder / "lock", timeout=0):
                shutil.rmtree(folder)
        except (OSError, ValueError, Timeout) as error:
            log.info("%s stays: %s", folder, error)
        else:
            removed.append(folder)
    return removed
