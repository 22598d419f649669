"""Whether the model is one for this machine, by how fast its answers came: what to tell the user when it is not.

Used by app.py after each answer.
"""

from __future__ import annotations

from goassist_index.errors import GoassistError, ModelError
from goassist_models import registry
from goassist_models.engine import EngineSpeed

# A line of code that takes longer than this is there after its author has written it.
LINE_TOKENS = 12
MOST_LINE_S = 3.0
# As many answers in a row: another program that wants the machine for a moment does not make a model too large.
ANSWERS = 4


class Fitness:
    """Counts the answers that came too slowly, and says so once a model."""

    def __init__(self) -> None:
        self._slow = 0
        self._told: set[str] = set()

    def answered(self, model_name: str, speed: EngineSpeed, model_setting: str) -> ModelError | None:
        """Take in an answer; returns what to tell the user, once `ANSWERS` in a row were too slow.

        `model_setting` names the model as the settings do (empty: the default).
        """
        rate = speed.generate_tokens_per_s
        self._slow = self._slow + 1 if 0 < rate * MOST_LINE_S < LINE_TOKENS else 0
        if self._slow < ANSWERS or model_name in self._told:
            return None
        self._told.add(model_name)
        return ModelError(
            f"the model {model_name} is slow on this machine: a line of {LINE_TOKENS} tokens takes "
            f"{LINE_TOKENS / rate:.0f} seconds",
            cure=_cure(model_setting),
        )


def _cure(model_setting: str) -> str:
    try:
        model = registry.requested(model_setting or None)
        size_bytes = model.size_bytes if isinstance(model, registry.ModelEntry) else model.stat().st_size
        smaller = registry.next_smaller(size_bytes)
    except (OSError, GoassistError):
        smaller = None
    if smaller is None:
        return "Close other programs, or set `goassist.model` to the file of a smaller model"
    return (
        f"Fetch a smaller one with `goassist-lsp model pull {smaller.name}` and set `goassist.model` to {smaller.name}"
    )
