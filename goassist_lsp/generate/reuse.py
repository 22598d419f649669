"""Serves typed-through text from what was shown before, without asking the model. Runs before the prompt is built."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from goassist_lsp.types import Candidate, CursorContext
from goassist_models.engine import Generation

CAPACITY = 64
# How much of a file is kept on both sides of a place. All of it would be megabytes for the places of a large file; who
# changes something farther off, and not its length, gets a text that is checked again like any other.
_NEAR = 2_000


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text was shown: the document, the text near it, and how much there is on both sides (code points)."""

    uri: str
    before: str
    before_length: int
    after: str
    after_length: int

    @classmethod
    def of(cls, context: CursorContext) -> _Place:
        prefix, suffix = context.prefix, context.suffix
        return cls(context.snapshot.uri, prefix[-_NEAR:], len(prefix), suffix[:_NEAR], len(suffix))

    def typed_since(self, context: CursorContext) -> str | None:
        """What stands between this place and the context's cursor; None where other text has changed, or before it."""
        if context.snapshot.uri != self.uri or len(context.suffix) != self.after_length:
            return None
        start = self.before_length - len(self.before)
        if not context.prefix.startswith(self.before, start) or not context.suffix.startswith(self.after):
            return None
        # Texts are kept with "\n", whatever the document's line ends.
        return context.prefix[self.before_length :].replace("\r\n", "\n")


@dataclass(frozen=True, slots=True)
class _Entry:
    generations: tuple[Generation, ...]
    whole: bool


class CompletionCache:
    """The last texts shown, by place. Answers a place if the user typed what a suggestion said, or went back."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: OrderedDict[_Place, _Entry] = OrderedDict()
        self._capacity = capacity

    def put(self, context: CursorContext, shown: tuple[Candidate, ...]) -> None:
        """Remember what is shown at this place; `shown` must not be empty."""
        place = _Place.of(context)
        texts = tuple(replace(candidate.generation, text=candidate.insert_text) for candidate in shown)
        self._entries[place] = _Entry(texts, shown[0].whole)
        self._entries.move_to_end(place)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def get(self, context: CursorContext) -> tuple[Generation, ...]:
        """What remains of an earlier suggestion here, newest first; empty when nothing agrees with the text."""
        for place, entry in reversed(self._entries.items()):
            typed = place.typed_since(context)
            if typed is None:
                continue
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
        return any(
            entry.whole and place.typed_since(context) == entry.generations[0].text
            for place, entry in reversed(self._entries.items())
        )

    def clear(self) -> None:
        """Forget everything, as after a change of model or settings."""
        self._entries.clear()
