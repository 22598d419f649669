"""A stage that takes a moment for each shard, for workers that are lost in the middle; they can import it."""

from __future__ import annotations

import time

from goassist_index.errors import GoassistError
from goassist_models.data.shards import Counts

SECONDS = 0.4


def slowly(task: str) -> tuple[str, Counts]:
    """A shard that depends on its task alone."""
    time.sleep(SECONDS)
    return "".join(f'{{"task": "{task}", "line": {n}}}\n' for n in range(50)), {"lines": 50}


def failing_at_three(task: str) -> tuple[str, Counts]:
    """All shards but one."""
    if task == "3":
        raise GoassistError("it is the third", path="here", cure="Leave it out")
    return task, {}
