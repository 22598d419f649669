"""Joins the compiler to training: the type service's word on texts in holes of any module, as a reward."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from goassist_index.typeservice import TypeService
from goassist_index.verdict import Verdict
from goassist_index.workspace import workspace_root
from goassist_models.train.reward import CompilerRewardModel, Hole, Reward

_LOADING_LIMIT_S = 180.0


@asynccontextmanager
async def compiler_reward() -> AsyncIterator[Reward]:
    """A reward whose type services, one a module, live as long as the context.

    Raises CheckerUnavailable when there is no Go toolchain.
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

    try:
        yield CompilerRewardModel(check).score
    finally:
        for service in services.values():
            await service.aclose()
