"""Errors of the API, in the shape that OpenAI's clients expect, and what each of ours is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from goassist_index.errors import GoassistError, ModelError, PromptTooLong, SourceError


class ApiError(Exception):
    """A request that is answered with an error.

    `kind` and `code` are OpenAI's `type` and `code`, `param` the field that is to blame, `headers` sent along.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = headers

    def as_json(self) -> dict[str, Any]:
        """The body: https://platform.openai.com/docs/guides/error-codes."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def as_response(self) -> JSONResponse:
        """The whole response."""
        return JSONResponse(self.as_json(), self.status, self.headers)


def api_error(error: Exception) -> ApiError:
    """What the API says of an exception. One that nobody foresaw is status 500, without its words: of prompts, say."""
    match error:
        case ApiError():
            return error
        case HTTPException():
            return ApiError(error.status_code, str(error.detail), headers=error.headers)
        # Of ours only what happened: paths and addresses are for the log.
        case PromptTooLong():
            return ApiError(400, error.what, code="context_length_exceeded", param="prompt")
        case SourceError():
            return ApiError(400, error.what, param="file")
        case ModelError():
            return ApiError(502, error.what, kind="server_error", code="model_unavailable")
        case GoassistError():
            return ApiError(503, error.what, kind="server_error", code="unavailable")
        case TimeoutError():
            return ApiError(504, "the answer took longer than this server allows", kind="server_error", code="timeout")
        case _:
            return ApiError(500, "the server made a mistake; its log has more", kind="server_error", code="internal")
