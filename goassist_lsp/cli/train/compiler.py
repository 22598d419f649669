"""Joins the compiler to training: the type service's word on texts in holes of any module, as a reward."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.typeservice import TypeService
from goassist_index.verdict import Verdict
from goassist_index.workspace import workspace_root
from goassist_models.evaluate.analyzers import STATICCHECK_MODULE, built, staticcheck
from goassist_models.evaluate.perplexity import go_root
from goassist_models.train.proof import findings_of, tests_of
from goassist_models.train.reward import CompilerRewardModel, CountFindings, Hole, Reward, RunTests

_LOADING_LIMIT_S = 180.0
# Of a function with more tests the first few say enough; each is compiled and run twice.
_MAX_TESTS = 4


@asynccontextmanager
async def compiler_reward(
    tests: Callable[[Hole], Sequence[str]] | None = None, *, lint: bool = False
) -> AsyncIterator[Reward]:
    """A reward whose type services, one a module, live as long as the context.

    With `tests`, which names those of a hole's function, and `lint` it gives the bonuses for both: seconds a text.
    Raises CheckerUnavailable when there is no Go toolchain, GoassistError when staticcheck cannot be had.
    """
    services: dict[Path, TypeService] = {}

    async def check(hole: Hole, texts: Sequence[str]) -> Sequence[Verdict]:
        root = workspace_root(hole.path)
        if root not in services:
            for other in list(services):  # holes come module by module as far as that goes; one service is 100 MB
                await services.pop(other).aclose()
            services[root] = await TypeService.start(root)
        return await services[root].check(
            hole.path, None, hole.start, hole.end, texts, complete=True, loading_limit_s=_LOADING_LIMIT_S
        )

    with ExitStack() as copies:
        run_tests = _tester(tests) if tests is not None else None
        count_findings = _linter(copies) if lint else None
        try:
            yield CompilerRewardModel(check, run_tests=run_tests, lint=count_findings).score
        finally:
            for service in services.values():
                await service.aclose()


def _tester(names: Callable[[Hole], Sequence[str]]) -> RunTests:
    testers: dict[Path, RunTests] = {}

    def run_tests(hole: Hole, text: str) -> bool | None:
        root = workspace_root(hole.path)
        if root not in testers:
            testers[root] = tests_of(root, lambda asked: names(asked)[:_MAX_TESTS])
        return testers[root](hole, text)

    return run_tests


def _linter(copies: ExitStack) -> CountFindings:
    """Findings of staticcheck; of the standard library, which is too much to be copied, none are counted."""
    analyze = staticcheck(built(cache_dir(), *STATICCHECK_MODULE))
    standard = go_root()[0]
    linters: dict[Path, CountFindings] = {}

    def count(hole: Hole, text: str) -> int:
        if hole.path.is_relative_to(standard):
            return 0
        root = workspace_root(hole.path)
        if root not in linters:
            linters[root] = copies.enter_context(findings_of(root, analyze))
        return linters[root](hole, text)

    return count
