"""Checked streams: what has been sent type-checks, comes while the rest is being said, and is stood by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from goassist_index.gotools import run_go
from support.serving import Server, serving
from support.sums import ALONE, WORKSPACE, create
from support.workspaces import lay_out

AFTER = "\n}\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("released") / "sums", WORKSPACE)


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serving("--workspace", str(root)) as started:
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def streamed(client: OpenAI, *say: str, before: str = ALONE, after: str = AFTER, **more: Any) -> tuple[list[str], Any]:
    """The pieces, and the report of the last one."""
    choices = [chunk.choices[0] for chunk in create(client, before, after, *say, stream=True, **more)]
    reports = [choice.model_extra.get("goassist") for choice in choices]
    assert [report is not None for report in reports] == [False] * (len(reports) - 1) + [True]
    return [choice.text for choice in choices], reports[-1]


def test_lines_that_stand_are_sent_while_the_rest_is_being_said(client: OpenAI, server: Server) -> None:
    direction = {"say": ["c := a\n\tc += b\n\t"], "endless": True, "token_s": 0.02}
    stream: Any = client.completions.create(
        model="any",
        prompt=ALONE,
        suffix=f"{AFTER}//fake {json.dumps(direction)}\n",
        stream=True,
        max_tokens=100_000,
        extra_body={"compile_check": True},
    )
    with stream:
        texts = iter(chunk.choices[0].text for chunk in stream)
        begun = next(texts)
        while begun != "c := a\n\tc += b":
            begun += next(texts)
    server.wait_for_line("engine: cancelled")


def test_line_that_does_not_stand_is_never_sent_and_the_rest_is_said_anew(client: OpenAI) -> None:
    texts, told = streamed(client, "c := a\n\treturn nowhere(c)", "return c + b")
    assert "".join(texts) == "c := a\n\treturn c + b"
    assert told["verdict"] == "ok"
    assert any("nowhere" in one["text"] for one in told["rejected"])


def test_answer_that_ends_at_what_was_sent_says_what_is_missing(client: OpenAI) -> None:
    texts, told = streamed(client, "c := a\n\treturn nowhere(c)")
    assert ("".join(texts), told["verdict"]) == ("c := a", "unfinished")
    assert "declared and not used: c" in [one["message"] for one in told["diagnostics"]]


def test_nothing_is_sent_of_a_block_before_it_is_closed(client: OpenAI) -> None:
    texts, told = streamed(client, "for b > 0 {\n\t\ta++\n\t\tb--\n\t}\n\treturn a")
    assert texts[0] == "for b > 0 {\n\t\ta++\n\t\tb--\n\t}"
    assert ("".join(texts)[-8:], told["verdict"]) == ("return a", "ok")


def test_imports_of_what_was_sent_come_with_the_last_piece(client: OpenAI) -> None:
    texts, told = streamed(client, 's := strings.Repeat("x", a)\n\treturn len(s) + os.Nowhere()', "return len(s) + b")
    assert texts[0] == 's := strings.Repeat("x", a)'
    assert ("".join(texts[1:]), told["verdict"]) == ("\n\treturn len(s) + b", "ok")
    assert told["imports"] == ["strings"]
    assert 'import "strings"' in told["edits"][0]["text"]


def test_imports_that_are_not_allowed_are_not_sent(client: OpenAI) -> None:
    texts, told = streamed(client, "c := len(os.Args)\n\treturn c", "return a", import_paths=[])
    assert ("".join(texts), told["verdict"]) == ("return a", "ok")


def test_stop_text_ends_what_is_sent(client: OpenAI) -> None:
    texts, told = streamed(client, "c := a\n\tc += b\n\treturn c", stop=["c += b\n"])
    assert ("".join(texts), told["verdict"]) == ("c := a", "unfinished")


def test_line_ends_are_those_of_the_file(client: OpenAI) -> None:
    before, after = ALONE.replace("\n", "\r\n"), AFTER.replace("\n", "\r\n")
    texts, told = streamed(client, "c := a\n\treturn nowhere(c)", "return c + b", before=before, after=after)
    assert ("".join(texts), told["verdict"]) == ("c := a\r\n\treturn c + b", "ok")


def test_workspace_counts_for_what_is_sent(client: OpenAI, root: Path) -> None:
    before, _, after = (root / "sum.go").read_text().partition("HOLE")
    place = {"before": before, "after": after, "workspace": "sums", "file": "sum.go"}
    texts, told = streamed(client, "c := Twice(a)\n\treturn c + b - a", **place)
    assert (texts[0], told["verdict"]) == ("c := Twice(a)", "ok")
    texts, told = streamed(client, "c := Thrice(a)\n\treturn c + b", **place)
    assert (texts, told["verdict"]) == ([""], "error")


@pytest.mark.parametrize(
    "said",
    [
        ("c := a + b\n\treturn c",),
        ("c := a + b\n\tc++",),
        ("c := a\n\tif c > b {\n\t\treturn b\n\t}\n\treturn c\n}\n\nfunc other() {\n\tnowhere()\n}",),
        ("if a > b {\n\t\td := 1\n\t}\n\treturn a", "return b"),
        ("c := a\n\tc = nowhere\n\td := b\n\treturn c + d", "return c"),
        ('c := []int{\n\t\ta,\n\t\tb,\n\t}\n\treturn c["x"]', "return c[0]"),
        ("var s string\n\ts = a\n\treturn len(s)", "return len(s) + b"),
        ('fmt.Println(a)\n\tfmt.Nowhere(b)\n\treturn "x"', "return a"),
        ("// adds\n\tc := a\n\t// up\n\treturn c + b",),
    ],
)
def test_what_is_called_ok_compiles_whatever_was_sent_of_it_before(
    client: OpenAI, tmp_path: Path, said: tuple[str, ...]
) -> None:
    texts, told = streamed(client, *said)
    text = "".join(texts)
    assert told["verdict"] in (("ok", "unfinished") if text else ("error",))
    whole = f"{ALONE}{text}{AFTER}"
    for edit in told["edits"]:
        whole = whole[: edit["start"]] + edit["text"] + whole[edit["end"] :]
    (tmp_path / "go.mod").write_text("module m\n\ngo 1.23\n")
    (tmp_path / "a.go").write_text(whole.replace("package main", "package m"))
    assert run_go(["build", "."], tmp_path).ok is (told["verdict"] == "ok"), (whole, told)
