"""Serves typed-through text from what was shown before, without asking the model. Runs before the prompt is built."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from goassist_lsp.types import CursorContext
from goassist_models.engine import Generation

CAPACITY = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    prefix: str
    suffix: str
    generations: tuple[Generation, ...]


class CompletionCache:
    """The last texts shown, by place. Answers a place if the user typed what a suggestion said, or went back."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()
        self._capacity = capacity

    def put(self, context: CursorContext, shown: tuple[Generation, ...]) -> None:
        """Remember what is shown at this place; `shown` must not be empty."""
        key = (context.snapshot.uri, context.prefix, context.suffix)
        self._entries[key] = _Entry(context.prefix, context.suffix, shown)
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def get(self, context: CursorContext) -> tuple[Generation, ...]:
        """What remains of an earlier suggestion here, newest first; empty when nothing agrees with the text."""
        for (uri, _, _), entry in reversed(self._entries.items()):
            if uri != context.snapshot.uri or entry.suffix != context.suffix:
                continue
            if not context.prefix.startswith(entry.prefix):
                continue
            # Texts are kept with "\n", whatever the document's line ends.
            typed = context.prefix[len(entry.prefix) :].replace("\r\n", "\n")
            rest = tuple(
                Generation(
                    text=generation.text[len(typed) :],
                    finish_reason=generation.finish_reason,
                    tokens=0,
                    mean_logprob=generation.mean_logprob,
                )
                for generation in entry.generations
                if generation.text.startswith(typed) and generation.text[len(typed) :].strip()
            )
            if rest:
                return rest
        return ()

    def clear(self) -> None:
        """Forget everything, as after a change of model or settings."""
        self._entries.clear()
