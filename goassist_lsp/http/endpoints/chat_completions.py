"""`POST /v1/chat/completions`: turns laid out by the model's own template; with `compile_check`, Go code that compiles.

https://platform.openai.com/docs/api-reference/chat, and the parameters of GoParameters but for `test_pattern`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.routing import Route

from goassist_lsp.http.answering import Answer
from goassist_lsp.http.body import body_of
from goassist_lsp.http.errors import ApiError
from goassist_lsp.http.generating import said
from goassist_lsp.http.pieces import Piece
from goassist_lsp.http.replies import ChatShape
from goassist_lsp.http.schema import ChatRequest, read
from goassist_lsp.http.service import Service
from goassist_lsp.http.talking import checked_code, with_context
from goassist_models.chat import Turn
from goassist_models.engine import CancelToken


def route(service: Service) -> Route:
    """The endpoint of one server."""

    async def chat_completions(request: Request) -> Answer:
        asked = read(await body_of(request, service.limits), ChatRequest)
        _hold_to_sense(asked, service)
        request.state.told["prompt"] = [turn.text for turn in asked.messages] if service.log_prompts else None
        shape = ChatShape(service.engine.model_name, asked.logprobs)
        return Answer(service, asked, lambda cancel: _answered(service, asked, cancel), shape)

    return Route("/v1/chat/completions", chat_completions, methods=["POST"])


def _hold_to_sense(asked: ChatRequest, service: Service) -> None:
    """Raises ApiError for what is of the right types, but cannot be answered."""
    if service.template is None:
        raise ApiError(400, "this model has no chat template: it cannot chat", code="no_chat", param="messages")
    if not any(turn.text for turn in asked.messages):
        raise ApiError(400, "nothing is said", param="messages")
    for name in ("test_pattern", "offset"):
        if getattr(asked, name) is not None:
            raise ApiError(400, f"`{name}` is for completions", param=name)
    if asked.max_tokens == 0:
        raise ApiError(400, "max_tokens: an answer has at least one", code="out_of_range", param="max_tokens")
    if asked.file is not None and asked.workspace is None:
        raise ApiError(400, "`file` needs a `workspace`", param="file")
    if asked.import_paths is not None and not asked.compile_check:
        raise ApiError(400, "`import_paths` is held by `compile_check`", param="import_paths")


async def _answered(service: Service, asked: ChatRequest, cancel: CancelToken) -> AsyncGenerator[Piece]:
    assert service.template is not None
    turns = [Turn("system" if turn.role == "developer" else turn.role, turn.text) for turn in asked.messages]
    if asked.workspace is not None:
        turns = await with_context(service, asked.workspace, turns)
    prompt = service.template.prompt(turns)
    wanted = asked.max_completion_tokens or asked.max_tokens
    most = service.tokens_allowed(wanted if wanted > 0 else service.limits.answer_tokens)
    plain = said(service.engine, [prompt], asked, most, cancel)
    answers = checked_code(service, asked, prompt, most, cancel) if asked.compile_check else plain
    async with aclosing(answers) as pieces:
        async for piece in pieces:
            yield piece
