"""Who is asked: systems from the command line's flags, ourselves and peers, opened for one run and closed after it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

from goassist_index.errors import ConfigError
from goassist_lsp.cli.bench_report import progress
from goassist_lsp.cli.eval.ours import ABLATIONS, FULL, RAW, OwnModels, Variant
from goassist_models.evaluate.example import Answer, Question, System
from goassist_models.registry import resolve

_GROUPS = {"goassist": (FULL,), "ablations": ABLATIONS, "raw": (RAW,)}
_NAMED = {variant.name: (variant,) for variant in ABLATIONS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say who is asked."""
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="registry name or GGUF path; may be given several times (default: the registry's default)",
    )
    parser.add_argument(
        "--systems",
        default="goassist,raw",
        metavar="LIST",
        help=f"of each model: some of {', '.join(_GROUPS)} or one ablation's name, or none (default goassist,raw)",
    )
    parser.add_argument(
        "--llama-vim", action="store_true", help="ask llama.cpp's server as llama.vim drives it, with each model too"
    )
    parser.add_argument("--server", action="append", metavar="CMD", help="a language server over stdio, as a command")
    parser.add_argument("--endpoint", action="append", metavar="URL", help="an OpenAI-compatible completions server")


@asynccontextmanager
async def opened(args: argparse.Namespace) -> AsyncIterator[list[System]]:
    """All systems that the flags name, ready to be asked, each as by the key that asks at once.

    Raises ConfigError for a flag that names nothing, and GoassistError for a system that cannot be had.
    """
    variants = _variants(args.systems)
    async with AsyncExitStack() as stack:

        async def added(making: Awaitable[System]) -> System:
            system = await making
            stack.push_async_callback(system.close)
            return system

        asked: list[System] = []
        own = OwnModels()
        stack.push_async_callback(own.close)
        for model in args.model or [""]:
            path = resolve(model or None).path
            short = _short(resolve(model or None).name)
            for variant in variants:
                cold = variant in (FULL, RAW)
                name = f"{variant.name} {short}" if cold else f"{short}, {variant.name}"
                asked.append(await own.system(variant, str(path), name, cold=cold))
            if args.llama_vim:
                from goassist_models.evaluate.peers.llama_vim import llama_vim_system

                say = partial(progress.print, markup=False)
                making = llama_vim_system(path, f"llama.vim {short}", report=say, on_demand=True)
                asked.append(_leaving(await added(making)))
        for command in args.server or ():
            from goassist_lsp.cli.eval.peer_lsp import lsp_system

            asked.append(await added(lsp_system(shlex.split(command), command)))
        for url in args.endpoint or ():
            from goassist_lsp.cli.eval.peer_endpoint import endpoint_system

            asked.append(await added(endpoint_system(url, url)))
        if not asked:
            raise ConfigError("nobody is asked", cure="Name --systems, --llama-vim, --server or --endpoint")
        yield asked


def _leaving(peer: System) -> System:
    """The peer, told at once that its place is left: else it begins to ask ahead, and leaving takes seconds."""

    async def ask(question: Question) -> Answer:
        answer = await peer.ask(question)
        await peer.forget()
        return answer

    return replace(peer, ask=ask)


def _variants(words: str) -> list[Variant]:
    """The variants that --systems names; our own first, so that what follows shares what it has read."""
    wanted = [word.strip() for word in words.split(",") if word.strip() not in ("", "none")]
    known = {**_GROUPS, **_NAMED}
    if unknown := [word for word in wanted if word not in known]:
        raise ConfigError(f"--systems does not know {unknown[0]!r}", cure=f"Name some of {', '.join(known)}")
    found = {variant.name for word in wanted for variant in known[word]}
    return [variant for variant in (FULL, *ABLATIONS, RAW) if variant.name in found]


def _short(model: str) -> str:
    """What tells models apart in a table: the size in a name such as qwen2.5-coder-0.5b, else all of it."""
    last = model.rsplit("-", 1)[-1]
    return last if last[:1].isdigit() else model
