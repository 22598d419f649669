"""Engines: the Protocol and its values. Implementations are imported from their own modules, where used."""

from goassist_models.engine.base import (
    CancelToken,
    Engine,
    EngineOver,
    EngineSpeed,
    FinishReason,
    GenerateRequest,
    Generation,
    GenerationTimings,
    Patience,
    Resume,
    Step,
)

__all__ = [
    "CancelToken",
    "Engine",
    "EngineOver",
    "EngineSpeed",
    "FinishReason",
    "GenerateRequest",
    "Generation",
    "GenerationTimings",
    "Patience",
    "Resume",
    "Step",
]
