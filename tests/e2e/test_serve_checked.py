"""What only this server has: answers that are held to the compiler and to imports, in real workspaces."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.serving import Server, serving
from support.sums import ALONE, SECRET, WORKSPACE, create, in_workspace, one
from support.workspaces import lay_out


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory beside the workspace, with a secret in it."""
    directory = tmp_path_factory.mktemp("outside").resolve()
    (directory / "secret.go").write_text(f"package secret // {SECRET}\n")
    return directory


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("serve") / "sums", WORKSPACE)


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serving("--workspace", str(root), "--allow-tests", "unconfined") as started:
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_text_that_type_checks_is_verified(client: OpenAI) -> None:
    text, told, finish = one(client, ALONE, "\n}\n", "return a + b")
    assert (text, told["verdict"], told["diagnostics"], finish) == ("return a + b", "ok", [], "stop")


def test_text_that_does_not_is_withheld_with_the_compilers_words(client: OpenAI) -> None:
    text, told, finish = one(client, ALONE, "\n}\n", "return nowhere.Found")
    assert (text, told["verdict"], finish) == ("", "error", "content_filter")
    assert "undefined: nowhere" in told["reason"]
    assert told["rejected"][0]["text"] == "return nowhere.Found"


def test_second_answer_is_taken_where_the_first_does_not_compile(client: OpenAI) -> None:
    text, told, _ = one(client, ALONE, "\n}\n", "return nowhere()", "return b")
    assert (text, told["verdict"]) == ("return b", "ok")


def test_what_needs_more_lines_to_compile_says_so(client: OpenAI) -> None:
    text, told, _ = one(client, "package main\n\nfunc f() {\n\tprintln()\n\t", "\n}\n", "y := 2")
    assert (text, told["verdict"]) == ("y := 2", "unfinished")
    assert "declared and not used: y" in told["diagnostics"][0]["message"]


def test_missing_import_comes_with_the_answer(client: OpenAI) -> None:
    before = ALONE.replace("package main\n\n", "")
    text, told, _ = one(client, before, "\n}\n", 'return len(strings.TrimSpace("x"))')
    assert (told["verdict"], told["imports"]) == ("ok", ["strings"])
    (edit,) = told["edits"]
    whole = f"{before}{text}\n}}\n"
    assert 'import "strings"' in whole[: edit["start"]] + edit["text"] + whole[edit["end"] :]


def test_imports_that_are_not_allowed_are_refused(client: OpenAI) -> None:
    said = ("return len(os.Args)", 'return len(strings.TrimSpace("x"))')
    text, told, _ = one(client, ALONE, "\n}\n", *said, import_paths=["strings"])
    assert (text, told["imports"]) == (said[1], ["strings"])
    assert 'import of "os" is not allowed' in told["rejected"][0]["reason"]
    text, told, _ = one(client, ALONE, "\n}\n", *said, import_paths=[])
    assert (text, told["verdict"]) == ("", "error")


def test_place_that_cannot_be_answered_is_unknown_not_verified(client: OpenAI) -> None:
    text, told, finish = one(client, "package main\n\n// a comm", "\n", "ent")
    assert (text, told["verdict"], finish) == ("", "unknown", "content_filter")
    assert "comment" in told["reason"]


def test_streamed_text_is_released_at_accept_points_only(client: OpenAI) -> None:
    said = "c := a\n\tc += b\n\treturn c"
    chunks = list(create(client, ALONE, "\n}\n", said, stream=True))
    texts = [chunk.choices[0].text for chunk in chunks]
    assert "".join(texts) == said
    assert len(texts) > 1
    for number in range(1, len(texts) + 1):
        part = "".join(texts[:number])
        assert part.endswith(("a", "b", "c")), part
    reports = [chunk.choices[0].model_extra.get("goassist") for chunk in chunks]
    assert [report is not None for report in reports] == [False] * (len(reports) - 1) + [True]
    assert reports[-1]["verdict"] == "ok"


def test_streamed_text_that_does_not_compile_is_never_sent(client: OpenAI) -> None:
    (chunk,) = list(create(client, ALONE, "\n}\n", "return nowhere()", stream=True))
    assert (chunk.choices[0].text, chunk.choices[0].model_extra["goassist"]["verdict"]) == ("", "error")


def test_answer_is_checked_in_its_workspace(client: OpenAI, root: Path) -> None:
    text, told, _ = in_workspace(client, root, "return Twice(a) + b - a")
    assert (text, told["verdict"]) == ("return Twice(a) + b - a", "ok")
    _, told, _ = in_workspace(client, root, "return Thrice(a)")
    assert "undefined: Thrice" in told["reason"]


def test_what_one_request_has_not_saved_is_not_there_for_the_next(client: OpenAI, root: Path) -> None:
    others = "package sums\n\nfunc Thrice(a int) int {\n\t"
    more = {"workspace": "sums", "file": "twice.go"}
    assert one(client, others, "\n}\n", "return 3 * a", **more)[1]["verdict"] == "ok"
    assert in_workspace(client, root, "return Twice(a)")[1]["verdict"] == "ok"
    assert "undefined: Thrice" in in_workspace(client, root, "return Thrice(a)")[1]["reason"]


def test_requests_at_once_in_one_package_do_not_see_each_other(client: OpenAI, root: Path) -> None:
    def ask(number: int) -> Any:
        file, name = f"new{number}.go", f"New{number}"
        text = f"package sums\n\nfunc {name}() int {{ return 1 }}\n\nfunc Use{number}() int {{\n\t"
        other = f"New{(number + 1) % 4}"
        mine = one(client, text, "\n}\n", f"return {name}() + Twice(1)", workspace="sums", file=file)
        theirs = one(client, text, "\n}\n", f"return {other}()", workspace="sums", file=file)
        return mine[1]["verdict"], theirs[1]["verdict"]

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(ask, [0, 1, 2, 3] * 3)) == {("ok", "error")}


def test_offset_is_a_place_in_the_file_on_disk(client: OpenAI, root: Path) -> None:
    path = root / "placed.go"
    text = 'package sums\n\n// é\nfunc Placed() int {\n\t\n}\n//fake {"say": ["return Twice(2)"]}\n'
    path.write_text(text)
    try:
        more = {"compile_check": True, "workspace": "sums", "file": "placed.go"}
        offset = len(text[: text.index("\t") + 1].encode())
        answer = client.completions.create(model="any", prompt="", extra_body={**more, "offset": offset})
        assert answer.choices[0].text == "return Twice(2)"
        for wrong in (offset + 10_000, text.encode().index("é".encode()) + 1):
            with pytest.raises(openai.BadRequestError) as refused:
                client.completions.create(model="any", prompt="", extra_body={**more, "offset": wrong})
            assert refused.value.param == "offset"
            assert str(root) not in str(refused.value.body)
    finally:
        path.unlink()


@pytest.mark.parametrize(
    "file",
    ["../outside.go", "/etc/passwd.go", "sub/../../x.go", "go.mod", "sum.go\0.go", "link.go", "linked/secret.go", ""],
)
def test_files_outside_of_the_workspace_are_refused(client: OpenAI, root: Path, outside: Path, file: str) -> None:
    links = {root / "link.go": outside / "secret.go", root / "linked": outside}
    for link, target in links.items():
        link.symlink_to(target)
    try:
        with pytest.raises(openai.APIStatusError) as refused:
            in_workspace(client, root, "return 1", file=file)
        assert (refused.value.status_code, refused.value.param) == (400, "file")
        assert SECRET not in str(refused.value.body)
    finally:
        for link in links:
            link.unlink()


def test_workspace_that_is_not_on_the_list_is_refused(client: OpenAI) -> None:
    for name in ("nobody", "/", "..", ""):
        with pytest.raises(openai.NotFoundError) as refused:
            one(client, ALONE, "\n}\n", "return 1", workspace=name, file="sum.go")
        assert refused.value.param == "workspace"


def test_workspace_that_was_deleted_is_said(server: Server, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "gone", WORKSPACE)
    with serving("--workspace", str(root)) as other, OpenAI(base_url=f"{other.url}/v1", api_key="none") as client:
        shutil.rmtree(root)
        with pytest.raises(openai.NotFoundError) as refused:
            one(client, ALONE, "\n}\n", "return 1", workspace="gone", file="sum.go")
        assert refused.value.code == "workspace_gone"
        assert one(client, ALONE, "\n}\n", "return 1")[0] == "return 1"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"file": "sum.go"}, "file"),
        ({"offset": 3}, "offset"),
        ({"workspace": "sums"}, "file"),
        ({"workspace": "sums", "file": "sum.go", "offset": 1}, "offset"),
        ({"workspace": "sums", "file": "sum.go", "test_pattern": "x" * 1000}, "test_pattern"),
        ({"compile_check": False, "import_paths": []}, "import_paths"),
        ({"workspace": "sums", "file": "sum.go", "test_pattern": "T", "n": 2}, "n"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(
    client: OpenAI, more: dict[str, Any], param: str | None
) -> None:
    if param is None:  # Go's own parser says what is wrong with a pattern
        _, told, _ = one(client, ALONE.replace("main", "sums"), "\n}\n", "return a", **more)
        assert told["tests"]["status"] == "failed"
        return
    with pytest.raises(openai.BadRequestError) as refused:
        one(client, ALONE, "\n}\n", "return a", **more)
    assert refused.value.param == param
