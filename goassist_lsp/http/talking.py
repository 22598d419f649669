"""What chats have beside plain generation: what a workspace knows of the question, and code that is held to compile."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

from goassist_lsp.http.checked import WITHHELD, AllowedImports
from goassist_lsp.http.generating import said
from goassist_lsp.http.pieces import Finding, Piece, Refused, Report
from goassist_lsp.http.replies import joined
from goassist_lsp.http.schema import ChatRequest
from goassist_lsp.http.scratch import as_file, end_of_clause
from goassist_lsp.http.service import Service
from goassist_lsp.types import Checker, DocumentSnapshot
from goassist_models.chat import Turn
from goassist_models.engine import CancelToken
from goassist_models.engine.growth import DIVERSE_TEMPERATURE
from goassist_models.infill import InfillPrompt

_MOST_SNIPPETS = 6
_MOST_CONTEXT_CHARS = 6_000
_SEEDS_APART = 1000
_FENCED = re.compile(r"^```(?:go|golang)[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


async def with_context(service: Service, workspace: str, turns: Sequence[Turn]) -> list[Turn]:
    """The turns, the last one with what the workspace has for it: `<context>` before, itself as the `<task>`."""
    *before, last = turns
    found = await service.snippets(workspace, last.text, _MOST_SNIPPETS)
    shown: list[str] = []
    room = _MOST_CONTEXT_CHARS
    for snippet in found:
        text = f"// {snippet.path}\n{snippet.text.rstrip()}\n"
        if len(text) <= room:
            room -= len(text)
            shown.append(text)
    if not shown or last.role != "user":
        return list(turns)
    context = "\n".join(shown)
    return [*before, Turn(last.role, f"<context>\n{context}</context>\n<task>\n{last.text}\n</task>")]


async def checked_code(
    service: Service, asked: ChatRequest, prompt: InfillPrompt, most: int, cancel: CancelToken
) -> AsyncGenerator[Piece]:
    """Answers whose Go code type-checks as a file of its own, or in the package of `file`; each whole.

    Each is drawn up to `asked.attempts` times. One without code is "unknown", and said all the same: there is nothing
    to hold. Raises as `said` does.
    """
    for index in range(asked.n):
        refused: list[Refused] = []
        prompt_tokens = tokens = 0
        for draw in range(asked.attempts):
            piece = await _drawn(service, asked, prompt, most, cancel, index, draw)
            prompt_tokens, tokens = piece.prompt_tokens, tokens + piece.completion_tokens
            told = await _report(service, asked, piece.text)
            if told.verdict != "error" or cancel.cancelled:
                break
            refused.append(Refused(piece.text, "check", told.reason))
        withheld = told.verdict == "error"
        yield replace(
            piece,
            index=index,
            text="" if withheld else piece.text,
            finish_reason=WITHHELD if withheld else piece.finish_reason,
            report=replace(told, rejected=refused),
            prompt_tokens=prompt_tokens,
            completion_tokens=tokens,
        )


async def _drawn(
    service: Service,
    asked: ChatRequest,
    prompt: InfillPrompt,
    most: int,
    cancel: CancelToken,
    index: int,
    draw: int,
) -> Piece:
    """One answer: the likeliest, where that is asked for, first; then others."""
    heat = asked.temperature if not (index or draw) else max(asked.temperature, DIVERSE_TEMPERATURE)
    alone = replace(asked, n=1, temperature=heat, seed=(asked.seed or 0) + index + draw * _SEEDS_APART)
    # `said` ends its token at its end: further draws need theirs, which hears of the request's.
    own = CancelToken()
    cancel.heard_by(own.cancel)
    async with aclosing(said(service.engine, [prompt], alone, most, own)) as pieces:
        (piece,) = joined([piece async for piece in pieces])
    return piece


async def _report(service: Service, asked: ChatRequest, text: str) -> Report:
    code = "\n".join(_FENCED.findall(text))
    if not code.strip():
        return Report("unknown", reason="the answer has no Go code between ```go and ```")
    checker: Checker | None = service.checker
    assert checker is not None
    if asked.import_paths is not None:
        checker = AllowedImports(checker, frozenset(asked.import_paths))
    with _file(service, asked) as path:
        clause = as_file(code, path)
        # Which package's other files count is seen from the text as it was before.
        whole = clause + code
        start = end_of_clause(whole)
        before = DocumentSnapshot(path.as_uri(), path, None, whole[:start])
        (verdict,) = await checker.check(before, start, start, (whole[start:],), complete=True)
    lines = clause.count("\n")
    found = [Finding(e.line - lines, e.col, e.message) for e in verdict.errors]
    found += [Finding(item.line - lines, item.col, item.message) for item in verdict.unfinished]
    if verdict.status == "unknown":
        return Report("unknown", verdict.reason)
    if verdict.status == "error" or verdict.unfinished:
        return Report("error", found[0].message if found else "it does not compile", found)
    return Report("ok")


@contextmanager
def _file(service: Service, asked: ChatRequest) -> Iterator[Path]:
    if asked.workspace is not None and asked.file is not None:
        yield service.workspaces.file(asked.workspace, asked.file)
        return
    with service.scratch.file() as path:
        yield path
