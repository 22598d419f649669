"""`POST /infill`: as llama.cpp's own server has it, for llama.vim and llama.vscode.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server: what stands before and behind the place, the part of the
line that has been typed, and chunks of other files. What does not fit is left out, of chunks those that come first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.routing import Route

from goassist_lsp.generate.prompt import CHARS_A_TOKEN, SUFFIX_SHARE
from goassist_lsp.http.answering import Answer
from goassist_lsp.http.body import body_of
from goassist_lsp.http.errors import ApiError
from goassist_lsp.http.generating import said
from goassist_lsp.http.pieces import Piece
from goassist_lsp.http.replies import InfillShape
from goassist_lsp.http.schema import Chunk, InfillRequest, read
from goassist_lsp.http.service import Service
from goassist_models.engine import CancelToken
from goassist_models.infill import FORMS, InfillPrompt, RepoContext, RepoFile

# Of the file itself; and of chunks of others beside it.
_FILE_TOKENS = 1024
_CHUNKS_TOKENS = 768


def route(service: Service) -> Route:
    """The endpoint of one server."""

    async def infill(request: Request) -> Answer:
        asked = read(await body_of(request, service.limits), InfillRequest)
        if asked.stream:
            raise ApiError(400, "answers are sent whole here", param="stream")
        if not (asked.input_prefix or asked.input_suffix or asked.prompt or asked.n_predict == 0):
            raise ApiError(400, "there is nothing around the place", param="input_prefix")
        request.state.told["prompt"] = asked.input_prefix + asked.prompt if service.log_prompts else None
        shape = InfillShape(service.engine.model_name)
        return Answer(service, asked, lambda cancel: _answered(service, asked, cancel), shape)

    return Route("/infill", infill, methods=["POST"])


async def _answered(service: Service, asked: InfillRequest, cancel: CancelToken) -> AsyncGenerator[Piece]:
    if asked.n_predict == 0:  # "have my chunks read": they are when they are needed
        yield Piece(0, "", "length")
        return
    most = service.tokens_allowed(asked.n_predict if asked.n_predict > 0 else service.limits.answer_tokens)
    async for piece in said(service.engine, [prompt_of(asked, service.settings.infill_form)], asked, most, cancel):
        yield piece


def prompt_of(asked: InfillRequest, form: str) -> InfillPrompt:
    """The prompt, within the budget: the nearest lines on both sides, and the chunks that come last."""
    room = int(_FILE_TOKENS * CHARS_A_TOKEN)
    suffix = asked.input_suffix[: int(room * SUFFIX_SHARE)]
    before = asked.input_prefix + asked.prompt
    prefix = before[-(room - len(suffix)) :]
    if len(prefix) < len(before):
        prefix = prefix[prefix.find("\n") + 1 :]  # a whole line, where there is one
    files = tuple(_fitting(asked.input_extra, int(_CHUNKS_TOKENS * CHARS_A_TOKEN)))
    repo = RepoContext("workspace", files, "file.go") if files else None
    return replace(InfillPrompt(FORMS[form], prefix, suffix), repo=repo)


def _fitting(chunks: Sequence[Chunk], room: int) -> list[RepoFile]:
    found: list[RepoFile] = []
    for chunk in reversed(chunks):
        room -= len(chunk.text) + len(chunk.filename)
        if room < 0:
            break
        found.append(RepoFile(chunk.filename or "chunk.go", chunk.text))
    return found[::-1]
