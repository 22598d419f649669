"""Claims about `bench appended`: what counts as a prompt's reading, and what each key that had more is put down to."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.cli.bench_appended import AppendedKey, Counting, Read, appended, report, typed
from goassist_lsp.settings import Settings
from goassist_models.engine import CancelToken, GenerateRequest, Generation, Resume
from goassist_models.engine.fake import FakeEngine
from goassist_models.evaluate.keystrokes import TypedBody
from goassist_models.infill import FORMS, InfillPrompt

PROMPT = InfillPrompt(FORMS["joined"], "func f() {\n\ta", "\n}\n")


class Remembers(FakeEngine):
    """Reads a character a token, and of a prompt only what it does not share with the one before."""

    def __init__(self) -> None:
        super().__init__(["x()"], again=["x()"])
        self._cells = ""

    async def generate(self, request: GenerateRequest, cancel: CancelToken) -> tuple[Generation, ...]:
        said = await super().generate(request, cancel)
        text = request.prompt.suffix + request.prompt.prefix
        shared = next((n for n, (a, b) in enumerate(zip(text, self._cells, strict=False)) if a != b), len(self._cells))
        self._cells = text
        timings = replace(said[0].timings, read_tokens=len(text) - shared, read_decodes=1)
        return (replace(said[0], timings=timings),)


async def test_reads_of_idle_requests_are_not_counted() -> None:
    engine = Counting(Remembers())
    for request in (GenerateRequest(PROMPT, 4, idle=True), GenerateRequest(PROMPT, 4)):
        await engine.generate(request, CancelToken())
    assert [(read.tokens, read.resumed) for read in engine.reads] == [(0, False)]
    resume = Resume(Generation("x", "stop"), 0)
    await engine.generate(GenerateRequest(PROMPT, 4, resume=resume), CancelToken())
    assert engine.reads[-1].resumed


def more(**changed: str) -> InfillPrompt:
    return replace(PROMPT, **changed)


@pytest.mark.parametrize(
    ("reads", "tokens", "decodes", "why"),
    [
        ([], 0, 0, ""),
        ([Read(PROMPT, 4, 1, False)], 4, 1, ""),
        ([Read(PROMPT, 1, 1, False), Read(PROMPT, 90, 1, True)], 1, 1, ""),
        ([Read(PROMPT, 3, 3, False)], 3, 3, "several decodes"),
        ([Read(PROMPT, 1, 1, False), Read(more(note="b int"), 9, 1, False)], 10, 2, "a note in the prompt"),
        ([Read(more(prefix="\ta"), 300, 2, False)], 300, 2, "the window moved"),
        ([Read(more(prefix=PROMPT.prefix + "b", suffix=""), 300, 2, False)], 300, 2, "the suffix changed"),
        ([Read(more(prefix=PROMPT.prefix + "b"), 5, 1, False)], 5, 1, "other"),
    ],
)
def test_a_key_is_put_down_to_its_cause(reads: list[Read], tokens: int, decodes: int, why: str) -> None:
    assert appended(reads, PROMPT, "a.go:1") == AppendedKey(tokens, decodes, why, "a.go:1")


async def test_keys_of_a_body_but_the_first_are_counted(tmp_path: Path) -> None:
    before = "package m\n\nfunc f() {\n\t"
    (tmp_path / "a.go").write_text(before + "\n}\n")
    body = TypedBody(tmp_path, tmp_path / "a.go", "f", before, "\n}\n", tuple("a = b + c"))
    told: list[int] = []
    found = await typed(Remembers(), Settings(), [body], 6, 0.0, told.append, FakeChecker())
    assert told == [1, 2, 3, 4, 5]
    assert [key.place for key in found] == ["a.go:4"] * 5
    assert all(key.tokens <= 4 for key in found)


def test_shares_and_causes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [AppendedKey(1, 1, "", "a"), AppendedKey(3, 3, "several decodes", "a"), AppendedKey(300, 2, "other", "b")]
    report(argparse.Namespace(json=True), keys)
    said = json.loads(capsys.readouterr().out)
    assert (said["one_decode"]["right"], said["few_tokens"]["right"]) == (1, 2)
    assert said["why"] == {"several decodes": 1, "other": 1}
    report(argparse.Namespace(json=False), keys)
    assert "2/3 66.7 %" in capsys.readouterr().out
