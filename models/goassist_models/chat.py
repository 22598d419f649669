"""Chats as prompts: a model's own template laid out with the turns of a conversation.

What people say is never parsed for special tokens: the template is rendered with marks in place of their words, and
only what it says itself is read for tokens.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from goassist_index.errors import ModelError
from goassist_models.gguf_header import GGUFHeader
from goassist_models.infill import AS_GIVEN, InfillPrompt, Segment

# What the Qwen2.5 family reads, and many others: for servers that do not show their model's template.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TAG = re.compile(r"(<[^\s<>]{1,60}>)")


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: "system", "user" or "assistant", and what is said."""

    role: str
    text: str


class ChatTemplate:
    """A model's chat template, in Jinja; `special`: texts in it that are tokens, None for all that look like one."""

    def __init__(self, source: str, special: frozenset[str] | None = None) -> None:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        # As transformers renders them: https://huggingface.co/docs/transformers/chat_templating
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        try:
            self._template: Any = environment.from_string(source)
        except TemplateError as error:
            raise ModelError(f"the model's chat template cannot be read ({error})") from error
        self._special = special

    @classmethod
    def of(cls, header: GGUFHeader) -> ChatTemplate | None:
        """The template that a model file has; None where it has none."""
        source = header.string("tokenizer.chat_template")
        if not source:
            return None
        return cls(source, frozenset(token.decode("utf-8", "replace") for token in header.tokens if token[:1] == b"<"))

    def prompt(self, turns: Sequence[Turn]) -> InfillPrompt:
        """The prompt behind which the model speaks. Raises ModelError where the template takes no such turns."""
        from jinja2 import TemplateError

        marks = {f"\x00{secrets.token_hex(8)}\x00": turn.text for turn in turns}
        messages = [{"role": turn.role, "content": mark} for turn, mark in zip(turns, marks, strict=True)]
        try:
            text = self._template.render(messages=messages, add_generation_prompt=True, bos_token="", eos_token="")
        except (TemplateError, TypeError) as error:
            raise ModelError(f"the model's chat template does not take these turns ({error})") from error
        segments: list[Segment] = []
        for part in re.split(f"({'|'.join(map(re.escape, marks))})", text):
            segments += [Segment(marks[part], special=False)] if part in marks else self._own(part)
        return InfillPrompt(AS_GIVEN, "", "", given=tuple(segment for segment in segments if segment.text))

    def _own(self, text: str) -> list[Segment]:
        return [Segment(part, self._is_special(part)) for part in _TAG.split(text)]

    def _is_special(self, part: str) -> bool:
        return bool(_TAG.fullmatch(part)) and (self._special is None or part in self._special)


def _refuse(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)
