"""`search`: what a workspace has for a few words: symbol, place, score and lines."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.errors import IndexCorrupt, IndexUnavailable
from goassist_lsp.cli.index import dense_tier, index_dependencies, progress_bar, refine, root_of

if TYPE_CHECKING:
    from goassist_index.search import Snippet
    from goassist_index.store import Store

_LINES_SHOWN = 8


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("search", help="find functions, types and packages of a workspace")
    verb.add_argument("query", nargs="+", metavar="QUERY", help="words, names, a comment or a line of code")
    verb.add_argument("--dir", default=".", metavar="DIR", help="a directory of the workspace (default: this one)")
    verb.add_argument("-k", type=int, default=10, metavar="N", help="how many at most (default 10)")
    verb.add_argument(
        "--kind", action="append", choices=("package", "type", "function"), help="only these (repeatable)"
    )
    verb.add_argument(
        "--dependencies", action="store_true", help="also in what the workspace imports, at the versions in use"
    )
    verb.add_argument(
        "--dense", action="store_true", help="also by meaning; embeds first what has not been yet (needs [embed])"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON value")
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something is found, 1 when nothing is. The index is brought up to date first."""
    from goassist_index.store import Store, store_folder

    root = root_of(args.dir)
    query = " ".join(args.query)
    with Store(store_folder(root)) as store:
        _bring_up_to_date(store, root)
        begun = time.perf_counter()
        try:
            found = _search(store, root, query, args)
        except IndexCorrupt:
            store.rebuild()
            _bring_up_to_date(store, root)
            found = _search(store, root, query, args)
        ms = (time.perf_counter() - begun) * 1000
        if store.rebuilt:
            print(f"the index was {store.rebuilt}: made anew", file=sys.stderr)
    if args.json:
        results = [asdict(snippet) for snippet in found]
        print(json.dumps({"root": str(root), "query": query, "ms": round(ms, 1), "results": results}))
    else:
        _print(found)
    if not found:
        print(f"nothing in {root} fits", file=sys.stderr)
    return 0 if found else 1


def _bring_up_to_date(store: Store, root: Path) -> None:
    from goassist_index.update import update_workspace

    try:
        with progress_bar(f"indexing {root.name}") as progress:
            update_workspace(store, root, progress)
    except IndexCorrupt:
        raise
    except IndexUnavailable as error:
        # What is stored can be searched all the same.
        print(f"searching what the index has: {error}", file=sys.stderr)


def _search(store: Store, root: Path, query: str, args: argparse.Namespace) -> list[Snippet]:
    from goassist_index.dependencies import dependencies_folder
    from goassist_index.search import Searcher
    from goassist_index.store import Store

    kinds = args.kind or ()
    with ExitStack() as stack:
        shared = tier = vector = None
        if args.dependencies:
            index_dependencies(store, root)
            shared = stack.enter_context(Store(dependencies_folder()))
        if args.dense:
            tier = stack.enter_context(dense_tier(store))
            refine(tier, store)
            vector = tier.asked(query).result()
        searcher = Searcher(store, root, shared, tier)
        searcher.refresh()
        return searcher.search(query, args.k, kinds=kinds, vector=vector)


def _print(found: Sequence[Snippet]) -> None:
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for number, snippet in enumerate(found, 1):
        first, last = snippet.lines
        title = Text.assemble(
            f"{number:>2} ",
            (snippet.symbol, "bold cyan"),
            f"  {snippet.kind}  ",
            (f"{snippet.path}:{first}-{last}", "green"),
            (f"  {snippet.score:.2f}", "dim"),
        )
        console.print(title)
        lines = snippet.text.expandtabs(4).splitlines()
        shown = "\n".join(f"     {line}" for line in lines[:_LINES_SHOWN])
        if console.is_terminal:
            console.print(Syntax(shown, "go", theme="ansi_dark", background_color="default"))
        else:
            print(shown)
        if len(lines) > _LINES_SHOWN:
            console.print(Text(f"     … {len(lines) - _LINES_SHOWN} more lines", "dim"))
