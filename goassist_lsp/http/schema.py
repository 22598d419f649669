"""What requests may hold: frozen dataclasses, from which both the validation and the OpenAPI page are made.

Unknown fields are left aside and null is "not given", as OpenAI's own API has it; a value of the wrong type or out of
its range is refused with the field's name.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import cattrs
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn

from goassist_lsp.http.errors import ApiError

MOST_CHOICES = 8
MOST_STOPS = 16
MOST_PROMPTS = 16
_LARGE = 2**63 - 1
MOST_TOKENS = 2**31 - 1  # the server holds them to what it allows
MOST_MESSAGES = 256

_T = TypeVar("_T")
Role = Literal["system", "developer", "user", "assistant"]


def about(doc: str, *, low: float | None = None, high: float | None = None, most: int | None = None) -> dict[str, Any]:
    """What a field is for, and what it is held to: `low` and `high` bound a number, `most` a list's length."""
    return {"doc": doc, "low": low, "high": high, "most": most}


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a stream is sent."""

    include_usage: bool = field(default=False, metadata=about("Send a last chunk with the usage."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What completions and chats have in common."""

    model: str = field(default="", metadata=about("Any name is taken: the answer says which model the server has."))
    n: int = field(default=1, metadata=about("How many answers.", low=1, high=MOST_CHOICES))
    temperature: float = field(
        default=0.0,
        metadata=about("0 takes the likeliest token; further answers are then sampled at 0.6.", low=0, high=2),
    )
    top_p: float = field(
        default=0.95, metadata=about("Sample among the likeliest tokens of this probability together.", low=0, high=1)
    )
    stop: str | list[str] | None = field(
        default=None, metadata=about("Texts that end an answer; they are no part of it.", most=MOST_STOPS)
    )
    seed: int | None = field(
        default=None,
        metadata=about("Same seed and request: same answer, on one machine.", low=-(2**63), high=2**63 - 1),
    )
    stream: bool = field(default=False, metadata=about("Send the answer piece by piece, as server-sent events."))
    stream_options: StreamOptions | None = field(default=None, metadata=about("How the stream is sent."))

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in given if text)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class GoParameters(Sampling):
    """What only this server has: answers held to a compiler, and to tests."""

    compile_check: bool = field(
        default=False,
        metadata=about("Only text that type-checks in its place: in `file` of `workspace`, else in a file of its own."),
    )
    import_paths: list[str] | None = field(
        default=None,
        metadata=about(
            "With `compile_check`: packages that may be imported beside what the file imports; any, if not given.",
            most=1000,
        ),
    )
    test_pattern: str | None = field(
        default=None,
        metadata=about(
            "As of `go test -run`: tests of the file's package that must pass with the answer in place. Needs "
            "`workspace` and a server that runs tests."
        ),
    )
    attempts: int = field(
        default=4,
        metadata=about("How many are tried: candidates with tests, chats with the compiler.", low=1, high=32),
    )
    workspace: str | None = field(
        default=None, metadata=about("One of the workspaces that the server was started with.")
    )
    file: str | None = field(default=None, metadata=about("A Go file of the workspace, from its root with slashes."))
    offset: int | None = field(
        default=None,
        metadata=about("The place as a byte offset in the file on disk; without `prompt`.", low=0, high=2**31 - 1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest(GoParameters):
    """`POST /v1/completions`."""

    prompt: str | list[str] = field(
        default="", metadata=about("The text before the place, or several.", most=MOST_PROMPTS)
    )
    suffix: str | None = field(default=None, metadata=about("The text behind the place."))
    max_tokens: int = field(default=256, metadata=about("Longest answer in tokens.", low=1, high=MOST_TOKENS))
    logprobs: int | None = field(
        default=None, metadata=about("Each token's log-probability; alternatives are not given.", low=0, high=5)
    )
    echo: bool = field(default=False, metadata=about("Put the prompt before the answer."))

    @property
    def prompts(self) -> list[str]:
        """The prompts, one or several."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


@dataclass(frozen=True, slots=True)
class ContentPart:
    """A part of a message."""

    type: Literal["text"] = field(default="text", metadata=about("What it is; only text is taken."))
    text: str = field(default="", metadata=about("The text."))


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role = field(metadata=about("Who speaks."))
    content: str | list[ContentPart] | None = field(default=None, metadata=about("What is said.", most=64))

    @property
    def text(self) -> str:
        """What is said, in one."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(GoParameters):
    """`POST /v1/chat/completions`."""

    messages: list[Message] = field(metadata=about("The turns so far, oldest first.", most=MOST_MESSAGES))
    max_tokens: int = field(
        default=1024,
        metadata=about("Longest answer in tokens; -1, as of llama.cpp: what is allowed.", low=-1, high=MOST_TOKENS),
    )
    max_completion_tokens: int | None = field(
        default=None, metadata=about("The newer name of `max_tokens`.", low=1, high=MOST_TOKENS)
    )
    logprobs: bool = field(default=False, metadata=about("Each token's log-probability; alternatives are not given."))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of another file."""

    text: str = field(default="", metadata=about("The piece."))
    filename: str = field(default="", metadata=about("Where it is from."))


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillRequest(Sampling):
    """`POST /infill`, llama.cpp's own."""

    input_prefix: str = field(default="", metadata=about("The text before the line of the place."))
    input_suffix: str = field(default="", metadata=about("The text behind the place."))
    prompt: str = field(default="", metadata=about("What has been typed of the place's line."))
    input_extra: list[Chunk] = field(default_factory=list, metadata=about("Pieces of other files.", most=64))
    n_predict: int = field(
        default=128, metadata=about("Longest answer in tokens; -1: what the server allows.", low=-1, high=MOST_TOKENS)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingsRequest:
    """`POST /v1/embeddings`."""

    input: str | list[str] = field(metadata=about("The text, or several.", most=256))
    model: str = field(default="", metadata=about("The model, where the server behind has several."))
    encoding_format: Literal["float", "base64"] = field(default="float", metadata=about("How vectors are sent."))


def read(body: bytes, kind: type[_T]) -> _T:
    """The request that a body holds. Raises ApiError 400, which names the field that cannot be taken."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON ({error})", code="invalid_json") from error
    if not isinstance(value, dict):
        raise ApiError(400, f"the body is not a JSON object, but {_told(value)}", code="invalid_json")
    try:
        found = _CONVERTER.structure(value, kind)
    except (cattrs.BaseValidationError, RecursionError) as error:
        raise _refusal(error) from error
    for parameter in fields(kind):  # type: ignore[arg-type]
        _hold_to_limits(parameter, getattr(found, parameter.name))
    return found


def _refusal(error: BaseException) -> ApiError:
    """The first thing that is wrong, by its name."""
    where = ""
    while isinstance(error, cattrs.BaseValidationError):
        (error, *_) = error.exceptions
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, cattrs.AttributeValidationNote):
                where += f".{note.name}" if where else note.name
            elif isinstance(note, cattrs.IterableValidationNote):
                where += f"[{note.index}]"
    said = "is missing" if isinstance(error, KeyError) else str(error)
    return ApiError(400, f"{where or 'the request'}: {said}", code="invalid_type", param=where or None)


def _hold_to_limits(parameter: Field[Any], value: Any) -> None:
    limits, name = parameter.metadata, parameter.name
    if isinstance(value, str | list):
        _hold_to_unicode(name, value)
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int | float):
        low, high = limits["low"], limits["high"]
        if low is not None and not low <= value <= high:
            raise ApiError(400, f"{name}: {value} is not from {low} to {high}", code="out_of_range", param=name)
    if isinstance(value, list) and limits["most"] is not None and len(value) > limits["most"]:
        raise ApiError(400, f"{name}: more than {limits['most']}", code="out_of_range", param=name)


def _hold_to_unicode(name: str, value: str | list[Any]) -> None:
    """JSON can spell half a surrogate pair, which is no text."""
    for text in [value] if isinstance(value, str) else value:
        if isinstance(text, Message):
            _hold_to_unicode(name, text.text)
        elif isinstance(text, str):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                said = f"{name}: not Unicode text ({error.reason})"
                raise ApiError(400, said, code="invalid_type", param=name) from error


def _origin(kind: Any) -> Any:
    return get_origin(kind)


def _told(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _strict(value: object, kind: type) -> object:
    # cattrs would turn "no" into True and 3.7 into 3: a value is taken only as what it is.
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 2**53 else value
    if type(value) is not kind or value != value:
        raise TypeError(f"expected {_KINDS[kind]}, not {_told(value)}")
    return value


def _union(value: object, kind: Any) -> object:
    """One of the members, by what the value is: a list, or the other; null has been taken out before."""
    members = [member for member in get_args(kind) if member is not types.NoneType]
    lists = [member for member in members if get_origin(member) is list]
    plain = [member for member in members if member not in lists]
    return _CONVERTER.structure(value, (lists if lists and isinstance(value, list) else plain or lists)[0])


def _literal(value: object, kind: Any) -> object:
    if not isinstance(value, str) or value not in get_args(kind):
        raise TypeError(f"expected one of {', '.join(get_args(kind))}, not {_told(value)}")
    return value


def _list_of(kind: Any) -> Callable[[object, Any], object]:
    of_any_iterable = list_structure_factory(kind, _CONVERTER)

    def structure(value: object, kind: Any) -> object:
        if not isinstance(value, list):
            raise TypeError(f"expected a list, not {_told(value)}")
        return of_any_iterable(value, kind)

    return structure


def _object_of(kind: Any) -> Callable[[object, Any], object]:
    of_given = make_dict_structure_fn(kind, _CONVERTER)

    def structure(value: object, kind: Any) -> object:
        if not isinstance(value, dict):
            raise TypeError(f"expected an object, not {_told(value)}")
        return of_given({key: entry for key, entry in value.items() if entry is not None}, kind)

    return structure


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    for kind in _KINDS:
        converter.register_structure_hook(kind, _strict)
    converter.register_structure_hook_factory(is_dataclass, _object_of)
    converter.register_structure_hook_factory(lambda kind: _origin(kind) is list, _list_of)
    converter.register_structure_hook_func(lambda kind: _origin(kind) in (types.UnionType, Union), _union)
    converter.register_structure_hook_func(lambda kind: _origin(kind) is Literal, _literal)
    return converter


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
_CONVERTER = _converter()
