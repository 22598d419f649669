"""What more can be proved of a text that compiles: its function's own tests, and what staticcheck finds on its lines.

The bonuses of reward.py. Tests are compiled with the text by an overlay and run in the sandbox without network; one
that fails with its author's text too (it wants files, a network, more time) proves nothing and is not counted.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from goassist_index.errors import GoassistError
from goassist_index.gotools import run_go
from goassist_models.data.gates import BUGS, offline
from goassist_models.evaluate.analyzers import Analyzer
from goassist_models.evaluate.sandbox import Limits, run
from goassist_models.train.reward import CountFindings, Hole

_COMPILE = ("test", "-c", "-vet=off", "-trimpath", "-ldflags=-s -w", "-o")
_LIMITS = Limits(wall_s=10.0)


def tests_of(root: Path, names: Callable[[Hole], Sequence[str]]) -> Callable[[Hole, str], bool | None]:
    """How to test texts in holes of the module at `root`; `names` says which tests name the function of a hole.

    The answer is None where there is no test, or none that its author's text passes.
    """

    @cache
    def passes(path: Path, content: bytes, tests: tuple[str, ...]) -> bool:
        return _passes(root, path, content, tests)

    def run_tests(hole: Hole, text: str) -> bool | None:
        tests = tuple(names(hole))
        if not tests or not passes(hole.path, hole.text.encode(), tests):
            return None
        return passes(hole.path, hole.filled(text), tests)

    return run_tests


@contextmanager
def findings_of(root: Path, analyze: Analyzer) -> Iterator[CountFindings]:
    """How to count an analyzer's findings of bugs on a text's lines, in a copy of the module at `root`.

    staticcheck reads files and no overlay, hence the copy, which is removed at the end. Of a package that cannot be
    analyzed nothing is known, which counts as no finding.
    """
    with tempfile.TemporaryDirectory(prefix="goassist-lint-") as scratch:
        copy = Path(scratch) / "module"
        shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", "node_modules"))

        def count(hole: Hole, text: str) -> int:
            path = copy / hole.path.relative_to(root)
            path.chmod(0o644)
            filled = hole.filled(text)
            path.write_bytes(filled)
            try:
                with offline():
                    found = analyze(copy, path.parent.relative_to(copy).as_posix())
            except GoassistError:
                return 0
            finally:
                path.write_text(hole.text, encoding="utf-8")
            first = filled.count(b"\n", 0, hole.start) + 1
            lines = range(first, first + text.count("\n") + 1)
            name = path.relative_to(copy).as_posix()
            return sum(f.file == name and f.line in lines and f.check.startswith(BUGS) for f in found)

        yield count


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
