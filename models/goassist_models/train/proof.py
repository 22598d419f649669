"""A function's own tests as proof of a text: compiled with it by an overlay, run in the sandbox without network.

One of the bonuses of reward.py. A test that fails with its author's text too (it wants files, a network, more time)
proves nothing and is not counted.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from goassist_index.gotools import run_go
from goassist_models.data.gates import offline
from goassist_models.evaluate.sandbox import Limits, run
from goassist_models.train.reward import Hole

_COMPILE = ("test", "-c", "-vet=off", "-trimpath", "-ldflags=-s -w", "-o")
_LIMITS = Limits(wall_s=10.0)


def tests_of(root: Path, names: Mapping[str, Sequence[str]]) -> Callable[[Hole, str], bool | None]:
    """How to test texts in holes of the module at `root`; `names` are tests by file, relative to it.

    The answer is None where there is no test, or none that its author's text passes.
    """

    @cache
    def passes(path: Path, content: bytes, tests: tuple[str, ...]) -> bool:
        return _passes(root, path, content, tests)

    def run_tests(hole: Hole, text: str) -> bool | None:
        tests = tuple(names.get(hole.path.relative_to(root).as_posix(), ()))
        if not tests or not passes(hole.path, hole.text.encode(), tests):
            return None
        return passes(hole.path, hole.filled(text), tests)

    return run_tests


def _passes(root: Path, path: Path, content: bytes, tests: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as box:
        copy = Path(scratch) / path.name
        copy.write_bytes(content)
        overlay = Path(scratch) / "overlay.json"
        overlay.write_text(json.dumps({"Replace": {str(path): str(copy)}}))
        binary = Path(box) / "package.test"
        folder = f"./{path.parent.relative_to(root).as_posix()}"
        with offline():
            made = run_go([*_COMPILE, str(binary), f"-overlay={overlay}", folder], root)
        if not made.ok or not binary.exists():
            return False
        pattern = f"-test.run=^({'|'.join(tests)})$"
        outcome = run(["package.test", pattern, "-test.count=1"], Path(box), _LIMITS)
        return outcome.ok and "no tests to run" not in outcome.output
