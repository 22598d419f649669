"""Says in Markdown what one completion came to and why. Used by `goassist.explain` and the command line."""

from __future__ import annotations

from goassist_index.header import spelled
from goassist_lsp.types import Candidate, Completion


def explanation(completion: Completion | None) -> str:
    """Markdown for a person: what is shown, what was generated and dropped, where the time went."""
    if completion is None:
        return "Nothing has been asked yet."
    if completion.skip_reason is not None:
        return f"**Silent**: {completion.skip_reason}."
    lines: list[str] = []
    if completion.candidates:
        for index, candidate in enumerate(completion.candidates, 1):
            state = checked(candidate)
            trail = f" ({', '.join(candidate.trail)})" if candidate.trail else ""
            lines += [f"**Shown {index}** — type check: {state}{trail}", "", *_code(candidate.insert_text)]
    else:
        lines += ["**Silent**: nothing that was generated may be shown.", ""]
    for rejected in completion.rejected:
        lines += [f"Dropped by {rejected.stage}: {rejected.reason}", "", *_code(rejected.text)]
    for stage in completion.degraded:
        lines += [f"Done without: {stage}.", ""]
    times = ", ".join(f"{timing.stage} {timing.ms:.0f} ms" for timing in completion.timings)
    tokens = (
        f"{completion.prompt_tokens} in the prompt, {completion.read_tokens} read, {completion.generated_tokens} said"
    )
    return "\n".join([*lines, f"Times: {times}. Tokens: {tokens}."])


def checked(candidate: Candidate) -> str:
    """What the type check said of a candidate, with the imports that are added for it."""
    if candidate.verdict is None:
        return "not checked"
    return candidate.verdict.status + "".join(f", with import {spelled(spec)}" for spec in candidate.verdict.imports)


def _code(text: str) -> list[str]:
    return ["```go", *text.splitlines(), "```", ""]
