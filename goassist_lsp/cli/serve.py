"""`serve`: an OpenAI-compatible server for editors, scripts and teams, with a compiler in it."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from goassist_index.errors import ConfigError
from goassist_lsp.settings import Options, Settings, resolve

if TYPE_CHECKING:
    from goassist_lsp.http.embedding import Embeddings
    from goassist_lsp.http.service import Service
    from goassist_lsp.http.trials import Trials
    from goassist_models.chat import ChatTemplate
    from goassist_models.engine import Engine
    from goassist_models.infill import InfillTokens

DEFAULT_PORT = 8642
# A prompt's budget for answers that go through the pipeline: nobody types, so more than an editor has.
_CONTEXT_TOKENS = 1536
_MIB = 2**20
_ABOVE_ZERO = (
    *("slots", "context", "backend_at_once", "max_tokens", "max_body"),
    *("timeout", "read_timeout", "stop_timeout", "test_timeout"),
)


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("serve", help="serve OpenAI's API: completions and chats that can be held to compile")
    listen = verb.add_argument_group("who may ask")
    listen.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; beyond this machine only with --keys"
    )
    listen.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"0 takes a free one (default {DEFAULT_PORT})")
    listen.add_argument("--keys", type=Path, metavar="FILE", help="the digests of the keys that are answered")
    listen.add_argument("--new-key", metavar="NAME", help="make a key, add it to --keys, print it, and end")
    listen.add_argument(
        "--workspace", action="append", default=[], metavar="[NAME=]DIR", help="may be named in requests; several times"
    )
    model = verb.add_argument_group("the model")
    model.add_argument("--model", help="registry name or GGUF path; the backend's name for it, with --backend")
    model.add_argument(
        "--backend", metavar="URL", help="llama-server, vLLM or the like, in place of a model in process"
    )
    model.add_argument(
        "--backend-at-once", type=int, default=16, metavar="N", help="requests to it at once (default 16)"
    )
    model.add_argument("--slots", type=int, default=4, metavar="N", help="answers in one batch, in process (default 4)")
    model.add_argument(
        "--context", type=int, default=16384, metavar="N", help="tokens of all slots, shared out evenly (default 16384)"
    )
    model.add_argument(
        "--embeddings",
        nargs="?",
        const="",
        metavar="NAME",
        help="make embeddings here, by this model of the registry (default: its default; needs [embed])",
    )
    limits = verb.add_argument_group("limits")
    limits.add_argument("--queue", type=int, default=64, metavar="N", help="requests that may wait (default 64)")
    limits.add_argument("--max-tokens", type=int, default=2048, metavar="N", help="of one answer (default 2048)")
    limits.add_argument("--max-body", type=float, default=1.0, metavar="MIB", help="of one request (default 1)")
    limits.add_argument("--timeout", type=float, default=120.0, metavar="S", help="for one answer (default 120)")
    limits.add_argument("--read-timeout", type=float, default=10.0, metavar="S", help="for a head or body (default 10)")
    limits.add_argument("--stop-timeout", type=float, default=20.0, metavar="S", help="to end in (default 20)")
    tests = verb.add_argument_group("tests")
    tests.add_argument(
        "--allow-tests",
        nargs="?",
        const="sandboxed",
        choices=("sandboxed", "unconfined"),
        help="run tests of workspaces with answers in place; unconfined: also where there are no namespaces",
    )
    tests.add_argument("--test-timeout", type=float, default=10.0, metavar="S", help="for one run (default 10)")
    verb.add_argument("--log-prompts", action="store_true", help="write prompts into the log")
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when it was told to stop."""
    from goassist_lsp.http.keys import add_key
    from goassist_lsp.http.logs import write_json_lines

    if args.new_key is not None:
        if args.keys is None:
            raise ConfigError("--new-key needs --keys FILE")
        print(add_key(args.keys, args.new_key))
        return 0
    _hold_to_sense(args)
    write_json_lines()
    logging.getLogger("goassist_lsp.http").setLevel(logging.INFO)
    asyncio.run(_serve(args))
    return 0


def _hold_to_sense(args: argparse.Namespace) -> None:
    if args.keys is None and not _is_loopback(args.host):
        raise ConfigError(
            "without keys it is served on this machine only",
            path=f"--host {args.host}",
            cure="Make a key with --keys FILE --new-key NAME, or leave --host out",
        )
    for name in _ABOVE_ZERO:
        if getattr(args, name) <= 0:
            raise ConfigError("it must be above 0", path=f"--{name.replace('_', '-')}")
    if args.queue < 0:
        raise ConfigError("it must not be negative", path="--queue")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _serve(args: argparse.Namespace) -> None:
    from goassist_lsp.http.run import listening, serve

    listener = listening(args.host, args.port)
    with listener:
        service = await _service(args)
        host, port = listener.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

        def ready() -> None:
            print(f"{service.engine.model_name} at {address}", file=sys.stderr, flush=True)

        await serve(service, listener, stop_s=args.stop_timeout, ready=ready)


async def _service(args: argparse.Namespace) -> Service:
    """The server's parts, the model loaded. Raises GoassistError for what cannot be used."""
    from goassist_lsp.http.admission import Admission
    from goassist_lsp.http.keys import Keys
    from goassist_lsp.http.service import ServeLimits, Service
    from goassist_lsp.http.workspaces import Workspaces
    from goassist_models.engine.openai import OpenAIEngine

    settings = _settings(args)
    keys = Keys.read(args.keys) if args.keys is not None else None
    workspaces = Workspaces.of(args.workspace)
    trials = _trials(args)
    engine, tokens, template = await _engine(args, settings)
    remote = engine if isinstance(engine, OpenAIEngine) else None
    embeddings = _embeddings(args, engine)
    embedded_by = embeddings or remote
    # While some are checked others can generate: so more are let in than the batch holds.
    at_once = args.backend_at_once if args.backend else 2 * args.slots
    service = Service(
        engine,
        settings,
        Admission(at_once, args.queue),
        limits=ServeLimits(round(args.max_body * _MIB), args.read_timeout, args.max_tokens, args.timeout),
        workspaces=workspaces,
        keys=keys,
        trials=trials,
        template=template,
        tokens=tokens,
        log_prompts=args.log_prompts,
        probe=remote.reach if remote is not None else None,
        embed=embedded_by.embed if embedded_by is not None else None,
        embeddings=embeddings,
    )
    service.hosts |= {args.host.lower()}
    return service


def _settings(args: argparse.Namespace) -> Settings:
    settings, problems = resolve(Options(context_tokens=min(_CONTEXT_TOKENS, args.context // args.slots // 2)))
    if problems:
        raise ConfigError(problems[0])
    if args.backend:
        return replace(settings, engine_url=args.backend, model=args.model or "")
    return replace(settings, engine_url="", model=args.model or settings.model)


def _trials(args: argparse.Namespace) -> Trials | None:
    from goassist_lsp.http.trials import Trials
    from goassist_models.evaluate.sandbox import namespaces, protection

    if args.allow_tests is None:
        return None
    if args.allow_tests == "sandboxed" and namespaces() == "none":
        raise ConfigError(
            f"tests would not be kept from this machine ({protection()})",
            path="--allow-tests",
            cure="Install bubblewrap, allow user namespaces, or say --allow-tests unconfined",
        )
    return Trials.allowed(args.test_timeout)


def _embeddings(args: argparse.Namespace, engine: Engine) -> Embeddings | None:
    """What makes embeddings here, where that is asked for. Raises ConfigError and ModelError for what is missing."""
    from goassist_lsp.http.embedding import Embeddings
    from goassist_lsp.meaning import embedder

    if args.embeddings is None:
        return None
    made = embedder(args.embeddings or None)
    return Embeddings(made, made.name, engine.count_tokens)


async def _engine(args: argparse.Namespace, settings: Settings) -> tuple[Engine, InfillTokens, ChatTemplate | None]:
    """The engine, and its model's infill tokens and chat template."""
    from goassist_models.chat import CHATML, ChatTemplate
    from goassist_models.infill import DEFAULT_FAMILY, FAMILIES, tokens_of

    if args.backend:
        from goassist_models.engine.openai import OpenAIEngine

        remote = OpenAIEngine(args.backend, model=settings.model, at_once=args.backend_at_once)
        return remote, FAMILIES[DEFAULT_FAMILY], ChatTemplate(CHATML)
    from goassist_lsp.app import llama_settings
    from goassist_models.engine.batched import BatchedEngine
    from goassist_models.gguf_header import read_header
    from goassist_models.registry import resolve as resolve_model

    path = resolve_model(settings.model or None).path
    header = await asyncio.to_thread(read_header, path)
    batched = replace(llama_settings(settings), n_ctx=args.context, sequences=args.slots)
    engine = await BatchedEngine.load(path, batched)
    return engine, tokens_of(header), ChatTemplate.of(header)
