"""The command line: one module per verb, plus --stdio and --tcp for the language server."""

from __future__ import annotations

import argparse
import importlib
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from goassist_index.errors import GoassistError

VERBS = ("complete", "check", "index", "search", "model", "doctor", "bench", "eval", "serve", "train")
EXIT_UNUSABLE = 2
# What only some verbs need, by the extra that brings it.
_EXTRAS = {
    "awq": ("llmcompressor",),
    "embed": ("faiss",),
    "eval": ("jinja2", "matplotlib", "pandas", "plotly", "rapidfuzz", "scipy"),
    "serve": ("prometheus_client", "starlette", "uvicorn"),
    "train": (
        "accelerate",
        "bitsandbytes",
        "datasets",
        "datasketch",
        "gguf",
        "peft",
        "ray",
        "torch",
        "transformers",
        "trl",
    ),
}


def parser(names: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """The command line with these verbs. Only their modules are imported, so that each starts at once."""
    top = argparse.ArgumentParser(
        prog="goassist-lsp",
        description="A code assistant for Go on your own machine: completions that type-check, or silence.",
    )
    top.add_argument("--version", action="store_true", help="print the version and end")
    transport = top.add_mutually_exclusive_group()
    transport.add_argument(
        "--stdio", action="store_true", help="serve the language server protocol on standard input and output"
    )
    transport.add_argument(
        "--tcp", type=int, metavar="PORT", help="serve the language server protocol on a port of this machine"
    )
    top.add_argument(
        "--log-level",
        default="warning",
        choices=("debug", "info", "warning", "error"),
        help="least severe records written to standard error",
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB")
    for verb in names:
        importlib.import_module(f"goassist_lsp.cli.{verb}").register(verbs)
    return top


def _wanted(words: Sequence[str]) -> Sequence[str]:
    """The verbs that a command line can mean: none for the server, the first that is named, or all."""
    if any(word == "--stdio" or word.startswith("--tcp") for word in words):
        return ()
    return [word for word in words if word in VERBS][:1] or VERBS


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """While a verb runs, SIGTERM unwinds it, so that it ends what it has started: servers, copies of modules."""

    def unwind(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status. Errors a user can mend are one line on standard error."""
    words = sys.argv[1:] if argv is None else argv
    top = parser(_wanted(words))
    args = top.parse_args(words)
    logging.basicConfig(level=args.log_level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if args.version:
        from importlib.metadata import version

        print(version("goassist-lsp"))
        return 0
    if args.stdio or args.tcp is not None:
        from goassist_lsp import server

        return server.run_stdio() if args.stdio else server.run_tcp(args.tcp)
    if args.verb is None:
        top.print_help()
        return EXIT_UNUSABLE
    try:
        with _ended_as_by_ctrl_c():
            status: int = args.run(args)
    except GoassistError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    except ModuleNotFoundError as error:
        extra = next((extra for extra, names in _EXTRAS.items() if error.name in names), None)
        if extra is None:
            raise
        cure = f"Install it with `pip install 'goassist-lsp[{extra}]'`"
        print(f"error: {error.name} is not installed. {cure}", file=sys.stderr)
        return EXIT_UNUSABLE
    except BrokenPipeError:
        # The reader of our output has gone; nobody is left to be told.
        sys.stderr.close()
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        return 130
    return status
