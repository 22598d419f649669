"""`bench verified` against a server with a scripted engine: what is released, compiled and tested is told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goassist_lsp import cli
from goassist_lsp.cli import bench_verified_asking
from goassist_lsp.cli.bench_verified_asking import CHECKED, HOLES, TESTED, lay_out, problem_request
from goassist_models.evaluate.humaneval import Problem
from support.serving import SCRIPTED
from support.workspaces import lay_out as workspace


def row(name: str, *said: str, examples: bool = True) -> dict[str, Any]:
    """A problem whose prompt says itself what is answered to it; the hidden test asks more than the example."""
    function = f"Add{name}"
    prompt = f"// {function} adds.\n//fake {json.dumps({'say': said})}\nfunc {function}(a, b int) int {{\n"
    test = "func Test" + function + "(t *testing.T) {{\n    if {call} != {sum} {{\n        t.Fatal()\n    }}\n}}\n"
    return {
        "task_id": f"Go/{name}",
        "prompt": prompt,
        "canonical_solution": "    return a + b\n}\n",
        "test": test.format(call=f"{function}(3, 4)", sum=7),
        "test_setup": 'package main\n\nimport (\n    "testing"\n)\n',
        "example_test": test.format(call=f"{function}(1, 1)", sum=2) if examples else "",
    }


ROWS = [
    row("0", "return a + b"),
    row("1", "return a - b", "return a + b", "return a + b + 0"),  # the example tells the first from the second
    row("2", "return 2"),  # right for the example only
    row("3", "return nowhere()"),
    row("4", "return a - b", examples=False),
]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(model: str, workspaces: list[str], *more: str) -> list[str]:
        return [*SCRIPTED, *more, *(word for name in workspaces for word in ("--workspace", name))]

    monkeypatch.setattr(bench_verified_asking, "_command", command)


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = cli.main(["bench", "verified", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("scripted")
def test_answers_are_judged_by_the_compiler_and_the_hidden_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(one) + "\n" for one in ROWS))
    arguments = ("--data", str(data), "--holes", "0", "--out", str(tmp_path / "run"))
    status, told = bench(capsys, *arguments, "--minutes", "0")
    assert (status, told["missing"], told[CHECKED]["asked"]) == (1, 2 * len(ROWS), 0)
    status, told = bench(capsys, *arguments)
    assert (status, told["missing"], told["failures"]) == (0, 0, [])
    assert told[CHECKED]["verdicts"] == {"ok": 4, "error": 1}
    assert told[CHECKED]["ok_and_compiles"] == 4
    assert told[CHECKED]["passes_hidden_tests"]["value"] == 0.2
    assert told[TESTED]["passes_hidden_tests"]["value"] == 0.4
    assert (told["pairs"]["gained"], told["pairs"]["lost"]) == (1, 0)
    records = {
        one["name"]: one for one in map(json.loads, (tmp_path / "run" / "tested.jsonl").read_text().splitlines())
    }
    assert (records["Go/1"]["attempts"], records["Go/1"]["hidden"]) == (2, "passed")
    assert (records["Go/2"]["verdict"], records["Go/2"]["hidden"]) == ("ok", "fails")
    assert (records["Go/3"]["hidden"], records["Go/4"]["attempts"]) == ("silent", 0)
    # What is there is not asked again.
    before = (tmp_path / "run" / "tested.jsonl").read_bytes()
    assert bench(capsys, *arguments)[1] == told
    assert (tmp_path / "run" / "tested.jsonl").read_bytes() == before


def test_hidden_tests_are_neither_in_the_workspace_nor_in_what_is_asked(tmp_path: Path) -> None:
    problem = Problem("Go/7", "func Seven() int {\n", "    return 7\n}\n", "// hidden\n", "package main\n", "")
    examples = "func TestSeven(t *testing.T) {\n\tt.Log()\n}\n"
    shown = Problem("Go/8", "func Eight() int {\n", "    return 8\n}\n", "// hidden\n", "package main\n", examples)
    lay_out(tmp_path / "root", tmp_path, [problem, shown])
    texts = [path.read_text() for path in (tmp_path / "root").rglob("*") if path.is_file()]
    texts += [json.dumps(problem_request(part, one, 3)) for part in (CHECKED, TESTED) for one in (problem, shown)]
    assert not any("hidden" in text for text in texts)
    assert "test_pattern" not in problem_request(TESTED, problem, 3)
    assert problem_request(TESTED, shown, 3)["test_pattern"] == "^(TestSeven)$"


@pytest.mark.usefixtures("scripted")
def test_holes_of_a_module_are_asked_about_and_compiled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    functions = "".join(
        f"// F{n} is one.\nfunc F{n}(a, b int) int {{\n\tc := a + b\n\tif c > {n} {{\n\t\tc += twice(a)\n\t\tc -= b\n"
        f"\t}}\n\treturn c * twice(b)\n}}\n\n"
        for n in range(8)
    )
    said = '//fake {"say": ["twice(a)"]}\n'
    text = f"-- go.mod --\nmodule example.com/m\n\ngo 1.23\n-- m.go --\npackage m\n\n{functions}" + (
        f"func twice(a int) int {{ return 2 * a }}\n\n{said}"
    )
    root = workspace(tmp_path / "m", text)
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps(ROWS[0]) + "\n")
    out = tmp_path / "run"
    arguments = ("--data", str(data), "--holes", "4", "--modules", str(root), "--attempts", "0", "--out", str(out))
    _, told = bench(capsys, *arguments)
    assert told["missing"] == 0 and told[HOLES]["asked"] > 0
    assert told[HOLES]["verdicts"].get("ok", 0) == told[HOLES]["ok_and_compiles"]
    assert told[TESTED]["asked"] == 0
