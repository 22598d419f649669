"""HumanEval-X as a workspace: what of a problem is shown to who answers, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goassist_models.evaluate import visible
from goassist_models.evaluate.humaneval import Problem, leaving_out

PROBLEM = Problem(
    name="Go/7",
    prompt='import (\n    "math"\n    "sort"\n)\n\nfunc half(x float64) float64 { return math.Floor(x / 2) }\n\n'
    "// Loud says it loudly.\nfunc Loud(words []string) string {\n",
    solution="    return words[0]\n}\n",
    test="func TestLoud(t *testing.T) {\n    hidden()\n}\n",
    test_setup='package main\n\nimport (\n    "testing"\n    "time"\n    "github.com/stretchr/testify/assert"\n)\n',
    example_test="func TestLoud(t *testing.T) {\n    assert.New(t).Equal(1.0, math.Floor(1))\n}\n",
)


def test_imports_that_only_an_answer_would_use_are_left_to_it() -> None:
    text, offset = visible.source(PROBLEM, "solution")
    assert text.startswith('package solution\n\nimport (\n    "math"\n)\n')
    assert (text[:offset].endswith("string {\n\t"), text[offset:]) == (True, "\n}\n")


def test_test_file_has_the_examples_and_what_they_use() -> None:
    text = visible.tests(PROBLEM, "solution")
    assert text.startswith(
        'package solution\n\nimport "testing"\nimport "math"\nimport "github.com/stretchr/testify/assert"\n'
    )
    assert "time" not in text and "hidden" not in text
    assert visible.pattern(PROBLEM) == "^(TestLoud)$"


def test_problem_without_examples_has_no_test_file() -> None:
    assert visible.tests(replace(PROBLEM, example_test="\n"), "solution") == ""


@pytest.mark.parametrize(
    ("text", "paths", "left"),
    [
        ('package a\n\nimport "fmt"\n\nvar X = 1\n', ["fmt"], "package a\n\n\nvar X = 1\n"),
        ('package a\n\nimport (\n\t"fmt"\n\tx "os"\n)\n', ["os"], 'package a\n\nimport (\n\t"fmt"\n)\n'),
        ('package a\n\nimport (\n\t"fmt"\n\t"os"\n)\nvar X = 1\n', ["fmt", "os"], "package a\n\nvar X = 1\n"),
        ('package a\n\nimport "fmt"\n', [], 'package a\n\nimport "fmt"\n'),
    ],
)
def test_imports_are_left_out_by_their_path(text: str, paths: list[str], left: str) -> None:
    assert leaving_out(text, paths) == left
