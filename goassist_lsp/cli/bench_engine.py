"""`bench engine`: how fast our engine reads a prompt and generates, beside llama.cpp's own bench on the same file.

`llama-bench` is built from the source that our library comes from (evaluate/peers/llama_cpp.py) and runs with the same
threads, told as ours are not to spin (engine/library.py); the two take turns, so that both meet the same machine. Ours
reads in the parts that it reads in while one types, and generates through the whole token loop. How large those parts
may be is decided by how soon a cancel ends a read, which is measured too, at moments spread over a read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from goassist_index.errors import GoassistError
from goassist_lsp.cli.bench_plot import add_plot, draw_bars
from goassist_lsp.cli.bench_report import add_common, milliseconds, print_json, progress, table
from goassist_lsp.settings import Options, resolve
from goassist_models.engine import CancelToken, Engine, GenerateRequest, Generation
from goassist_models.engine.library import waiting
from goassist_models.engine.threads import usable_cores
from goassist_models.evaluate.metrics import median, percentile
from goassist_models.evaluate.peers import llama_cpp
from goassist_models.infill import FORMS, InfillPrompt
from goassist_models.registry import resolve as resolve_model

PROGRAM = "llama-bench"
PROMPT_TOKENS, GENERATED_TOKENS = 512, 64
FEWEST_GENERATED = 16  # fewer say little
_LIMIT_S = 600.0
_BEGINNING = 'package main\n\nimport (\n\t"fmt"\n\t"os"\n\t"strings"\n)\n\nfunc main() {\n'


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens a second: of reading a prompt that the cache does not hold, and of generating greedily."""

    read: float
    generate: float


def register(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the bench to `bench`."""
    parser = names.add_parser("engine", help="our engine's tokens a second, beside llama.cpp's own llama-bench")
    parser.add_argument("--model", metavar="NAME", help="registry name or GGUF path (default: the registry's default)")
    parser.add_argument("--threads", type=int, default=0, help="of both, for prompt and text (default: all cores)")
    parser.add_argument("--times", type=int, default=3, help="how often, the medians count (default 3)")
    parser.add_argument("--cancels", type=int, default=20, help="reads that are given up half-way (default 20)")
    add_plot(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when both were measured, 1 when llama-bench could not be."""
    from goassist_models.engine.llama import LlamaEngine, LlamaSettings

    model = resolve_model(args.model)
    threads = args.threads or resolve(Options())[0].threads or usable_cores()
    binary, why = None, ""
    try:
        binary = llama_cpp.build(PROGRAM, lambda line: progress.print(line, markup=False))
    except GoassistError as error:
        why = str(error)
    ours: list[Rates] = []
    theirs: list[Rates] = []
    cancels: list[float] = []

    async def every() -> None:
        nonlocal why
        engine = await LlamaEngine.load(model.path, LlamaSettings(threads=threads))
        try:
            for number in range(args.times):
                with progress.status(f"run {number + 1} of {args.times}"):
                    ours.append(await measured(engine, number))
                    if binary is not None and not why:
                        try:
                            theirs.append(await asyncio.to_thread(bench, binary, model.path, threads))
                        except GoassistError as error:
                            why = str(error)
            with progress.status("giving reads up"):
                cancels.extend(await cancelled(engine, args.cancels, ours))
        finally:
            await engine.close()

    asyncio.run(every())
    report(args, model.name, threads, ours, theirs, why, cancels)
    return 0 if theirs and not why else 1


def report(
    args: argparse.Namespace,
    model: str,
    threads: int,
    ours: Sequence[Rates],
    theirs: Sequence[Rates],
    why: str,
    cancels: Sequence[float],
) -> None:
    """Print, and draw where that is asked for. `why`: what kept llama-bench from being measured."""
    ended_ms = {"count": len(cancels), "p50": median(cancels), "p95": percentile(cancels, 95)}
    rows = {
        f"prompt of {PROMPT_TOKENS} tokens": ([r.read for r in ours], [r.read for r in theirs]),
        f"generation of {GENERATED_TOKENS} tokens": ([r.generate for r in ours], [r.generate for r in theirs]),
    }
    middle = {name: (median(own), median(other)) for name, (own, other) in rows.items()}
    ratios = {name: own / other if own and other else None for name, (own, other) in middle.items()}
    if args.plot is not None:
        names = ["goassist", *([PROGRAM] if theirs else [])]
        bars = {name: [value for value in values if value is not None] for name, values in middle.items()}
        draw_bars(args.plot, f"{model}, {threads} threads", names, {f"{k}, tokens/s": {"": v} for k, v in bars.items()})
    if args.json:
        runs = {name: {"goassist": own, PROGRAM: other} for name, (own, other) in rows.items()}
        figures = {
            name: {"goassist": middle[name][0], PROGRAM: middle[name][1], "ratio": ratios[name], "runs": runs[name]}
            for name in rows
        }
        head: dict[str, Any] = {"bench": "engine", "model": model, "threads": threads}
        print_json({**head, "tokens_per_s": figures, "cancel_ms": ended_ms, "failed": why})
        return
    table(
        f"Tokens a second, {model}, {threads} threads, medians of {len(ours)}",
        ("", "goassist", PROGRAM, "ratio"),
        [(name, *map(_rate, middle[name]), _ratio(ratios[name])) for name in rows],
    )
    if cancels:
        p50, p95 = milliseconds(ended_ms["p50"]), milliseconds(ended_ms["p95"])
        print(f"a cancel ends a read after {p50} ms (p50), {p95} ms (p95); {len(cancels)} were timed")
    if why:
        print(f"{PROGRAM} was not measured: {why}")


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


async def measured(engine: Engine, number: int) -> Rates:
    """Our rates, once; `number` makes a prompt that no run before it has read.

    Raises GoassistError when the model ends its text too soon to tell.
    """
    read = await _asked(engine, prompt_of(engine, PROMPT_TOKENS, number), 0)
    prompt = InfillPrompt(FORMS["psm"], _BEGINNING, "")
    # The first token comes from the prompt's own decode: one more makes as many decodes as llama-bench does.
    said = await _asked(engine, prompt, GENERATED_TOKENS + 1)
    decodes = said.tokens - (said.finish_reason != "eos")
    if decodes < FEWEST_GENERATED or not said.timings.generate_ms:
        raise GoassistError(f"the model ends its text after {said.tokens} tokens", cure="Use another model")
    if not read.timings.read_ms:
        raise GoassistError("the engine does not tell how long it reads")
    return Rates(
        1e3 * read.timings.read_tokens / read.timings.read_ms,
        1e3 * decodes / said.timings.generate_ms,
    )


async def cancelled(engine: Engine, count: int, rates: Sequence[Rates]) -> list[float]:
    """Milliseconds from a cancel to the read's end, at `count` moments spread over a read at the median of `rates`.

    A read that has ended before its cancel is not counted.
    """
    read_s = PROMPT_TOKENS / (median([one.read for one in rates]) or 1.0)
    took_ms = []
    for number in range(count):
        prompt = prompt_of(engine, PROMPT_TOKENS, len(rates) + number)
        token = CancelToken()
        asked = asyncio.create_task(engine.generate(GenerateRequest(prompt, 0), token))
        await asyncio.sleep(read_s * (number + 0.5) / count)
        begun = time.perf_counter()
        late = asked.done()
        token.cancel()
        await asked
        if not late:
            took_ms.append((time.perf_counter() - begun) * 1e3)
    return took_ms


async def _asked(engine: Engine, prompt: InfillPrompt, max_tokens: int) -> Generation:
    (generation,) = await engine.generate(GenerateRequest(prompt, max_tokens), CancelToken())
    return generation


def prompt_of(engine: Engine, tokens: int, number: int) -> InfillPrompt:
    """A prompt of at most `tokens` tokens of Go, its three special ones included; `number` stands at its head."""
    folder = files("goassist_index").joinpath("gotypes")
    sources = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".go")), key=lambda entry: entry.name)
    text = f"{number} // " + "".join(source.read_text(encoding="utf-8") for source in sources)
    low, high = 0, min(len(text), 16 * tokens)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if engine.count_tokens(text[:middle]) <= tokens - 3 else (low, middle - 1)
    return InfillPrompt(FORMS["psm"], text[:low], "")


def bench(binary: Path, model: Path, threads: int) -> Rates:
    """What `llama-bench` measures, once. Raises GoassistError when it fails or does not say it."""
    sizes = ("-p", str(PROMPT_TOKENS), "-n", str(GENERATED_TOKENS))
    command = [str(binary), "-m", str(model), *sizes, "-t", str(threads), "-r", "1", "-o", "json"]
    environment = os.environ | waiting(os.environ)  # as ours
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, env=environment, check=True
        )
        rates = {(row["n_prompt"], row["n_gen"]): float(row["avg_ts"]) for row in json.loads(done.stdout)}
        return Rates(rates[PROMPT_TOKENS, 0], rates[0, GENERATED_TOKENS])
    except OSError as error:
        raise GoassistError(f"{PROGRAM} cannot be run ({error.strerror})", path=str(binary)) from error
    except subprocess.TimeoutExpired as error:
        raise GoassistError(f"{PROGRAM} does not end within {_LIMIT_S:.0f} s", path=str(binary)) from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip()[-300:]
        raise GoassistError(f"{PROGRAM} ends with status {error.returncode}: {said}", path=str(binary)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise GoassistError(f"{PROGRAM} does not say what was measured ({error!r})", path=str(binary)) from error
