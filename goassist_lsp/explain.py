"""Says in Markdown what completions came to and why. Used by `goassist.explain` and the command line.

Texts of code are cut to EXCERPT_CHARS each: what is told here gets pasted into reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from goassist_index.header import spelled
from goassist_lsp.history import Asked
from goassist_lsp.types import Candidate, Completion, Rejected

EXCERPT_CHARS = 200
DETAILED = 5

_LINE_CHARS = 60
_PLACE_CHARS = 40
_NOTHING = "Nothing has been asked yet."
# Asked in the middle of another stage, whose time holds theirs.
_INNER_STAGES = frozenset({"names"})


def explanation(completion: Completion | None) -> str:
    """Markdown for a person: what is shown, what was generated and how it was mended or dropped, where time went.

    Where nothing is shown the first sentence says why.
    """
    if completion is None:
        return _NOTHING
    if completion.skip_reason is not None:
        return f"**Silent**: {_silence(completion)}."
    lines = [] if completion.candidates else [f"**Silent**: {_silence(completion)}.", ""]
    for number, candidate in enumerate(completion.candidates, 1):
        lines += _shown(number, candidate, asked=_model_was_asked(completion))
    for rejected in completion.rejected:
        lines += _rejected(rejected)
    lines += _refused(completion)
    if completion.prompt_notes:
        lines += ["In the prompt:", "", *(f"- {_bounded(note)}" for note in completion.prompt_notes), ""]
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


def summary(completion: Completion) -> str:
    """What a completion came to, in one line of Markdown."""
    if not completion.candidates:
        return f"silent: {_silence(completion)}"
    first = completion.candidates[0]
    line, _, rest = first.insert_text.strip().partition("\n")
    more = [_state(first)]
    if rest:
        lines = len(rest.splitlines())
        more.append(f"{lines} more line{'s' if lines > 1 else ''}")
    if len(completion.candidates) > 1:
        more.append(f"first of {len(completion.candidates)}")
    ms = sum(timing.ms for timing in completion.timings if timing.stage not in _INNER_STAGES)
    return f"shown {_inline(line, _LINE_CHARS)} ({', '.join([*more, f'{ms:.0f} ms'])})"


def session_report(history: Iterable[Asked]) -> str:
    """Markdown about a session's completions, in the order given: a line for each, then the first DETAILED in full."""
    entries = tuple(history)
    if not entries:
        return _NOTHING
    lines = [f"# The last {len(entries)} completions, newest first" if len(entries) > 1 else "# One completion", ""]
    lines += [f"- {_heading(asked)}: {summary(asked.completion)}" for asked in entries]
    for asked in entries[:DETAILED]:
        lines += ["", f"## {_heading(asked)}", "", explanation(asked.completion)]
    return "\n".join(lines)


def _heading(asked: Asked) -> str:
    kind = f" ({asked.kind})" if asked.kind else ""
    return f"{asked.at:%H:%M:%S} {_inline(asked.place, EXCERPT_CHARS)}{kind}"


def _silence(completion: Completion) -> str:
    """Why nothing is shown, as a sentence without its full stop."""
    if completion.skip_reason is not None:
        return _bounded(completion.skip_reason)
    if "check" in completion.degraded:
        return "the type check could not be had, and nothing is shown unchecked"
    if any(rejected.stage == "worth" for rejected in completion.rejected):
        return "the model is not sure enough of what comes here (setting `goassist.eagerness`)"
    if not any(rejected.text.strip() for rejected in completion.rejected):
        return "the model said nothing"
    first = next((rejected for rejected in completion.rejected if rejected.stage == "check"), completion.rejected[0])
    said = {"check": "the type check says", "postprocess": "it was dropped by the filter"}
    return f"nothing that was generated may be shown; {said.get(first.stage, f'{first.stage}:')} {_reason(first)}"


def _shown(number: int, candidate: Candidate, *, asked: bool) -> list[str]:
    lines = [f"**Shown {number}** — type check: {_state(candidate)}", "", *_code(candidate.insert_text)]
    generated = candidate.generation.text
    if not asked:
        lines += ["It is the rest of what was shown before: the model was not asked.", ""]
    elif generated.strip() != candidate.insert_text.replace("\r\n", "\n").strip():
        lines += ["It was generated as:", "", *_code(generated)]
    later = candidate.verdict.unfinished if candidate.verdict else ()
    if later:
        lines += [f"Left to later lines: {_bounded('; '.join(item.message for item in later))}.", ""]
    return lines


def _model_was_asked(completion: Completion) -> bool:
    return any(timing.stage == "generate" for timing in completion.timings)


def _state(candidate: Candidate) -> str:
    state = checked(candidate)
    return f"{state} ({', '.join(candidate.trail)})" if candidate.trail else state


def _rejected(rejected: Rejected) -> list[str]:
    where = ""
    if rejected.at is not None:
        rest = rejected.text[rejected.at :].partition("\n")[0].strip()
        where = f" at {_inline(rest, _PLACE_CHARS)}" if rest else " at its end"
    if rejected.mended:
        told = f"Failed the {rejected.stage}{where}, then {rejected.mended}: {_reason(rejected)}"
    else:
        told = f"Dropped by {rejected.stage}{where}: {_reason(rejected)}"
    return [told, "", *(_code(rejected.text) if rejected.text.strip() else ())]


def _reason(rejected: Rejected) -> str:
    # Filters are told by the names of their functions.
    return rejected.reason.replace("_", " ") if rejected.stage == "postprocess" else _bounded(rejected.reason)


def _refused(completion: Completion) -> list[str]:
    if not completion.refused_tokens and not completion.refused_names:
        return []
    count = f"{completion.refused_tokens} token{'' if completion.refused_tokens == 1 else 's'}"
    names = "; ".join(
        f"{_inline(name.word, _PLACE_CHARS)} behind {_inline(name.behind, _PLACE_CHARS)}"
        if name.behind
        else f"{_inline(name.word, _PLACE_CHARS)} at the line's beginning"
        for name in completion.refused_names
    )
    return [f"Refused while decoding: {count}{', among them ' + names if names else ''}.", ""]


def _bounded(text: str, limit_chars: int = EXCERPT_CHARS) -> str:
    return text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"


def _inline(text: str, limit_chars: int) -> str:
    """Code within a line, behind as many backquotes as it takes (CommonMark, "Code spans")."""
    text = " ".join(_bounded(text, limit_chars).split()) or " "
    if "`" not in text:
        return f"`{text}`"
    fence = "`" * (_longest_run(text) + 1)
    return f"{fence} {text} {fence}"


def _code(text: str) -> list[str]:
    fence = "`" * max(3, _longest_run(text) + 1)
    return [f"{fence}go", *_bounded(text).splitlines(), fence, ""]


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
