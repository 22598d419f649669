"""`complete`: what the editor would show at a position, with verdicts and timings."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, replace
from typing import Any

from goassist_lsp.app import Assistant
from goassist_lsp.cli.check import as_json as verdict_json
from goassist_lsp.cli.position import read_position
from goassist_lsp.explain import checked, explanation
from goassist_lsp.settings import Options, resolve
from goassist_lsp.types import Candidate, Completion
from goassist_models.engine import CancelToken


def register(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("complete", help="print what an editor would show at a position")
    verb.add_argument("position", metavar="FILE:LINE:COL", help="where the cursor stands")
    verb.add_argument("-n", type=int, default=1, metavar="N", help="how many candidates to offer at most (1 to 5)")
    verb.add_argument("--model", default=None, help="registry name or GGUF path, instead of the default")
    verb.add_argument("--json", action="store_true", help="print one JSON value")
    verb.add_argument(
        "--why", action="store_true", help="say in Markdown what was generated, how it was mended or why it was dropped"
    )
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when something is shown, 1 when not."""
    n = min(max(args.n, 1), 5)
    completion = asyncio.run(_complete(args.position, n, args.model))
    if args.json:
        print(json.dumps(as_json(completion)))
    elif args.why:
        print(explanation(completion))
    else:
        _print(completion)
    return 0 if completion.candidates else 1


async def _complete(position: str, n: int, model: str | None) -> Completion:
    snapshot, offset = read_position(position)
    settings, _ = resolve(Options())
    if model is not None:
        # Said on this very command line: it wins over the environment.
        settings = replace(settings, model=model)
    assistant = Assistant(settings)
    try:
        # No folder is given: the file's own workspace is found from its path.
        await assistant.start(())
        if assistant.problems:
            raise assistant.problems[0]
        return await assistant.complete(snapshot, offset, CancelToken(), n=n, requested=True)
    finally:
        await assistant.close()


def as_json(completion: Completion) -> dict[str, Any]:
    """The whole completion: candidates with verdicts, rejected ones with reasons, timings in milliseconds.

    `accept_points` are offsets in a candidate's `text`, and `at` is one in a rejected text, in code points.
    """
    return {
        "candidates": [_candidate(candidate) for candidate in completion.candidates],
        "rejected": [asdict(rejected) for rejected in completion.rejected],
        "refused": {
            "tokens": completion.refused_tokens,
            "names": [asdict(name) for name in completion.refused_names],
        },
        "prompt_notes": list(completion.prompt_notes),
        "skip_reason": completion.skip_reason,
        "degraded": list(completion.degraded),
        "timings": {timing.stage: round(timing.ms, 2) for timing in completion.timings},
        "tokens": {
            "prompt": completion.prompt_tokens,
            "read": completion.read_tokens,
            "generated": completion.generated_tokens,
        },
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "text": candidate.insert_text,
        "verdict": verdict_json(candidate.verdict) if candidate.verdict else None,
        "mean_logprob": round(candidate.generation.mean_logprob, 4),
        "trail": list(candidate.trail),
        "accept_points": list(candidate.accept_points),
    }


def _print(completion: Completion) -> None:
    for candidate in completion.candidates:
        print(candidate.insert_text)
        print(f"-- type check: {checked(candidate)}", file=sys.stderr)
    if not completion.candidates:
        reason = completion.skip_reason or "nothing that was generated may be shown (--why says more)"
        print(f"silent: {reason}", file=sys.stderr)
    times = ", ".join(f"{timing.stage} {timing.ms:.0f}" for timing in completion.timings)
    print(f"-- ms: {times}", file=sys.stderr)
