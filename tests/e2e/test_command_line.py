"""The command line as another program calls it: real processes, the real Go toolchain, the real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "goassist_lsp.cli"]
MAIN = """package main

import "fmt"

type Stack struct{ items []string }

func (s *Stack) Push(item string) { s.items = append(s.items, item) }

func main() {
	s := &Stack{}
	for _, word := range []string{"a", "b"} {
		s.Pu
	}
	fmt.Println(s.items)
}
"""
# Behind `s.Pu`, as the issue of a person who types.
LINE, COL = 12, 7


@pytest.fixture
def main_go(tmp_path: Path) -> Path:
    """A small module in a directory with a space in its name."""
    folder = tmp_path / "a module"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/stack\n\ngo 1.23\n")
    (folder / "main.go").write_text(MAIN)
    return folder / "main.go"


def run(*arguments: str, stdin: str = "", path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, text=True, env=environment, timeout=300, check=False
    )


def test_complete_shows_text_that_type_checks_in_its_place(main_go: Path) -> None:
    answer = run("complete", f"{main_go}:{LINE}:{COL}", "--json")
    assert answer.returncode == 0, answer.stderr
    value = json.loads(answer.stdout)
    best = value["candidates"][0]
    assert best["verdict"]["status"] == "ok"
    assert best["text"].startswith("sh(")
    assert value["timings"]["generate"] > 0
    assert value["timings"]["check"] > 0


def test_check_exit_status_says_ok_and_error(main_go: Path) -> None:
    assert run("check", f"{main_go}:{LINE}:{COL}", "--insert", "sh(word)").returncode == 0
    wrong = run("check", f"{main_go}:{LINE}:{COL}", "--insert", "sh(12)")
    assert wrong.returncode == 1
    assert "cannot use 12" in wrong.stdout


def test_check_json_is_one_value_with_go_positions(main_go: Path) -> None:
    answer = run("check", f"{main_go}:{LINE}:{COL}", "--insert", "sh(nowhere)", "--json")
    value = json.loads(answer.stdout)
    assert value["status"] == "error"
    assert value["errors"][0]["line"] == LINE
    assert value["errors"][0]["col"] == COL + len("sh(")
    assert "undefined: nowhere" in value["errors"][0]["message"]


def test_check_lists_the_imports_that_are_missing_or_finds_them_when_asked(main_go: Path) -> None:
    place = (f"{main_go}:{LINE}:{COL}", "--insert", "sh(strings.ToUpper(word))", "--json")
    plain = run("check", *place)
    assert (plain.returncode, json.loads(plain.stdout)["imports"]) == (1, ["strings"])
    found = run("check", *place, "--resolve-imports")
    value = json.loads(found.stdout)
    assert (found.returncode, value["status"], value["errors"], value["imports"]) == (0, "ok", [], ["strings"])
    shown = run("check", *place[:-1], "--resolve-imports")
    assert shown.stdout.splitlines() == ["ok", f'{main_go}: add import "strings"']


def test_check_jsonl_answers_each_line_and_survives_bad_ones(main_go: Path) -> None:
    offset = MAIN.encode().index(b"s.Pu\n") + len("s.Pu")
    requests = [
        json.dumps({"file": str(main_go), "offset": offset, "insert": "sh(word)"}),
        "this is not JSON",
        json.dumps({"file": str(main_go), "offset": 10**9, "insert": "x"}),
        json.dumps({"file": str(main_go.parent / "none.go"), "offset": 0, "insert": "x"}),
        json.dumps({"file": str(main_go), "offset": offset - 2, "end": offset, "insert": "Push(true)"}),
    ]
    answer = run("check", "--jsonl", stdin="\n".join(requests) + "\n")
    assert answer.returncode == 0, answer.stderr
    values = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [value["status"] for value in values] == ["ok", "unknown", "unknown", "unknown", "error"]
    assert "not JSON" in values[1]["reason"]
    assert "does not exist" in values[2]["reason"]
    assert "none.go" in values[3]["reason"]


def test_check_jsonl_streams_a_verdict_before_the_next_request(main_go: Path) -> None:
    offset = MAIN.encode().index(b"s.Pu\n") + len("s.Pu")
    line = json.dumps({"file": str(main_go), "offset": offset, "insert": "sh(word)"}) + "\n"
    with subprocess.Popen(
        [*COMMAND, "check", "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for _ in range(3):
            child.stdin.write(line)
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["status"] == "ok"
        child.stdin.close()
        assert child.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("position", "said"),
    [
        ("main.go", "not a position"),
        ("{file}:99:1", "line 99 does not exist"),
        ("{file}:1:99", "column 99 does not exist"),
        ("{folder}/none.go:1:1", "cannot be read"),
    ],
)
def test_bad_position_names_the_file_and_the_cure(main_go: Path, position: str, said: str) -> None:
    answer = run("check", position.format(file=main_go, folder=main_go.parent), "--insert", "x")
    assert answer.returncode == 2
    assert said in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_file_that_is_not_utf8_is_named(main_go: Path) -> None:
    main_go.write_bytes(b"package main\n// \xff\xfe\n")
    answer = run("check", f"{main_go}:1:1", "--insert", "x")
    assert answer.returncode == 2
    assert "is not UTF-8" in answer.stderr


def test_check_without_a_go_toolchain_cannot_tell_and_says_how_to_get_one(main_go: Path) -> None:
    answer = run("check", f"{main_go}:{LINE}:{COL}", "--insert", "sh(word)", path="/nonexistent")
    assert answer.returncode == 2
    assert "Go" in answer.stderr
    assert "install" in answer.stderr.lower()


def test_complete_with_a_missing_model_names_the_command_that_fetches_it(main_go: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.gguf"
    answer = run("complete", f"{main_go}:{LINE}:{COL}", "--model", str(missing))
    assert answer.returncode == 2
    assert "none.gguf" in answer.stderr


def test_doctor_reports_every_part_and_names_what_is_missing(main_go: Path) -> None:
    answer = run("doctor", str(main_go.parent), "--json")
    findings = {finding["name"]: finding for finding in json.loads(answer.stdout)}
    assert list(findings) == ["go", "model", "build", "gpu", "cache", "memory", "threads", "workspace"]
    assert findings["workspace"]["state"] == "ok", findings["workspace"]
    without_go = run("doctor", str(main_go.parent), "--json", path="/nonexistent")
    assert without_go.returncode == 1
    lost = {finding["name"]: finding for finding in json.loads(without_go.stdout)}
    assert lost["go"]["state"] == "failure"
    assert "install Go" in lost["go"]["cure"]


def test_help_names_every_verb() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    for verb in ("complete", "check", "model", "doctor", "bench"):
        assert verb in answer.stdout
