"""Claims about `bench snippets`: the same place with and without, and the answer is not given away."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from goassist_lsp.cli.bench_snippets import SHARES, Scored, _compared, _of, gated, scored
from goassist_lsp.cli.bench_truths import kept
from goassist_models.engine.sequence import ScoredText
from goassist_models.infill import InfillPrompt
from support.examples import case
from support.workspaces import lay_out

TRUTH = "return price.Sum(c.lines), nil"


@dataclass
class NotingEngine:
    """Finds a text the likelier the more files are shown."""

    prompts: list[InfillPrompt] = field(default_factory=list)

    async def score(self, prompt: InfillPrompt, text: str) -> ScoredText:
        self.prompts.append(prompt)
        shown = len(prompt.repo.files) if prompt.repo is not None else 0
        return ScoredText(nats=10.0 - shown, tokens=5, bytes=len(text))


async def test_each_place_is_scored_with_more_and_more_snippets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    root = lay_out(tmp_path / "shop").resolve()
    source = (root / "cart/cart.go").read_bytes()
    start = source.index(TRUTH.encode())
    place = case(1, file="cart/cart.go", start=start, end=start + len(TRUTH), truth=TRUTH)
    engine = NotingEngine()
    out = tmp_path / "out.jsonl"
    (one,) = await scored(engine, root, [place], out=out, model="m")  # type: ignore[arg-type]
    assert list(one.nats) == list(SHARES)
    assert engine.prompts[0].repo is None
    shown = [file.text for prompt in engine.prompts if prompt.repo is not None for file in prompt.repo.files]
    assert shown
    assert not any(TRUTH in text for text in shown)
    assert one.nats[0.5] < one.nats[0.0] == 10.0
    assert one.scores[0] > 0
    assert one.notes
    # What is there is not scored again, but for another model.
    asked = len(engine.prompts)
    out.write_text(out.read_text() + '{"model": "m", "ca')
    assert kept(out, "m", Scored) == {place.key: one}
    assert out.read_text().endswith("}\n")
    assert await scored(engine, root, [place], out=out, model="m") == [one]  # type: ignore[arg-type]
    assert len(engine.prompts) == asked
    await scored(engine, root, [place], out=out, model="other")  # type: ignore[arg-type]
    assert len(engine.prompts) == 2 * asked
    # One that was scored with fewer shares is scored again where more are asked for.
    (few,) = await scored(engine, root, [place], out=out, model="few", shares=(0.0, 0.25))  # type: ignore[arg-type]
    assert list(few.nats) == [0.0, 0.25]
    (more,) = await scored(engine, root, [place], out=out, model="few")  # type: ignore[arg-type]
    assert list(more.nats) == list(SHARES)
    assert kept(out, "few", Scored) == {place.key: more}


def test_the_difference_weighs_places_by_their_tokens() -> None:
    far = Scored(case(1, slices=("cross-file",)), {0.0: 30.0, 0.5: 15.0}, 15, (), ())
    near = Scored(case(2), {0.0: 5.0, 0.5: 10.0}, 5, (), ())
    compared = _compared([far, near], 0.5)
    assert compared is not None
    assert compared.difference == pytest.approx((15 + 10 - 30 - 5) / 20)
    assert _of([far, near], "cross-file") == [far]
    assert _of([far, near], "all") == [far, near]
    assert _of([far, near], far.case.kind) == [one for one in (far, near) if one.case.kind == far.case.kind]


def test_a_gate_lets_the_best_fitting_places_through() -> None:
    places = [Scored(case(n), {}, 1, (float(n), 0.5), ()) for n in range(1, 9)]
    least, chosen = gated(places, 0.25)
    assert (least, [one.scores[0] for one in chosen]) == (7.0, [8.0, 7.0])
    assert gated(places, 1.0)[0] == 1.0
    assert gated([], 0.5) == (0.0, [])
