"""`bench tune`: measures the models that are there on this machine, and keeps what is best for it (tuned.py).

For each model: with how many threads a token is quickest (measured anew), how fast a prompt is read, and what a typed
character costs. The form of the prompt is not among what is tuned: whichever machine it is, only in the default one
typing is appended to what was read, and which one is right most often is a matter of evaluation.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict

from goassist_index.errors import GoassistError, ModelError
from goassist_lsp import tuned
from goassist_lsp.app import llama_settings
from goassist_lsp.cli.bench_engine import measured
from goassist_lsp.cli.bench_report import milliseconds, print_json, progress, table
from goassist_lsp.settings import Settings
from goassist_lsp.tuned import Speed
from goassist_models import registry
from goassist_models.engine import CancelToken, Engine, GenerateRequest
from goassist_models.engine.threads import choice_key, keep_choice, usable_cores
from goassist_models.evaluate.metrics import median
from goassist_models.infill import DEFAULT_FORM, FORMS, InfillPrompt
from goassist_models.registry import ModelFile

_PREFIX = (
    'package main\n\nimport "fmt"\n\nfunc main() {\n\tfor number := range 10 {\n\t\tfmt.Println(number)\n\t}\n\ttotal '
)
_TYPED = ":= 1 + 2*3 - 4"
_SUFFIX = "\n}\n"


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("tune", help="measure this machine and the models there are, and keep what is best")
    parser.add_argument("--times", type=int, default=3, help="how often each is measured, medians count (default 3)")
    parser.add_argument("--forget", action="store_true", help="measure nothing; go back to the defaults")
    parser.add_argument("--json", action="store_true", help="print one JSON value instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something was measured and kept, 1 when it could not be written."""
    if args.forget:
        print("What was tuned is forgotten." if (done := tuned.forget()) else "The cache cannot be written.")
        return 0 if done else 1
    return tune(args, present(), lambda model: asyncio.run(speed_of(model, args.times)))


def present() -> list[ModelFile]:
    """The registry's models whose files are there, and the one that is asked for by a path.

    Raises ModelError, with how to fetch one, when there are none.
    """
    found: dict[str, ModelFile] = {}
    for name in (*(entry.name for entry in registry.entries()), None):
        try:
            model = registry.resolve(name)
        except ModelError:
            continue
        found.setdefault(str(model.path), model)
    return list(found.values()) or [registry.resolve(None)]


def tune(args: argparse.Namespace, models: Sequence[ModelFile], measure: Callable[[ModelFile], Speed]) -> int:
    """Measure each of `models`, keep and tell what came of it. Raises GoassistError when none can be measured."""
    speeds: list[Speed] = []
    failed: list[GoassistError] = []
    for model in models:
        try:
            with progress.status(f"measuring {model.name}"):
                speeds.append(measure(model))
        except GoassistError as error:
            failed.append(error)
            progress.print(f"left out: {error}", style="red", markup=False)
    if not speeds:
        raise failed[0]
    is_kept = tuned.keep(speeds)
    told = tuned.sentence(speeds)
    chosen = tuned.budgets(tuned.best(speeds))
    if args.json:
        models_json = [{**asdict(speed), "line_ms": speed.line_ms, **tuned.budgets(speed)} for speed in speeds]
        print_json({"best": tuned.best(speeds).model, "models": models_json, "kept": is_kept, "told": told})
    else:
        rows = [
            (speed.model, speed.threads, f"{speed.read_tokens_per_s:.0f}", *map(milliseconds, _times(speed)))
            for speed in speeds
        ]
        columns = ("model", "threads", "prompt tokens/s", "ms a token", "ms a key", "ms a line")
        table(f"{usable_cores()} cores", columns, rows)
        print(told)
        print("Settings for it: " + ", ".join(f"{name} {value}" for name, value in chosen.items()))
    if not is_kept:
        progress.print("The cache cannot be written: nothing of it is kept", style="red", markup=False)
    return 0 if is_kept else 1


def _times(speed: Speed) -> tuple[float, float, float]:
    return speed.token_ms, speed.key_ms, speed.line_ms


async def speed_of(model: ModelFile, times: int) -> Speed:
    """Measure one model with the settings' defaults. Raises ModelError when it cannot be loaded."""
    from goassist_models.engine.llama import LlamaEngine

    keep_choice(choice_key(model.path, usable_cores()), None)  # the engine measures anew, and keeps that
    engine = await LlamaEngine.load(model.path, llama_settings(Settings()))
    try:
        threads = engine.threads
        rates = [await measured(engine, number) for number in range(times)]
        keys_ms = await typed_keys_ms(engine)
    finally:
        await engine.close()
    return Speed(
        model=model.name if model.entry is not None else str(model.path),
        size_bytes=model.path.stat().st_size,
        threads=threads,
        read_tokens_per_s=median([rate.read for rate in rates]) or 0.0,
        token_ms=1e3 / (median([rate.generate for rate in rates]) or 1.0),
        key_ms=median(keys_ms) or 0.0,
    )


async def typed_keys_ms(engine: Engine) -> list[float]:
    """Milliseconds from each of some typed characters to the first token behind it, all before it being read."""
    took_ms = []
    for length in range(len(_TYPED) + 1):
        prompt = InfillPrompt(FORMS[DEFAULT_FORM], _PREFIX + _TYPED[:length], _SUFFIX)
        (said,) = await engine.generate(GenerateRequest(prompt, 1), CancelToken())
        took_ms.append(said.timings.read_ms + said.timings.generate_ms)
    return took_ms[1:]  # the first one reads all
