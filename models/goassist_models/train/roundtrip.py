"""Whether a converted model says what its weights say: greedy text of the F16 file beside that of transformers.

Part of `train export`. Both are asked the same token ids, in a form that is not healed: healing is the server's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_models.engine import CancelToken, GenerateRequest
from goassist_models.engine.llama import LlamaEngine, LlamaSettings
from goassist_models.engine.vocabulary import load_vocabulary
from goassist_models.infill import InfillPrompt

# llama.cpp rounds activations to F16 before it multiplies them with F16 weights, transformers here does not: the same
# weights were seen to give two tokens that lie 0.04 nats apart the other way round.
_TIE_NATS = 0.1


@dataclass(frozen=True, slots=True)
class Compared:
    """What both said to one prompt, as token ids. `margin`: nats between the two likeliest where they part, else 0."""

    weights: tuple[int, ...]
    file: tuple[int, ...]
    margin: float

    @property
    def same(self) -> bool:
        """Whether the file's text is the weights'; it may end earlier, where bytes are no text any more."""
        return bool(self.file) == bool(self.weights) and self.weights[: len(self.file)] == self.file

    @property
    def tied(self) -> bool:
        """Whether the texts part only where two tokens are as likely as rounding can tell."""
        return 0 < self.margin <= _TIE_NATS


async def compare(
    weights: Path, adapter: Path | None, file: Path, prompts: Sequence[InfillPrompt], tokens: int
) -> list[Compared]:
    """Ask the GGUF `file`, and `weights` with `adapter` merged into them, for up to `tokens` tokens each."""
    words = load_vocabulary(file)
    settings = LlamaSettings(n_ctx=4096, preflight=False)
    engine = await LlamaEngine.load(file, settings)
    said: list[tuple[int, ...]] = []
    try:
        for prompt in prompts:
            (one,) = await engine.generate(GenerateRequest(prompt, max_tokens=tokens), CancelToken())
            said.append(tuple(step.token for step in one.steps if step.token not in words.ends))
    finally:
        await engine.close()
    model = _merged(weights, adapter)
    found = []
    for prompt, own in zip(prompts, said, strict=True):
        ids, _ = words.prompt_tokens(prompt)
        found.append(_beside(model, ids, own, tokens, words.ends))
    return found


def _merged(weights: Path, adapter: Path | None) -> Any:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(str(weights), dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    # As it is kept: bfloat16, which F16 holds but for what is next to nothing.
    return model.to(torch.bfloat16).float().eval()


def _beside(model: Any, ids: Sequence[int], own: tuple[int, ...], tokens: int, ends: frozenset[int]) -> Compared:
    import torch

    said: list[int] = []
    margin = 0.0
    with torch.no_grad():
        found = model(torch.tensor([list(ids)]), use_cache=True)
        for _ in range(tokens):
            row = torch.log_softmax(found.logits[0, -1].float(), dim=-1)
            token = int(row.argmax())
            at = len(said)
            if not margin and at < len(own) and token != own[at]:
                margin = float(row[token] - row[own[at]])
            if token in ends:
                break
            said.append(token)
            found = model(torch.tensor([[token]]), past_key_values=found.past_key_values, use_cache=True)
    return Compared(tuple(said), own, margin)
