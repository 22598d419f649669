"""Where goassist keeps what it can make or fetch again: models, wheels, indexes, helper binaries.

Bottom of the import order, so that the type service, the index and the models agree on one place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from goassist_index.errors import ConfigError

ENVIRONMENT_NAME = "GOASSIST_CACHE_DIR"


def cache_dir() -> Path:
    """Return the cache directory as an absolute path, made if it is not there yet.

    `GOASSIST_CACHE_DIR` wins over the platform's user cache directory. Raises ConfigError when the directory
    cannot be made.
    """
    named = os.environ.get(ENVIRONMENT_NAME, "").strip()
    if named:
        path = Path(named).expanduser()
    else:
        # Imported here: the native build runs before anything is installed, with the variable or this default.
        try:
            import platformdirs
        except ImportError:
            usual = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
            path = Path(os.environ.get("XDG_CACHE_HOME") or usual) / "goassist"
        else:
            path = Path(platformdirs.user_cache_dir("goassist", appauthor=False))
    path = path.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the cache directory cannot be made ({error.strerror or error})",
            path=str(path),
            cure=f"Set {ENVIRONMENT_NAME} to a directory you can write to",
        ) from error
    return path
