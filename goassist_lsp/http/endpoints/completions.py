"""`POST /v1/completions`: text behind a prompt, or before a suffix too; with `compile_check`, Go that compiles.

https://platform.openai.com/docs/api-reference/completions, and the parameters of GoParameters.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.routing import Route

from goassist_lsp.context.cursor import context_at
from goassist_lsp.generate import prompt as prompts
from goassist_lsp.http.answering import Answer
from goassist_lsp.http.body import body_of
from goassist_lsp.http.checked import checked, pipeline_for
from goassist_lsp.http.errors import ApiError
from goassist_lsp.http.generating import said
from goassist_lsp.http.pieces import Piece
from goassist_lsp.http.releasing import Releasing
from goassist_lsp.http.replies import CompletionShape
from goassist_lsp.http.schema import CompletionRequest, read
from goassist_lsp.http.service import Service
from goassist_lsp.http.tested import tested
from goassist_models.engine import CancelToken
from goassist_models.infill import AS_GIVEN, FORMS, InfillPrompt, laid_out, parts_of


def route(service: Service) -> Route:
    """The endpoint of one server."""

    async def completions(request: Request) -> Answer:
        asked = read(await body_of(request, service.limits), CompletionRequest)
        _hold_to_sense(asked, service)
        request.state.told["prompt"] = asked.prompt if service.log_prompts else None
        held = asked.compile_check or asked.test_pattern is not None

        def pieces(cancel: CancelToken) -> AsyncGenerator[Piece]:
            return _checked(service, asked, cancel) if held else _plain(service, asked, cancel)

        echoed = [text for text in asked.prompts for _ in range(asked.n)] if asked.echo else ()
        shape = CompletionShape(service.engine.model_name, asked.logprobs is not None, echoed)
        return Answer(service, asked, pieces, shape)

    return Route("/v1/completions", completions, methods=["POST"])


def _hold_to_sense(asked: CompletionRequest, service: Service) -> None:
    """Raises ApiError for what is of the right types, but cannot be answered."""
    if asked.test_pattern is not None:
        if service.trials is None:
            raise ApiError(403, "this server runs no tests (--allow-tests)", code="tests_off", param="test_pattern")
        if asked.n > 1 or len(asked.prompts) > 1:
            raise ApiError(400, "`test_pattern` is for one answer to one prompt", param="n")
    if asked.import_paths is not None and not asked.compile_check and asked.test_pattern is None:
        raise ApiError(400, "`import_paths` is held by `compile_check`", param="import_paths")
    if asked.offset is None and not any(text or asked.suffix for text in asked.prompts):
        raise ApiError(400, "there is no prompt", param="prompt")


async def _plain(service: Service, asked: CompletionRequest, cancel: CancelToken) -> AsyncGenerator[Piece]:
    wanted = [_prompt(service, asked, text) for text in asked.prompts]
    answers = said(service.engine, wanted, asked, service.tokens_allowed(asked.max_tokens), cancel)
    async with aclosing(answers) as pieces:
        async for piece in pieces:
            yield piece


def _prompt(service: Service, asked: CompletionRequest, text: str) -> InfillPrompt:
    form = service.settings.infill_form
    if asked.workspace is not None:
        with service.place(asked, text, asked.suffix or "") as place:
            context = context_at(place.snapshot, place.offset)
            return prompts.build(context, form=form, budget_tokens=service.settings.context_tokens)
    if asked.suffix is not None:
        return InfillPrompt(FORMS[form], text, asked.suffix)
    return InfillPrompt(AS_GIVEN, "", "", given=laid_out(text, service.tokens))


async def _checked(service: Service, asked: CompletionRequest, cancel: CancelToken) -> AsyncGenerator[Piece]:
    """Prompt after prompt: what is checked in one file is checked by one pipeline."""
    settings = service.settings_for(asked.max_tokens)
    assert service.checker is not None
    for number, text in enumerate(asked.prompts):
        prefix, suffix = parts_of(laid_out(text, service.tokens), service.tokens) or (text, asked.suffix or "")
        with service.place(asked, prefix, suffix) as place:
            if asked.test_pattern is not None:
                answers = tested(service, asked, place, settings, cancel)
            elif asked.stream and asked.n == 1:
                answers = Releasing(service.engine, service.checker, settings, asked).answer(place, number, cancel)
            else:
                pipeline = pipeline_for(asked, service.engine, service.checker, settings)
                answers = checked(pipeline, place, asked, number * asked.n, cancel)
            async with aclosing(answers) as pieces:
                async for piece in pieces:
                    yield piece
