"""The API's description, made from the dataclasses that its requests are held to: OpenAPI 3.1, and a page to read."""

from __future__ import annotations

import html
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from importlib.metadata import version
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from goassist_lsp.http.pieces import Report
from goassist_lsp.http.schema import ChatRequest, CompletionRequest, EmbeddingsRequest, InfillRequest

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint: what it takes, and the name of the schema of what it answers with."""

    method: str
    path: str
    summary: str
    request: type | None = None
    answer: str = ""
    media_type: str = "application/json"


OPERATIONS = (
    Operation(
        "post", "/v1/completions", "Text behind a prompt, before a suffix or none", CompletionRequest, "Completion"
    ),
    Operation("post", "/v1/chat/completions", "The next turn of a conversation", ChatRequest, "ChatCompletion"),
    Operation("post", "/v1/embeddings", "Vectors of texts, where a backend has them", EmbeddingsRequest, "Embeddings"),
    Operation("post", "/infill", "As llama.cpp's own server has it", InfillRequest, "Infill"),
    Operation("get", "/v1/models", "The one model that there is", answer="Models"),
    Operation("get", "/healthz", "Whether the process answers", answer="State"),
    Operation("get", "/readyz", "Whether requests can be answered", answer="State"),
    Operation("get", "/metrics", "Figures for Prometheus", media_type="text/plain"),
)
_COUNT: Json = {"type": "integer", "minimum": 0}
_USAGE: Json = {
    "type": "object",
    "properties": {name: _COUNT for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
    "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
}
_FINISH: Json = {"enum": ["stop", "length", "content_filter"]}
_STATUSES = {
    "400": "A request that cannot be answered as it is; `param` names the field",
    "401": "No key, or none that is known",
    "403": "What this server was not started to do",
    "404": "No such workspace or file",
    "408": "The body came too slowly",
    "413": "The body is too large",
    "415": "The body is not said to be JSON",
    "429": "Over a limit, or the queue is full; `Retry-After` says when to come again",
    "500": "A mistake of the server",
    "501": "What this server has no model for",
    "502": "The model does not answer",
    "503": "The server stops, or a part of it cannot be had",
    "504": "The answer took longer than is allowed",
}


def description() -> Json:
    """The OpenAPI document."""
    schemas: Json = {"Error": _error(), "State": {"type": "object"}, "Models": {"type": "object"}}
    schemas |= {"Embeddings": {"type": "object"}, "Infill": {"type": "object"}}
    _object(Report, schemas)
    schemas["Completion"] = _answer("text_completion", {"text": {"type": "string"}})
    message = {"type": "object", "properties": {"role": {"const": "assistant"}, "content": {"type": "string"}}}
    schemas["ChatCompletion"] = _answer("chat.completion", {"message": message})
    paths: Json = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "goassist", "version": version("goassist-lsp"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"key": []}],
    }


def _operation(operation: Operation, schemas: Json) -> Json:
    content: Json = {"schema": {"$ref": f"#/components/schemas/{operation.answer}"}} if operation.answer else {}
    answers: Json = {operation.media_type: content}
    responses: Json = {"200": {"description": "The answer", "content": answers}}
    found: Json = {"summary": operation.summary, "responses": responses}
    if operation.request is not None:
        if operation.answer.endswith("Completion"):
            answers["text/event-stream"] = {}
        reference = _object(operation.request, schemas)
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status, said in _STATUSES.items():
        responses[status] = {"description": said, "content": error}
    return found


def _error() -> Json:
    text = {"type": ["string", "null"]}
    inner = {name: text for name in ("message", "type", "param", "code")}
    return {
        "type": "object",
        "properties": {"error": {"type": "object", "properties": inner, "required": [*inner]}},
        "required": ["error"],
    }


def _answer(kind: str, said: Json) -> Json:
    choice = {
        "type": "object",
        "properties": {
            "index": _COUNT,
            **said,
            "finish_reason": _FINISH,
            "logprobs": {"type": ["object", "null"]},
            "goassist": {"$ref": "#/components/schemas/Report"},
        },
        "required": ["index", *said, "finish_reason"],
    }
    properties = {
        "id": {"type": "string"},
        "object": {"const": kind},
        "created": {"type": "integer"},
        "model": {"type": "string"},
        "choices": {"type": "array", "items": choice},
        "usage": _USAGE,
    }
    return {"type": "object", "properties": properties, "required": [*properties]}


def _object(kind: type, schemas: Json) -> Json:
    """A reference to a dataclass's schema, which is put among the others."""
    if kind.__name__ not in schemas:
        schemas[kind.__name__] = {}
        hints = get_type_hints(kind)
        known = fields(kind)
        schema: Json = {
            "type": "object",
            "description": kind.__doc__ or "",
            "properties": {one.name: _property(one, hints[one.name], schemas) for one in known},
        }
        needed = [one.name for one in known if one.default is MISSING and one.default_factory is MISSING]
        schemas[kind.__name__] = {**schema, "required": needed} if needed else schema
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _property(one: Field[Any], kind: Any, schemas: Json) -> Json:
    schema = _schema(kind, schemas)
    limits = one.metadata
    if limits.get("doc"):
        schema["description"] = limits["doc"]
    if one.default is not MISSING and one.default is not None:
        schema["default"] = one.default
    for part in schema.get("anyOf", [schema]):
        if part.get("type") in ("integer", "number") and limits.get("low") is not None:
            part |= {"minimum": limits["low"], "maximum": limits["high"]}
        if part.get("type") == "array" and limits.get("most") is not None:
            part["maxItems"] = limits["most"]
    return schema


def _schema(kind: Any, schemas: Json) -> Json:
    simple = {bool: "boolean", int: "integer", float: "number", str: "string", types.NoneType: "null"}
    if kind in simple:
        return {"type": simple[kind]}
    if get_origin(kind) is Literal:
        return {"enum": [*get_args(kind)]}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema(get_args(kind)[0], schemas)}
    if get_origin(kind) in (types.UnionType, Union):
        return {"anyOf": [_schema(member, schemas) for member in get_args(kind)]}
    assert is_dataclass(kind) and isinstance(kind, type)
    return _object(kind, schemas)


def page() -> str:
    """The same for people: endpoints and their parameters, in HTML without anything from elsewhere."""
    return f"<!doctype html><meta charset=utf-8><title>goassist</title><h1>goassist</h1>{''.join(_sections())}"


def _sections() -> Iterator[str]:
    for operation in OPERATIONS:
        yield f"<h2>{operation.method.upper()} {operation.path}</h2><p>{html.escape(operation.summary)}.</p>"
        if operation.request is None:
            continue
        yield "<table><tr><th>Parameter<th>Default<th>What it is</tr>"
        for one in fields(operation.request):
            default = "" if one.default is MISSING or one.default is None else repr(one.default)
            cells = (one.name, default, one.metadata["doc"])
            yield f"<tr>{''.join(f'<td>{html.escape(cell)}' for cell in cells)}</tr>"
        yield "</table>"
