"""Claims about the JSON of `complete`: points, places of failures and what decoding refused are all in it."""

from __future__ import annotations

import json
from dataclasses import replace

from goassist_index.verdict import Verdict
from goassist_lsp.cli.complete import as_json
from goassist_lsp.types import Completion, RefusedName, Rejected
from support.places import candidate, in_function


def test_accept_points_stand_beside_the_text_that_they_count() -> None:
    shown = replace(candidate("a + b", in_function("\tx := <CURSOR>")), verdict=Verdict("ok"), accept_points=(1, 5))
    (offered,) = as_json(Completion(candidates=(shown,)))["candidates"]
    assert [offered["text"][:point] for point in offered["accept_points"]] == ["a", "a + b"]


def test_what_was_rejected_and_refused_is_plain_json() -> None:
    completion = Completion(
        rejected=(Rejected("x.Foo", "check", "undefined", at=2, mended="fixed"),),
        refused_tokens=3,
        refused_names=(RefusedName("Foo", "x."),),
        prompt_notes=("a note",),
    )
    told = json.loads(json.dumps(as_json(completion)))
    assert told["rejected"] == [{"text": "x.Foo", "stage": "check", "reason": "undefined", "at": 2, "mended": "fixed"}]
    assert told["refused"] == {"tokens": 3, "names": [{"word": "Foo", "behind": "x."}]}
    assert told["prompt_notes"] == ["a note"]
