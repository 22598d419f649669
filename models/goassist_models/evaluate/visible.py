"""HumanEval-X as a workspace: each problem as a file with a hole, and beside it the example tests that the user sees.

The benchmark has two sets of tests: `test`, by which answers are judged and which stay hidden (humaneval.py), and
`example_test`, the examples of the description. Only those may be held against an answer before it is given.
"""

from __future__ import annotations

import re

from goassist_models.evaluate import humaneval
from goassist_models.evaluate.humaneval import Problem

_TEST = re.compile(r"^func (Test\w+)\(", re.MULTILINE)
_ASSERT = f"{humaneval.TESTIFY}/assert"


def source(problem: Problem, package: str) -> tuple[str, int]:
    """The file of a package of that name whose function has no body yet, and the hole's offset (code points).

    Imports that nothing uses yet are left out: Go would refuse them of an answer that has no need of them.
    """
    text, offset = humaneval.opened(problem)
    _, unused = humaneval.imports_to_mend(problem, humaneval.body_of(problem, text))
    before, after = humaneval.leaving_out(text[:offset], unused), text[offset:]
    before = before.replace("package main", f"package {package}", 1)
    return before + after, len(before)


def tests(problem: Problem, package: str) -> str:
    """The test file of the package; "" where the description has no examples that can be tested."""
    if not names(problem):
        return ""
    used = humaneval.selected(problem.example_test)
    wanted = [name for name in ("testing", *humaneval.PACKAGES, _ASSERT) if name.rpartition("/")[2] in used]
    imports = "".join(f'import "{name}"\n' for name in wanted)
    return f"package {package}\n\n{imports}\n{problem.example_test}"


def names(problem: Problem) -> tuple[str, ...]:
    """Names of the example tests."""
    return tuple(_TEST.findall(problem.example_test))


def pattern(problem: Problem) -> str:
    """What `go test -run` takes for the example tests and nothing else."""
    return f"^({'|'.join(names(problem))})$"
