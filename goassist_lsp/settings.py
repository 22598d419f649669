"""The user's settings: `Options` as the client sent them, `Settings` as resolved and used.

Read by the server's features on start and on every change, and by the command line from the environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Literal

import cattrs
from cattrs.gen import make_dict_structure_fn, override

from goassist_models.infill import DEFAULT_FORM

MODEL_VARIABLE = "GOASSIST_MODEL"
EAGERNESS = ("eager", "balanced", "quiet")
LOG_LEVELS = ("error", "warning", "info", "debug")

# Read by the editor plugins themselves: sent along with the rest of the section, and none of our business.
CLIENT_SETTINGS = {"server": "Command of the server, for plugins that start it; empty looks where it is usually found."}
_CLIENT_KEYS = frozenset({"trace", *CLIENT_SETTINGS})


def _setting(
    default: object,
    doc: str,
    *,
    low: int | None = None,
    high: int | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    return field(default=default, metadata={"doc": doc, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server works with: every value present and in its range.

    A field's `doc` is its reference; one without is not the user's to set.
    """

    enabled: bool = _setting(True, "Whether completions are offered at all.")
    model: str = _setting(
        "", f"Name in the model registry or path of a GGUF file; empty for the default, ${MODEL_VARIABLE} wins."
    )
    engine_url: str = _setting(
        "", "Base address of an OpenAI-compatible completions server to use in place of a local model."
    )
    threads: int = _setting(
        0,
        "Threads for the local model; 0 takes what is measured quickest here, and less while other programs work.",
        low=0,
        high=256,
    )
    gpu_layers: int = _setting(
        -1, "Layers of the local model on a GPU, if the native library was built for one; -1 for all.", low=-1, high=999
    )
    context_tokens: int = _setting(
        640, "Prompt budget in tokens, prefix, suffix and repository context together.", low=128, high=32768
    )
    candidates: int = _setting(
        1, "How many alternatives to generate when a completion is asked for by hand.", low=1, high=5
    )
    max_tokens_line: int = _setting(48, "Longest completion of a line or expression, in tokens.", low=1, high=512)
    max_tokens_block: int = _setting(160, "Longest completion of a block or body, in tokens.", low=1, high=2048)
    eagerness: Literal["eager", "balanced", "quiet"] = _setting(
        "balanced", "How sure the model must be of what is shown while one types.", choices=EAGERNESS
    )
    multiline: bool = _setting(True, "Whether blocks and bodies are completed, or only the rest of a line.")
    check_types: bool = _setting(True, "Whether candidates are type-checked and dropped when they do not compile.")
    index: bool = _setting(True, "Whether workspaces are read into an index, in the background.")
    log_level: Literal["error", "warning", "info", "debug"] = _setting(
        "warning", "Least severe records written to standard error.", choices=LOG_LEVELS
    )
    # No user's choice, but an evaluation's: only in the default form does typing append to the prompt.
    infill_form: str = DEFAULT_FORM


@dataclass(frozen=True, slots=True)
class Options:
    """The settings as a client sent them, camelCase on the wire: None is "not set". Types checked, ranges not."""

    enabled: bool | None = None
    model: str | None = None
    engine_url: str | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    context_tokens: int | None = None
    candidates: int | None = None
    max_tokens_line: int | None = None
    max_tokens_block: int | None = None
    eagerness: str | None = None
    multiline: bool | None = None
    check_types: bool | None = None
    index: bool | None = None
    log_level: str | None = None

    def over(self, base: Options) -> Options:
        """These options where set, else those of `base`."""
        merged = {}
        for option in fields(self):
            own = getattr(self, option.name)
            merged[option.name] = getattr(base, option.name) if own is None else own
        return Options(**merged)


def wire_name(name: str) -> str:
    """`max_tokens_line` as clients write it: `maxTokensLine`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def read_options(sent: object) -> tuple[Options, list[str]]:
    """Options from a client's JSON value, and one sentence for each setting that cannot be taken as it is.

    `sent` may be null, the section's object, or an object that holds the section as `goassist`.
    """
    if sent is None:
        return Options(), []
    if isinstance(sent, Mapping) and isinstance(sent.get("goassist"), Mapping):
        sent = sent["goassist"]
    if not isinstance(sent, Mapping):
        return Options(), [
            f"The goassist settings were given as {_shown(sent)}; expected an object. Using the defaults"
        ]
    kept = {key: value for key, value in sent.items() if key not in _CLIENT_KEYS and value is not None}
    problems = []
    for key in sorted(kept.keys() - _FIELDS.keys()):
        problems.append(f"There is no setting goassist.{key}; it was left aside")
        del kept[key]
    try:
        return _CONVERTER.structure(kept, Options), problems
    except cattrs.ClassValidationError as error:
        for _, note in error.group_exceptions()[0]:
            key = wire_name(note.name)
            problems.append(_wrong(_FIELDS[key], kept.pop(key)))
    return _CONVERTER.structure(kept, Options), problems


def resolve(options: Options, environ: Mapping[str, str] = os.environ) -> tuple[Settings, list[str]]:
    """Settings from options and environment, and one sentence for each value that is out of its range."""
    values: dict[str, Any] = {}
    problems = []
    for setting in _FIELDS.values():
        value = getattr(options, setting.name)
        if value is None:
            continue
        if _in_range(setting, value):
            values[setting.name] = value
        else:
            problems.append(_wrong(setting, value))
    if environ.get(MODEL_VARIABLE):
        values["model"] = environ[MODEL_VARIABLE]
    return Settings(**values), problems


def _in_range(setting: Field[Any], value: Any) -> bool:
    limits = setting.metadata
    if limits["choices"]:
        return value in limits["choices"]
    return limits["low"] is None or limits["low"] <= value <= limits["high"]


def _wrong(setting: Field[Any], given: object) -> str:
    limits = setting.metadata
    if limits["choices"]:
        expected = "one of " + ", ".join(limits["choices"])
    elif limits["low"] is not None:
        expected = f"a whole number from {limits['low']} to {limits['high']}"
    else:
        expected = "true or false" if isinstance(setting.default, bool) else "a string"
    used = _shown(setting.default)
    return f"Setting goassist.{wire_name(setting.name)} was given {_shown(given)}; expected {expected}. Using {used}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def _strict(value: object, kind: type) -> object:
    # cattrs would turn "no" into True and 3.7 into 3: a setting is taken only as what it is.
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}")
    return value


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    for kind in (bool, int, str):
        converter.register_structure_hook(kind, _strict)
    names = {option.name: override(rename=wire_name(option.name)) for option in fields(Options)}
    converter.register_structure_hook(Options, make_dict_structure_fn(Options, converter, **names))  # type: ignore[arg-type]
    return converter


_FIELDS: dict[str, Field[Any]] = {wire_name(setting.name): setting for setting in fields(Settings) if setting.metadata}
_CONVERTER = _converter()
