"""What only this server has: answers that are held to the compiler, to imports and to tests, in real workspaces."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from openai import OpenAI

from goassist_models.evaluate.sandbox import namespaces
from support.serving import Server, serving
from support.workspaces import lay_out

WORKSPACE = """\
-- go.mod --
module example.com/sums

go 1.23
-- sum.go --
package sums

// Add adds up.
func Add(a, b int) int {
	HOLE
}
-- twice.go --
package sums

// Twice is a's double.
func Twice(a int) int { return Add(a, a) }
-- sum_test.go --
package sums

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestAdd(t *testing.T) {
	if Add(2, 3) != 5 || Twice(4) != 8 {
		t.Fatal("wrong sum")
	}
}

func TestData(t *testing.T) {
	if _, err := os.ReadFile(filepath.Join("testdata", "given.txt")); err != nil {
		t.Fatal(err)
	}
	if Add(1, 1) != 2 {
		t.Fatal("wrong sum")
	}
}

func TestHome(t *testing.T) {
	found, err := os.ReadFile(os.Getenv("GOASSIST_TEST_SECRET_FILE"))
	if err != nil {
		found, err = os.ReadFile("SECRET_FILE")
	}
	if err == nil {
		t.Logf("read: %s", found)
	} else {
		t.Fatal(err)
	}
}

func TestWrites(t *testing.T) {
	if err := os.WriteFile("written.txt", nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNetwork(t *testing.T) {
	connection, err := net.DialTimeout("tcp", "SERVER_ADDRESS", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
}

func TestForks(t *testing.T) {
	for i := 0; i < 1000; i++ {
		if err := exec.Command(os.Args[0], "-test.run=TestSleeps").Start(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSleeps(t *testing.T) { time.Sleep(time.Hour) }

func TestFills(t *testing.T) {
	file, err := os.Create(filepath.Join(os.TempDir(), "large"))
	for err == nil {
		_, err = file.Write(make([]byte, 1<<20))
	}
	t.Fatal(err)
}

func TestEats(t *testing.T) {
	var kept [][]byte
	for {
		kept = append(kept, make([]byte, 64<<20))
		for i := 0; i < 64<<20; i += 4096 {
			kept[len(kept)-1][i] = 1
		}
	}
}

func TestTalks(t *testing.T) {
	for {
		os.Stdout.Write(make([]byte, 1<<16))
	}
}
-- testdata/given.txt --
given
"""
SECRET = "what nobody is to read"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory beside the workspaces, with a secret and a module in it."""
    directory = tmp_path_factory.mktemp("outside").resolve()
    (directory / "secret.go").write_text(f"package secret // {SECRET}\n")
    (directory / "lib").mkdir()
    (directory / "lib" / "go.mod").write_text("module example.com/lib\n\ngo 1.23\n")
    (directory / "lib" / "lib.go").write_text(f'package lib\n\nconst Word = "{SECRET}"\n')
    return directory


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, outside: Path) -> Path:
    text = WORKSPACE.replace("SECRET_FILE", str(outside / "secret.go"))
    return lay_out(tmp_path_factory.mktemp("serve") / "sums", text)


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory, outside: Path) -> Path:
    """A workspace whose go.mod has a module from elsewhere compiled in."""
    made = lay_out(tmp_path_factory.mktemp("serve") / "replaced", WORKSPACE)
    with (made / "go.mod").open("a") as stream:
        stream.write(f"\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => {outside / 'lib'}\n")
    return made


@pytest.fixture(scope="module")
def server(root: Path, replaced: Path) -> Iterator[Server]:
    kind = "sandboxed" if namespaces() != "none" else "unconfined"
    workspaces = ("--workspace", str(root), "--workspace", f"other={replaced}")
    with serving(*workspaces, "--allow-tests", kind, "--test-timeout", "3") as started:
        host = started.url.removeprefix("http://")
        test = root / "sum_test.go"
        test.write_text(test.read_text().replace("SERVER_ADDRESS", host))
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def create(client: OpenAI, before: str, after: str, *say: str, **more: Any) -> Any:
    """The answer between two texts, where the engine says these; its directions stand behind."""
    stream = more.pop("stream", False)
    suffix = f"{after}\n//fake {json.dumps({'say': say})}\n"
    return client.completions.create(
        model="any", prompt=before, suffix=suffix, stream=stream, extra_body={"compile_check": True, **more}
    )


def one(client: OpenAI, before: str, after: str, *say: str, **more: Any) -> tuple[str, Any, str | None]:
    (choice,) = create(client, before, after, *say, **more).choices
    return choice.text, choice.model_extra["goassist"], choice.finish_reason


def in_workspace(
    client: OpenAI, root: Path, *say: str, file: str = "sum.go", **more: Any
) -> tuple[str, Any, str | None]:
    before, _, after = (root / "sum.go").read_text().partition("HOLE")
    return one(client, before, after, *say, workspace="sums", file=file, **more)


ALONE = "package main\n\nfunc add(a, b int) int {\n\t"


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


def test_candidates_are_tried_until_the_tests_pass(client: OpenAI, root: Path) -> None:
    said = ["return a - b", "return a * b", "return a + b"]
    text, told, _ = in_workspace(client, root, *said, test_pattern="TestAdd|TestData")
    assert (text, told["verdict"]) == ("return a + b", "ok")
    assert (told["tests"]["status"], told["tests"]["ran"]) == ("passed", ["TestAdd", "TestData"])
    assert told["tests"]["attempts"] > 1


def test_no_text_passes_that_the_tests_do_not(client: OpenAI, root: Path) -> None:
    text, told, finish = in_workspace(client, root, "return a - b", "return b", test_pattern="TestAdd", attempts=2)
    assert (text, told["verdict"], finish) == ("", "error", "content_filter")
    assert (told["tests"]["status"], told["tests"]["attempts"]) == ("failed", 2)
    assert "wrong sum" in told["tests"]["detail"]
    assert ("return a - b", "tests") in [(one["text"], one["stage"]) for one in told["rejected"]]


def test_pattern_that_names_no_test_is_no_pass(client: OpenAI, root: Path) -> None:
    text, told, _ = in_workspace(client, root, "return a + b", test_pattern="TestNothing")
    assert (text, told["tests"]["status"]) == ("", "none")


def test_pattern_that_is_none_is_a_failure_in_gos_own_words(client: OpenAI, root: Path) -> None:
    text, told, _ = in_workspace(client, root, "return a + b", test_pattern="(", attempts=1)
    assert (text, told["tests"]["status"], "missing closing" in told["tests"]["detail"]) == ("", "failed", True)


def test_workspace_stays_as_it_was(client: OpenAI, root: Path) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    in_workspace(client, root, "return a + b", test_pattern="TestAdd")
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(namespaces() == "none", reason="this machine has no namespaces; the server refuses to start there")
@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("TestHome", "no such file"),
        ("TestWrites", "read-only file system"),
        ("TestNetwork", "network is unreachable"),
        ("TestForks", ""),
        ("TestSleeps", "ended after 3 s"),
        ("TestFills", ""),
        ("TestEats", ""),
        ("TestTalks", "said too much"),
    ],
)
def test_escapes_are_refused_and_the_server_lives(client: OpenAI, root: Path, test: str, said: str) -> None:
    mark = secrets.token_hex(8)  # on the command line of all that runs
    text, told, _ = in_workspace(client, root, "return a + b", test_pattern=f"^{test}$|{mark}", attempts=1)
    assert (text, told["tests"]["status"]) == ("", "failed")
    assert said in told["tests"]["detail"]
    assert SECRET not in json.dumps(told)
    assert one(client, ALONE, "\n}\n", "return a")[0] == "return a"
    left = [p.pid for p in psutil.process_iter(["cmdline"]) if mark in " ".join(p.info["cmdline"] or ())]
    assert left == [], "somebody goes on after the tests' end"


def test_modules_from_elsewhere_on_the_machine_are_not_compiled_in(client: OpenAI, replaced: Path) -> None:
    before, _, after = (replaced / "sum.go").read_text().partition("HOLE")
    with pytest.raises(openai.BadRequestError, match="leads out of the workspace") as refused:
        one(client, before, after, "return a + b", workspace="other", file="sum.go", test_pattern="TestAdd")
    assert SECRET not in str(refused.value.body)


def test_answers_run_no_code_while_they_are_compiled(client: OpenAI, root: Path, tmp_path: Path) -> None:
    """C code would run a compiler with flags of its own choice; generators would run anything."""
    mark = tmp_path / "ran"
    before = f'package sums\n\n//go:generate touch {mark}\n\n// #cgo CFLAGS: -I/\nimport "C"\n\nfunc Other() int {{\n\t'
    more = {"workspace": "sums", "file": "other.go", "test_pattern": "TestAdd", "attempts": 1}
    text, told, _ = one(client, before, "\n}\n", "return int(C.int(1))", **more)
    assert (text, told["tests"]["status"]) == ("", "failed")
    assert not mark.exists()


def test_tests_are_not_run_unless_that_is_allowed(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "sums", WORKSPACE)
    with serving("--workspace", str(root)) as other, OpenAI(base_url=f"{other.url}/v1", api_key="none") as client:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            in_workspace(client, root, "return a + b", test_pattern="TestAdd")
        assert (refused.value.code, refused.value.param) == ("tests_off", "test_pattern")


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
