"""`bench worth`: what the least chance with which a text is shown costs and brings, while one types.

Function bodies of development modules are asked about at every second key, once; what the model says there is ended as
it would be for each least chance, and goes through the pipeline's other half. The typist of `eval typing` then plays on
the answers, as if each came at once: nothing here is timed, so that other work on the machine changes nothing. `--out`
keeps what came of each key; the same file goes on with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cattrs

from goassist_index.cachedir import cache_dir
from goassist_lsp.app import llama_settings
from goassist_lsp.check.typecheck import TypeChecker
from goassist_lsp.cli.bench_report import add_common, chosen_bodies, kept_lines, print_json, progress, table
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Options, Settings, resolve
from goassist_lsp.types import DocumentSnapshot, Pace
from goassist_models.engine import CancelToken, Engine, EngineOver, GenerateRequest, Generation, Step
from goassist_models.engine.kept import likely_part
from goassist_models.evaluate.keystrokes import TypedBody, as_typed, keys_of
from goassist_models.evaluate.metrics import Share
from goassist_models.evaluate.typing import Ghost, next_press
from goassist_models.infill import InfillPrompt
from goassist_models.registry import resolve as resolve_model

# Of what is less likely than the first of these nothing is said.
CHANCES = (0.12, 0.18, 0.25, 0.35, 0.5, 0.6, 0.7, 0.8)
_EVERY = 2
_LOADING_LIMIT_S = 180.0
_TYPING = Pace(typing=True, patience_s=60.0)


@dataclass(frozen=True, slots=True)
class AskedKey:
    """One key of a body: what is shown behind it by least chance (as text; None for silence), and the model's own text.

    `logprobs` and `ends` are of the model's tokens: natural logs, and where each ends in `said`.
    """

    body: str
    key: int
    shown: dict[str, str | None]
    said: str
    logprobs: tuple[float, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Played:
    """What the typist had of one least chance. Keys and characters over all bodies."""

    chance: float
    keys: int
    characters: int
    completed: int
    suggestions: Share
    at_keys: Share
    flicker: int


class Asked(EngineOver):
    """Says each prompt once, as far as the least of CHANCES goes, and answers as for `least_logprob`: an Engine."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.least_logprob = math.log(CHANCES[0])
        self.last: Generation | None = None
        self._said: tuple[InfillPrompt, Generation] | None = None

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        """Answer as the engine below does for somebody who wants `least_logprob`; see Engine.generate."""
        if request.resume is not None:
            return await self._engine.generate(replace(request, least_logprob=self.least_logprob), cancel)
        if self._said is None or self._said[0] != request.prompt:
            least = math.log(CHANCES[0])
            (whole,) = await self._engine.generate(replace(request, least_logprob=least, patience=None), cancel)
            self._said = request.prompt, whole
        self.last = self._said[1]
        return (likely_part(self.last, 0, self.least_logprob),)


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("worth", help="what is completed and what is wrong by the least chance that is shown")
    parser.add_argument("modules", nargs="*", metavar="MODULE@VERSION|DIR", help="default: the pinned list's dev half")
    parser.add_argument("--bodies", type=int, default=22, help="function bodies in all (default 22)")
    parser.add_argument("--limit", type=int, default=160, metavar="KEYS", help="keys of each at most (default 160)")
    parser.add_argument("--model", metavar="NAME", help="registry name or GGUF path (default: the registry's default)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where what came of each key is kept (JSONL)")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when measured."""
    bodies = chosen_bodies(args, copies=False)
    out = args.out or cache_dir() / "bench" / "worth.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(ask_all(bodies, out, args))
    found = read(out)
    rows = [played(bodies, found, chance, args.limit) for chance in CHANCES]
    if args.json:
        print_json({"bench": "worth", "bodies": len(bodies), "chances": [_figures(row) for row in rows]})
    else:
        columns = ("least chance", "keys", "% completed", "wrong of suggestions", "wrong at a key", "flicker/100 keys")
        cells = [
            (row.chance, row.keys, f"{100 * row.completed / row.characters:.1f}", str(row.suggestions),
             str(row.at_keys), f"{100 * row.flicker / max(1, row.keys):.1f}")
            for row in rows
        ]  # fmt: skip
        table(f"{len(bodies)} bodies, answers at once", columns, cells)
    return 0


def _figures(row: Played) -> dict[str, object]:
    shares = {"wrong_of_suggestions": row.suggestions.as_json(), "wrong_at_a_key": row.at_keys.as_json()}
    counts = {"keys": row.keys, "characters": row.characters, "completed": row.completed, "flicker": row.flicker}
    return {"chance": row.chance, **counts, **shares}


async def ask_all(bodies: Sequence[TypedBody], out: Path, args: argparse.Namespace) -> None:
    """Ask about the keys of these bodies that `out` lacks, and add each to it as it comes."""
    from goassist_models.engine.llama import LlamaEngine

    there = read(out)
    settings = resolve(Options())[0]
    path = resolve_model(args.model or settings.model or None).path
    engine = Asked(await LlamaEngine.load(path, llama_settings(settings)))
    checker = TypeChecker(loading_limit_s=_LOADING_LIMIT_S)
    try:
        with progress.status("asking") as status, out.open("a", encoding="utf-8") as file:
            for number, body in enumerate(bodies):
                await checker.set_folders([body.directory])
                for key in range(0, min(args.limit, len(body.keys)), _EVERY):
                    status.update(f"body {number + 1} of {len(bodies)}, key {key}")
                    if (body.key, key) not in there:
                        asked = await ask(engine, checker, settings, body, key)
                        file.write(json.dumps(asdict(asked)) + "\n")
                        file.flush()
    finally:
        await checker.close()
        await engine.close()


async def ask(engine: Asked, checker: TypeChecker, settings: Settings, body: TypedBody, key: int) -> AskedKey:
    """What is shown with `key` keys of the body typed, for each least chance."""
    written = body.before + "".join(body.keys[:key])
    snapshot = DocumentSnapshot(body.file.as_uri(), body.file, key, written + body.after)
    shown: dict[str, str | None] = {}
    engine.last = None
    for chance in CHANCES:
        engine.least_logprob = math.log(chance)
        # A pipeline of its own each time: it would remember what the last one has shown.
        pipeline = CompletionPipeline(engine, checker, settings)
        completion = await pipeline.complete(snapshot, len(written), CancelToken(), pace=_TYPING)
        candidate = completion.candidates[0] if completion.candidates else None
        at_cursor = candidate is not None and candidate.start == candidate.end == len(written)
        shown[str(chance)] = candidate.insert_text if candidate is not None and at_cursor else None
    last = engine.last
    steps: tuple[Step, ...] = last.steps if last is not None else ()
    logprobs, ends = tuple(step.logprob for step in steps), tuple(step.end for step in steps)
    return AskedKey(body.key, key, shown, last.text if last is not None else "", logprobs, ends)


def read(out: Path) -> dict[tuple[str, int], AskedKey]:
    """The keys that `out` has; a last line that was not finished is cut off."""
    asked = (cattrs.structure(json.loads(line), AskedKey) for line in kept_lines(out))
    return {(one.body, one.key): one for one in asked}


def played(bodies: Iterable[TypedBody], found: dict[tuple[str, int], AskedKey], chance: float, limit: int) -> Played:
    """The typist of `eval typing` on these answers. A suggestion counts once when it comes up, and once at each key."""
    suggestions, at_keys = Share(), Share()
    keys = characters = completed = flicker = 0
    for body in bodies:
        rest, pressed = "".join(body.keys[:limit]), 0
        ghost: Ghost | None = None
        characters += len(rest)
        while rest:
            press, part, _ = next_press(ghost, rest)
            keys += 1
            if press == "key":
                typed = ghost.typed(part, 0) if ghost is not None else None
                flicker += ghost is not None and typed is None and ghost.text != part
                ghost = typed
            else:
                completed += len(part)
                ghost = ghost.typed(part, 0) if ghost is not None and ghost.text != part else None
            rest, pressed = rest[len(part) :], pressed + len(keys_of(part))
            if ghost is None:
                one = found.get((body.key, pressed))
                text = one.shown[str(chance)] if one is not None else None
                # Not aligned, as what is typed is not: gofmt does that to both.
                ghost = Ghost(as_typed(text)) if text else None
                if ghost is not None and rest:
                    suggestions.add(not next_press(ghost, rest)[2])
            if ghost is not None and rest:
                at_keys.add(not next_press(ghost, rest)[2])
    return Played(chance, keys, characters, completed, suggestions, at_keys, flicker)
