"""`index`: bring the index of a workspace up to date, and say what it holds and what not."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goassist_index.errors import SourceError
from goassist_index.workspace import workspace_root

if TYPE_CHECKING:
    from goassist_index.refine import DenseTier
    from goassist_index.store import Store

# Reasons that are listed in the summary, and places that are named for each.
_REASONS_SHOWN = 12
_PLACES_SHOWN = 3


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("index", help="read a workspace into its index, or bring that up to date")
    verb.add_argument("directory", nargs="?", default=".", metavar="DIR", help="a directory of the workspace")
    verb.add_argument(
        "--dependencies",
        action="store_true",
        help="also what it imports: modules in the module cache, standard library",
    )
    verb.add_argument(
        "--dense", action="store_true", help="also what pieces mean, with an embedding model (minutes; needs [embed])"
    )
    verb.add_argument("--explain", metavar="FILE", help="say whether a file is in the index, and if not, why")
    verb.add_argument("--json", action="store_true", help="print one JSON value")
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0; with --explain 1 for a file that is left out."""
    if args.explain is not None:
        return _explain(Path(args.explain), args.json)
    from goassist_index.store import Store, store_folder
    from goassist_index.update import update_workspace

    root = root_of(args.directory)
    packages = embedded = None
    with Store(store_folder(root)) as store:
        with progress_bar(f"indexing {root.name}") as progress:
            summary = update_workspace(store, root, progress)
        if args.dependencies:
            packages = index_dependencies(store, root)
        if args.dense:
            with dense_tier(store) as tier:
                embedded = refine(tier, store)
        folder, rebuilt = store.folder, store.rebuilt
    if rebuilt:
        print(f"the index was {rebuilt}: made anew", file=sys.stderr)
    if args.json:
        value: dict[str, Any] = {"root": str(root), "index": str(folder), "rebuilt": rebuilt, **asdict(summary)}
        counts = {"dependencies": packages, "embedded": embedded}
        print(json.dumps({**value, "seconds": round(summary.seconds, 3), **counts}))
        return 0
    print(f"{root}: {summary.files:,} files, {summary.chunks:,} chunks ({summary.made:,} files new or changed)")
    print(f"{summary.seconds:.1f} s, {summary.disk_bytes / 1e6:.1f} MB at {folder}")
    if packages is not None:
        print(f"{packages:,} imported packages")
    if embedded is not None:
        print(f"{embedded:,} chunks embedded that were not before")
    for reason, count in list(summary.reasons.items())[:_REASONS_SHOWN]:
        places = [left.path for left in summary.left_out if left.reason == reason]
        more = ", …" if count > _PLACES_SHOWN else ""
        print(f"left out, {reason}: {count:,} ({', '.join(places[:_PLACES_SHOWN])}{more})")
    return 0


def _explain(file: Path, as_json: bool) -> int:
    from goassist_index.fileset import FileSet
    from goassist_index.store import Store, store_folder

    root = root_of(str(file.parent))
    # Where the file is looked for from: its own place, with links in the directories above it followed as for the root.
    place = file.parent.resolve() / file.name
    reason = FileSet(root).explain(place)
    with Store(store_folder(root)) as store:
        stored = reason is None and place.relative_to(root).as_posix() in store.files()
    if as_json:
        print(json.dumps({"root": str(root), "file": str(place), "indexed": stored, "left_out": reason}))
    elif reason is not None:
        print(f"{file}: left out, {reason}")
    else:
        print(f"{file}: {'indexed' if stored else 'not indexed yet: run `goassist-lsp index`'}")
    return 0 if reason is None else 1


def index_dependencies(store: Store, root: Path) -> int:
    """Read what the workspace imports into the store that all share; the number of packages."""
    from goassist_index.dependencies import dependencies_folder, update_dependencies
    from goassist_index.store import Store

    with Store(dependencies_folder()) as shared, progress_bar("indexing dependencies") as progress:
        return update_dependencies(shared, store, root, progress)


@contextmanager
def dense_tier(store: Store) -> Iterator[DenseTier]:
    """What the store's pieces mean, with the registry's embedding model. Raises ConfigError and ModelError."""
    from goassist_index.refine import DenseTier
    from goassist_lsp.meaning import embedder

    tier = DenseTier(store, embedder())
    try:
        if tier.rebuilt:
            print(f"what was embedded was {tier.rebuilt}: made anew", file=sys.stderr)
        yield tier
    finally:
        tier.close()


def refine(tier: DenseTier, store: Store) -> int:
    """Embed what has not been yet, with a bar; how many chunks that were."""
    tier.refresh(store.live_units())
    with progress_bar("embedding") as progress:
        return tier.refine(progress)


def root_of(directory: str) -> Path:
    """The root of the workspace that a directory belongs to. Raises SourceError when there is no such directory."""
    path = Path(directory)
    if not path.is_dir():
        raise SourceError("no directory", path=directory, cure="Name a directory with Go code")
    return workspace_root(path.resolve())


@contextmanager
def progress_bar(what: str) -> Iterator[Any]:
    """A bar of files on standard error, which is shown on a terminal only; yields the function that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.fields[at]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None, at="")
        yield lambda done, total, path: bars.update(task, completed=done, total=total, at=path)
