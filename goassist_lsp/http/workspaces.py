"""The workspaces that requests may name, and the files in them: nothing outside, whatever a path or a link says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goassist_index.errors import ConfigError
from goassist_lsp.http.errors import ApiError

_MOST_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Workspaces:
    """Directories by the names that requests have for them."""

    roots: dict[str, Path]

    @classmethod
    def of(cls, given: Sequence[str]) -> Workspaces:
        """From the command line: DIR, or NAME=DIR. Raises ConfigError for what is no directory, or twice."""
        roots: dict[str, Path] = {}
        for word in given:
            name, equals, directory = word.partition("=")
            path = Path(directory if equals else word)
            name = name if equals else path.resolve().name
            if not path.is_dir():
                raise ConfigError("there is no such directory", path=str(path), cure="Check --workspace")
            if not name or name in roots:
                raise ConfigError(f"the workspace's name {name!r} cannot be", cure="Say NAME=DIR, each name once")
            roots[name] = path.resolve()
        return cls(roots)

    def root(self, name: str | None) -> Path:
        """A workspace's directory. Raises ApiError 404 where there is none of that name, or none any more."""
        root = self.roots.get(name or "")
        if root is None:
            known = ", ".join(sorted(self.roots)) or "none: the server was started without"
            raise ApiError(404, f"there is no workspace {name!r} here; there is {known}", param="workspace")
        if not root.is_dir():
            raise ApiError(404, f"the workspace {name!r} is gone", code="workspace_gone", param="workspace")
        return root

    def file(self, name: str | None, file: str | None) -> Path:
        """A Go file of a workspace, or where one may come to be. Raises ApiError for all that lies elsewhere."""
        root = self.root(name)
        if not file:
            raise ApiError(400, "`workspace` needs a `file`", param="file")
        inside = Path(file)
        if "\0" in file or inside.is_absolute() or ".." in inside.parts or inside.suffix != ".go":
            raise ApiError(400, "`file` is a path of a Go file from the workspace's root", param="file")
        path = root / inside
        # Links are followed to where they lead: what counts is where that is.
        try:
            real = path.resolve()
        except OSError as error:
            raise ApiError(400, f"`file` cannot be followed ({error.strerror})", param="file") from error
        except RuntimeError as error:
            raise ApiError(400, "`file` leads in a circle", param="file") from error
        if not real.is_relative_to(root) or real.suffix != ".go":
            raise ApiError(400, "`file` leads out of the workspace", code="outside_workspace", param="file")
        if not real.parent.is_dir() or (real.exists() and not real.is_file()):
            raise ApiError(404, "there is no such file", param="file")
        return real

    def text(self, path: Path) -> str:
        """What a file of a workspace holds. Raises ApiError where that is no source text."""
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ApiError(400, f"the file is larger than {_MOST_BYTES // 1_000_000} MB", param="file")
            return path.read_bytes().decode()
        except FileNotFoundError:
            raise ApiError(404, "there is no such file", param="file") from None
        except OSError as error:
            raise ApiError(400, f"the file cannot be read ({error.strerror})", param="file") from error
        except UnicodeDecodeError as error:
            raise ApiError(400, f"the file is not UTF-8 (byte {error.start})", param="file") from error
