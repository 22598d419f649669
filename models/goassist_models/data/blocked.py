"""What must not be trained on: modules by their paths, functions by digests of what an evaluation asks for.

The first gate of collect.py, and asked again after dedup.py, which knows copies under other names.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

from goassist_models.evaluate.modules import pinned_modules

_MAJOR = re.compile(r"/v[0-9]+$|\.v[0-9]+$")


@cache
def blocked_modules() -> tuple[str, ...]:
    """Module paths without their major versions, in lower case."""
    table = tomllib.loads(files(__package__).joinpath("blocked.toml").read_text(encoding="utf-8"))
    paths = (*table["modules"], *table["former"], *(spec.path for spec in pinned_modules()))
    return tuple(sorted({_MAJOR.sub("", path).lower() for path in paths}))


def blocking(module: str) -> str | None:
    """Return the blocked path that a module's path, or a package's in it, falls under; None when it is free.

    A module that lies below a blocked one falls under it too, as `go.opentelemetry.io/otel/trace` does.
    """
    path = module.lower()
    for blocked in blocked_modules():
        if path == blocked or re.match(re.escape(blocked) + r"(\.v[0-9]+)?(/|$)", path):
            return blocked
    return None
