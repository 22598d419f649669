"""Which paths of a workspace the user wants left alone: .gitignore, .ignore and .goassistignore, as git reads them.

fileset.py asks it about each directory and file on its walk.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# Later names win over earlier ones, as in ripgrep: a person can take back for goassist what git ignores.
IGNORE_FILES = (".gitignore", ".ignore", ".goassistignore")
# A longer file is no list that somebody wrote.
_MAX_BYTES = 1_000_000


class IgnoreRules:
    """The ignore files of a workspace and, for git's, of the directories above it up to the repository's root.

    Files are read once, when first asked about; make a new object for a new walk. A file that cannot be read, or a
    line of it that is no pattern, has no say.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._above = _directories_above(root)
        self._specs = lru_cache(maxsize=None)(_specs_in)

    def match(self, relative: str, *, directory: bool) -> str | None:
        """The ignore file that leaves `relative` out (slashes, from the root), or None.

        Only the path itself is judged: the walk does not go into a directory that is ignored, which is also why
        nothing in one can be taken back (gitignore(5)).
        """
        path = self._root / relative
        parents = [self._root / parent for parent in PurePosixPath(relative).parents]
        for name in reversed(IGNORE_FILES):
            for folder in (*parents, *self._above):
                for place, spec in self._specs(folder).get(name, ()):
                    said = spec.check_file(path.relative_to(folder).as_posix() + "/" * directory).include
                    if said is not None:
                        return str(place) if said else None
        return None


def _directories_above(root: Path) -> tuple[Path, ...]:
    """The directories from above `root` up to the git repository that it lies in; none outside of one."""
    if (root / ".git").exists():
        return ()
    for count, parent in enumerate(root.parents):
        if (parent / ".git").exists():
            return tuple(root.parents[: count + 1])
    return ()


def _specs_in(folder: Path) -> dict[str, list[tuple[Path, GitIgnoreSpec]]]:
    """The rules that a directory's own files give, by the name of the list that they belong to."""
    places = [(name, folder / name) for name in IGNORE_FILES]
    places.append((".gitignore", folder / ".git" / "info" / "exclude"))
    found: dict[str, list[tuple[Path, GitIgnoreSpec]]] = {}
    for name, place in places:
        spec = _read(place)
        if spec is not None:
            found.setdefault(name, []).append((place, spec))
    return found


def _read(path: Path) -> GitIgnoreSpec | None:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return None
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    good = [line for line in lines if line.strip() and not line.lstrip().startswith("#") and _is_pattern(line)]
    if not good:
        return None
    # Whoever only searches reads no rules, and starts without it.
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(good)


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
