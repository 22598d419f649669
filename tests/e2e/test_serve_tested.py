"""Answers that are held to tests of their workspace, and tests that try to get out of the sandbox."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import openai
import psutil
import pytest
from openai import OpenAI

from goassist_models.evaluate.sandbox import namespaces
from support.serving import Server, serving
from support.sums import ALONE, SECRET, WORKSPACE, in_workspace, one
from support.workspaces import lay_out


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
def leading_out(tmp_path_factory: pytest.TempPathFactory, outside: Path) -> Path:
    """A workspace with ways to have a module from elsewhere compiled in, each in a directory of its own."""
    made = lay_out(tmp_path_factory.mktemp("serve") / "leading_out", WORKSPACE)
    plain = (made / "go.mod").read_text()
    replaced = f"{plain}\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => {outside / 'lib'}\n"
    for directory in ("module", "module/package", "worked/inner", "used", "used/by"):
        (made / directory).mkdir(parents=True)
        for name in ("sum.go", "twice.go", "sum_test.go"):
            (made / directory / name).write_text((made / name).read_text())
        if directory != "module/package":
            (made / directory / "go.mod").write_text(replaced if directory in ("module", "used/by") else plain)
    (made / "worked" / "go.work").write_text(f"go 1.23\n\nuse (\n\t./inner\n\t{outside / 'lib'}\n)\n")
    (made / "used" / "go.work").write_text("go 1.23\n\nuse (\n\t.\n\t./by\n)\n")
    return made


@pytest.fixture(scope="module")
def server(root: Path, leading_out: Path) -> Iterator[Server]:
    kind = "sandboxed" if namespaces() != "none" else "unconfined"
    workspaces = ("--workspace", str(root), "--workspace", f"other={leading_out}")
    with serving(*workspaces, "--allow-tests", kind, "--test-timeout", "3") as started:
        host = started.url.removeprefix("http://")
        test = root / "sum_test.go"
        test.write_text(test.read_text().replace("SERVER_ADDRESS", host))
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


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


@pytest.mark.parametrize("directory", ["module", "module/package", "worked/inner", "used"])
def test_modules_from_elsewhere_on_the_machine_are_not_compiled_in(
    client: OpenAI, leading_out: Path, directory: str
) -> None:
    before, _, after = (leading_out / "sum.go").read_text().partition("HOLE")
    with pytest.raises(openai.BadRequestError, match="leads out of the workspace") as refused:
        one(
            client, before, after, "return a + b", workspace="other", file=f"{directory}/sum.go", test_pattern="TestAdd"
        )
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
