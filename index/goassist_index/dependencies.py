"""Indexes what a workspace imports: the standard library and modules at the versions that go.mod selects.

Of each package: its outline, its exported types with their exported methods, its exported functions' signatures. They
are read from the user's module cache and Go installation, never downloaded, into one store that all workspaces share:
a package of a module's version is read once on a machine. Directories that go.mod or go.work put in a module's place
are not read: they change, and mostly are a workspace of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.chunk import Outline, Piece, outline_of, package_pieces
from goassist_index.fileset import read
from goassist_index.gotools import json_values, run_go
from goassist_index.postings import encode
from goassist_index.secrets import mask
from goassist_index.store import Store
from goassist_index.update import Progress

_NOTE = "dependencies"
_LIST_TIMEOUT_S = 120.0
# Never a download, never a change of go.mod.
_OFFLINE = {"GOPROXY": "off", "GOSUMDB": "off", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
_METHOD_NAME = re.compile(r"func \([^)]*\) (\w+)")


@dataclass(frozen=True, slots=True)
class Dependency:
    """One imported package: `folder` is module@version and the path within, as snippets show it."""

    folder: str
    package: str
    name: str
    directory: Path
    files: tuple[str, ...]


def dependencies_folder() -> Path:
    """The folder of the store that all workspaces share."""
    return cache_dir() / "index" / "modules"


def list_dependencies(root: Path) -> list[Dependency]:
    """The packages below the workspace's own, by `go list`; what is not in the module cache is not there.

    Raises ConfigError when there is no Go toolchain. A workspace that Go cannot list has none.
    """
    version = run_go(["env", "GOVERSION"], root, environment=_OFFLINE).stdout.strip()
    fields = "ImportPath,Dir,Name,Standard,GoFiles,CgoFiles,Module"
    arguments = ["list", "-e", "-deps", "-test", f"-json={fields}", "./..."]
    listed = run_go(arguments, root, environment=_OFFLINE, timeout_s=_LIST_TIMEOUT_S)
    found: dict[str, Dependency] = {}
    for value in json_values(listed.stdout):
        path = value["ImportPath"]
        module = value.get("Module") or {}
        used = module.get("Replace") or module
        if value.get("Standard"):
            origin, within = f"std@{version}", path
        elif module and not module.get("Main") and used.get("Version"):
            origin, within = f"{module['Path']}@{used['Version']}", path.removeprefix(module["Path"]).strip("/")
        else:
            continue
        files = tuple(sorted((*value.get("GoFiles", ()), *value.get("CgoFiles", ()))))
        # Nobody outside can import these; "p [p.test]" is a package built for a test.
        hidden = " " in path or {"internal", "vendor"} & set(path.split("/")) or value.get("Name") == "main"
        if not hidden and value.get("Dir") and files:
            folder = f"{origin}/{within}".rstrip("/")
            found[folder] = Dependency(folder, path, value.get("Name", ""), Path(value["Dir"]), files)
    return list(found.values())


def update_dependencies(
    shared: Store,
    workspace: Store,
    root: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> int:
    """Read what the workspace imports and `shared` has not yet; returns how many packages it imports.

    `progress(done, total, folder)` is called for each package. Raises as `list_dependencies`, IndexUnavailable and
    IndexCorrupt.
    """
    wanted = list_dependencies(root)
    there = shared.packages_in(dependency.folder for dependency in wanted)
    with shared.locked():
        for done, dependency in enumerate(wanted):
            if cancelled is not None and cancelled():
                break
            if progress is not None:
                progress(done, len(wanted), dependency.folder)
            if dependency.folder not in there:
                pieces = read_package(dependency)
                with shared.transaction():
                    key = f"dependency {dependency.folder}"
                    unit = shared.unit_for(key)
                    if unit is None:
                        unit = shared.add_unit(key, pieces, encode([piece for _, piece in pieces]))
                    shared.put_packages(dependency.folder, [(dependency.name, dependency.package, unit)])
    with workspace.locked(), workspace.transaction():
        workspace.put_note(_NOTE, json.dumps(sorted(dependency.folder for dependency in wanted)))
    return len(wanted)


def dependency_units(shared: Store, workspace: Store) -> set[int]:
    """The units in `shared` of the packages that the workspace imported when they were last read."""
    noted = workspace.note(_NOTE)
    return set(shared.packages_in(json.loads(noted)).values()) if noted else set()


def read_package(dependency: Dependency) -> list[tuple[str, Piece]]:
    """What a user of the package may name, each piece with its file. Generated files count: their types are used."""
    outlines: list[tuple[str, Outline]] = []
    for name in dependency.files:
        text = read(dependency.directory / name).data.decode("utf-8", "replace")
        if text:
            outlines.append((name, _exported(outline_of(mask(text).encode()))))
    pieces = package_pieces(dependency.package, outlines)
    for name, outline in outlines:
        pieces.extend((name, piece) for piece in outline.functions)
    return pieces


def _exported(outline: Outline) -> Outline:
    """Only exported names; of functions only what stands before their bodies."""
    signatures: dict[str, Piece] = {}
    for piece in outline.functions:
        if all(part[:1].isupper() for part in piece.symbol.split(".")):
            # Of a function in several parts the first has its comment.
            signatures.setdefault(piece.symbol, replace(piece, text=piece.text[: piece.head_chars]))
    return replace(
        outline,
        types=tuple(declaration for declaration in outline.types if declaration.name[:1].isupper()),
        methods=tuple((receiver, line) for receiver, line in outline.methods if _is_exported_method(line)),
        functions=tuple(signatures.values()),
    )


def _is_exported_method(signature: str) -> bool:
    match = _METHOD_NAME.match(signature)
    return match is not None and match.group(1)[:1].isupper()
