"""`bench moved`: what it costs that a window that moves is not read again: nats of what the author writes next.

In the middle of function bodies that stand far down in their files the author's next line and a half are scored behind
the prompt, read anew, and behind the same prompt whose window has moved up once and three times, as while one types:
its cells were read behind lines that are not in it any more. Nothing is generated, and nothing is timed.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from goassist_lsp.app import llama_settings
from goassist_lsp.cli.bench_report import add_common, chosen_bodies, print_json, progress, table
from goassist_lsp.cli.bench_truths import cells, compared
from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate import prompt
from goassist_lsp.settings import Options, Settings, resolve
from goassist_lsp.types import DocumentSnapshot
from goassist_models.evaluate.keystrokes import TypedBody
from goassist_models.infill import InfillPrompt
from goassist_models.registry import resolve as resolve_model

if TYPE_CHECKING:
    from goassist_models.engine.llama import LlamaEngine

# How often the window has moved, by so many lines each time.
TIMES = (0, 1, 3)
_STEP_LINES = 8
_TRUTH_CHARS = 90
_ANY_TEXT = "x"


@dataclass(frozen=True, slots=True)
class Scored:
    """One place: nats of the author's text by how often the window has moved, and its tokens."""

    place: str
    nats: dict[int, float]
    tokens: int


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("moved", help="what it costs that a window that moves is not read again")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned dev modules")
    parser.add_argument("--bodies", type=int, default=200, help="function bodies to look at (default 200)")
    parser.add_argument("--places", type=int, default=24, help="of those, places to score (default 24)")
    parser.add_argument("--model", metavar="NAME", help="registry name or GGUF path (default: the registry's default)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when there are figures, 1 when no place could be scored."""
    found = asyncio.run(_with_model(chosen_bodies(args, copies=False), args))
    differences = {
        times: compared([(one.nats[times], one.nats[0]) for one in found], [one.tokens for one in found])
        for times in TIMES[1:]
    }
    if args.json:
        values = {str(times): one.as_json() if one else None for times, one in differences.items()}
        print_json({"bench": "moved", "places": [asdict(one) for one in found], "differences": values})
    else:
        rows = [(times, len(found), *cells(one)) for times, one in differences.items()]
        columns = ("moved", "places", "difference", "95 % interval", "better", "worse")
        table("Nats a token of the author's text, cells moved up less read anew", columns, rows)
    return 0 if found else 1


async def _with_model(bodies: Sequence[TypedBody], args: argparse.Namespace) -> list[Scored]:
    from goassist_models.engine.llama import LlamaEngine

    settings = resolve(Options())[0]
    path = resolve_model(args.model or settings.model or None).path
    found: list[Scored] = []
    engine = await LlamaEngine.load(path, llama_settings(settings))
    try:
        with progress.status("scoring") as status:
            async for one in scored(engine, settings, bodies):
                found.append(one)
                status.update(f"{len(found)} of {args.places} places")
                if len(found) == args.places:
                    break
    finally:
        await engine.close()
    return found


async def scored(engine: LlamaEngine, settings: Settings, bodies: Sequence[TypedBody]) -> AsyncIterator[Scored]:
    """The places in these bodies that have lines enough above their window."""
    for body in bodies:
        at = body.text.find("\n", len(body.text) // 2) + 1
        truth = body.text[at : at + _TRUTH_CHARS]
        windows = _windows(settings, body, at) if at > 0 and len(truth) == _TRUTH_CHARS else []
        if not windows:
            continue
        nats: dict[int, float] = {}
        tokens = 0
        for times in TIMES:
            for number, window in enumerate(windows[-1 - times : -1]):
                await engine.score(window, _ANY_TEXT, moved=number > 0)
            score = await engine.score(windows[-1], truth, moved=times > 0)
            nats[times], tokens = score.nats, score.tokens
        yield Scored(f"{body.place}:{body.function}", nats, tokens)


def _windows(settings: Settings, body: TypedBody, at: int) -> list[InfillPrompt]:
    """The prompts on the way to that for position `at` of the body, the last; none where it stands too far up.

    Each has the lines that leave the window on the way to the next one, and not yet those that enter it.
    """
    text = body.before + body.text[:at]
    context = context_at(DocumentSnapshot(body.file.as_uri(), body.file, 1, text + body.after), len(text))
    last = prompt.build(context, form=settings.infill_form, budget_tokens=settings.context_tokens)
    lines = text.splitlines(keepends=True)
    inside = next((n for n in range(len(lines), 0, -1) if last.prefix.endswith("".join(lines[-n:]))), 0)
    moves = max(TIMES) * _STEP_LINES
    if inside <= moves or len(lines) - inside < moves:
        return []
    head = last.prefix.removesuffix("".join(lines[-inside:]))
    before = [lines[len(lines) - inside - moved : len(lines) - moved] for moved in range(moves, 0, -_STEP_LINES)]
    return [*(replace(last, prefix=head + "".join(each).lstrip("\n")) for each in before), last]
