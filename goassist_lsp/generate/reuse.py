"""Serves typed-through text from what was shown before, without asking the model. Runs before the prompt is built."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from goassist_lsp.types import Candidate, CursorContext
from goassist_models.engine import Generation

CAPACITY = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    prefix: str
    suffix: str
    generations: tuple[Generation, ...]
    whole: bool


class CompletionCache:
    """The last texts shown, by place. Answers a place if the user typed what a suggestion said, or went back."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()
        self._capacity = capacity

    def put(self, context: CursorContext, shown: tuple[Candidate, ...]) -> None:
        """Remember what is shown at this place; `shown` must not be empty."""
        key = (context.snapshot.uri, context.prefix, context.suffix)
        texts = tuple(replace(candidate.generation, text=candidate.insert_text) for candidate in shown)
        self._entries[key] = _Entry(context.prefix, context.suffix, texts, shown[0].whole)
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

    def used_up(self, context: CursorContext) -> bool:
        """Whether all of a whole suggestion has been written, up to the cursor: the model has nothing to add here."""
        for (uri, _, _), entry in reversed(self._entries.items()):
            if uri == context.snapshot.uri and entry.suffix == context.suffix and entry.whole:
                written = context.prefix.replace("\r\n", "\n")
                if written == entry.prefix.replace("\r\n", "\n") + entry.generations[0].text:
                    return True
        return False

    def clear(self) -> None:
        """Forget everything, as after a change of model or settings."""
        self._entries.clear()
