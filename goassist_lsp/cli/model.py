"""`model list|pull|verify|path`: the weights on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.errors import ConfigError

if TYPE_CHECKING:
    from goassist_models.registry import ModelFile

Show = Callable[[int, int, str], None]


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("model", help="list, fetch, verify or find model files")
    actions = verb.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the models of the registry, and which of them are here")
    pulling = actions.add_parser("pull", help="fetch a model into the cache, going on where a download broke off")
    verifying = actions.add_parser("verify", help="read a model file wholly and compare its digest")
    finding = actions.add_parser("path", help="print where the model file lies that would be used")
    pulling.add_argument(
        "name", nargs="?", help="name in the registry; by default $GOASSIST_MODEL or the default model"
    )
    for action in (verifying, finding):
        action.add_argument(
            "name", nargs="?", help="name or path of a GGUF file; by default $GOASSIST_MODEL or the default model"
        )
    for action in (listing, pulling, verifying, finding):
        action.add_argument("--json", action="store_true", help="print one JSON value")
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0; errors are raised as GoassistError."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "list": list_models,
        "pull": pull,
        "verify": verify,
        "path": path,
    }
    return actions[args.action](args)


def list_models(args: argparse.Namespace) -> int:
    """One line a model: mark of presence, name, size, licence, title."""
    from goassist_models.registry import embeddings, entries

    known = (*entries(), *embeddings())
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "size_bytes": entry.size_bytes,
            "licence": entry.licence,
            "default": entry.default,
            "path": str(entry.path),
            "present": entry.present,
        }
        for entry in known
    ]
    if args.json:
        print(json.dumps(rows))
        return 0
    for entry, row in zip(known, rows, strict=True):
        mark = "✓" if row["present"] else " "
        default = " (default)" if entry.default else ""
        print(f"{mark} {entry.name:<20} {entry.size_bytes / 1e6:6.0f} MB  {entry.licence:<11} {entry.title}{default}")
    return 0


def pull(args: argparse.Namespace) -> int:
    """Fetch a registry model, with a progress bar on standard error."""
    from goassist_models import download, registry

    wanted: registry.Entry | Path | None = registry.embedding(args.name)
    if wanted is None:
        wanted = registry.requested(args.name)
    if not isinstance(wanted, registry.Entry):
        if args.name is None:  # GOASSIST_MODEL names a file: nothing to fetch if it is in order
            found = registry.resolve(str(wanted))
            return _print_file(found.name, str(found.path), args.json)
        raise ConfigError("only models of the registry can be fetched", path=args.name, cure="See `model list`")
    with _progress_bar(wanted.name) as show:
        where = download.pull(wanted, show)
    return _print_file(wanted.name, str(where), args.json)


def verify(args: argparse.Namespace) -> int:
    """Compare a file's digest with the registry's; a file of no registry row has only its header checked."""
    from goassist_models import registry

    found = _found(args.name)
    with _progress_bar(found.name) as show:
        total = found.path.stat().st_size
        registry.check(found, lambda done: show(done, total, "verifying"))
    how = "sha256" if found.entry is not None else "header"
    if args.json:
        print(json.dumps({"name": found.name, "path": str(found.path), "ok": True, "checked": how}))
    else:
        what = (
            "is byte for byte what the registry says" if how == "sha256" else "is a whole GGUF file (no digest known)"
        )
        print(f"{found.path} {what}")
    return 0


def path(args: argparse.Namespace) -> int:
    """Print where the file lies; an error when it is not there."""
    found = _found(args.name)
    return _print_file(found.name, str(found.path), args.json)


def _found(name: str | None) -> ModelFile:
    from goassist_models import registry

    embedding = registry.embedding(name)
    return registry.resolve(name) if embedding is None else registry.there(embedding)


def _print_file(name: str, where: str, as_json: bool) -> int:
    print(json.dumps({"name": name, "path": where}) if as_json else where)
    return 0


@contextmanager
def _progress_bar(name: str) -> Iterator[Show]:
    """A bar of bytes on standard error; it shows nothing there unless that is a terminal, but each new step."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        said: set[str] = set()

        def say(_done: int, _total: int, what: str) -> None:
            if what not in said:
                said.add(what)
                print(f"{name}: {what}", file=sys.stderr)

        yield say
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[what]}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(name, total=None, what="")

        def show(done: int, total: int, what: str) -> None:
            bars.update(task, completed=done, total=total, what=what)

        yield show
