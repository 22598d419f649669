"""Language servers as peers: what they are told, what of their answers counts, and how they may fail."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.cli.eval import peer_lsp
from goassist_lsp.cli.eval.peer_lsp import changed_range, lsp_system, without_stops
from goassist_models.evaluate.example import Question, System
from support.lsp_client import FAKE_SERVER

OWN = tuple(FAKE_SERVER)
PEER = (sys.executable, str(Path(__file__).parents[1] / "support" / "fake_peer.py"))
TEXT = st.text(alphabet=st.sampled_from(["a", "\n", "\r", "é", "\U0001f600"]), max_size=30)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@asynccontextmanager
async def peer(root: Path, *command: str, **wanted: Any) -> AsyncIterator[System]:
    (root / "go.mod").write_text("module m\n\ngo 1.22\n")
    system = await lsp_system(command, "peer", **{"settle_s": 0.0} | wanted)
    try:
        await system.open(root)
        yield system
    finally:
        await system.close()


def question(root: Path, code: str, answer: object) -> Question:
    """Ask at | of `code`, in a document that tells the fake peer what to answer."""
    offset = code.index("|")
    return Question(root, root / "m.go", code.replace("|", "", 1) + f"\n//{json.dumps(answer)}\n", offset)


def span(start: int, end: int, line: int = 0) -> dict[str, Any]:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


@given(old=TEXT, new=TEXT)
def test_the_changed_range_makes_the_new_text_of_the_old(old: str, new: str) -> None:
    start, end, text = changed_range(old, new)
    assert old[:start] + text + old[end:] == new


def test_only_what_differs_is_in_the_changed_range() -> None:
    assert changed_range("fmt.Pr()\n", "fmt.Pri()\n") == (6, 6, "i")
    assert changed_range("a\nb", "a\r\nb") == (1, 1, "\r")
    assert changed_range("a\r\nb", "a\r\nc") == (3, 4, "c")


@pytest.mark.parametrize(
    ("snippet", "text"),
    [
        ("f($1)$0", "f()"),
        ("f(${1:a}, ${2:b})", "f(a, b)"),
        ("f(${1:g(${2:x})})", "f(g(x))"),
        ("${1|one,two|}", "one"),
        (r"cost \$1 \}", "cost $1 }"),
        ("if ${1:x} {\n\t$0\n}", "if x {\n\t\n}"),
    ],
)
def test_a_snippet_counts_as_its_text_without_stops(snippet: str, text: str) -> None:
    assert without_stops(snippet) == text


async def test_our_own_server_gives_its_ghost_text_and_the_imports(tmp_path: Path) -> None:
    head = '//fake {"say": ["Println(1)"], "import": "fmt"}\npackage m\n\nfunc f() {\n\tfmt.'
    text = f"{head}\n}}\n"
    async with peer(tmp_path, *OWN) as system:
        answer = await system.ask(Question(tmp_path, tmp_path / "m.go", text, len(head)))
        again = await system.ask(Question(tmp_path, tmp_path / "m.go", text.replace("fmt.", "fmt.Pr"), len(head) + 2))
    assert "fmt.Println(1)" in answer.taken(text)
    assert 'import "fmt"' in answer.taken(text)
    assert 'import "fmt"' not in answer.taken(text, imports=False)
    assert again.edits[0].text == "intln(1)", "the change, or the edit that was not made, went wrong"
    assert system.about["method"] == "textDocument/inlineCompletion"


async def test_a_cancelled_question_is_cancelled_at_the_server(tmp_path: Path, cache: Path) -> None:
    head = '//fake {"wait": true}\npackage m\n\nfunc f() {\n\t'
    async with peer(tmp_path, *OWN) as system:
        asking = asyncio.create_task(system.ask(Question(tmp_path, tmp_path / "m.go", head + "\n}\n", len(head))))
        (log,) = (cache / "peers").glob("*.log")
        while "engine: waiting" not in log.read_text():
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        while "engine: stopped" not in log.read_text():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("sync", ["1", "2"])
async def test_plain_completion_takes_the_first_item_with_something_to_insert(tmp_path: Path, sync: str) -> None:
    items = [
        {"label": "c", "sortText": "3", "insertText": "wrong"},
        {"label": "a", "sortText": "1"},
        {
            "label": "b",
            "sortText": "2",
            "insertTextFormat": 2,
            "textEdit": {"range": span(4, 6), "newText": "Print(${1:x})$0"},
            "additionalTextEdits": [{"range": span(0, 0), "newText": "// "}],
        },
    ]
    async with peer(tmp_path, *PEER, "completion", sync) as system:
        await system.ask(question(tmp_path, "fmt.|", []))
        asked = question(tmp_path, "fmt.Pr|", items)
        answer = await system.ask(asked)
    assert answer.taken(asked.text).startswith("// fmt.Print(x)\n")
    assert system.about == {
        "command": system.about["command"],
        "server": "somebody",
        "method": answer.details["method"],
    }


async def test_an_item_without_a_range_takes_the_place_of_the_word(tmp_path: Path) -> None:
    async with peer(tmp_path, *PEER, "completion") as system:
        asked = question(tmp_path, "fmt.Pr|()", [{"label": "Print", "insertText": "Print"}])
        answer = await system.ask(asked)
    assert answer.taken(asked.text).startswith("fmt.Print()\n")


async def test_an_inline_item_without_a_range_is_put_in_at_the_cursor(tmp_path: Path) -> None:
    async with peer(tmp_path, *PEER, "inline", "2") as system:
        asked = question(tmp_path, "\U0001f600 fmt.Pr|", [{"insertText": {"kind": "snippet", "value": "int($1)"}}])
        answer = await system.ask(asked)
    assert answer.taken(asked.text).startswith("\U0001f600 fmt.Print()\n")


async def test_edits_that_an_items_command_asks_for_come_along(tmp_path: Path) -> None:
    uri = (tmp_path / "m.go").as_uri()
    command = {"title": "t", "command": "c", "arguments": [uri, {"range": span(0, 0), "newText": "import x\n"}]}
    items = [{"insertText": "1", "range": span(5, 5), "command": command}]
    async with peer(tmp_path, *PEER, "inline") as system:
        asked = question(tmp_path, "x := |", items)
        answer = await system.ask(asked)
    assert answer.taken(asked.text).startswith("import x\nx := 1")
    assert answer.taken(asked.text, imports=False).startswith("x := 1")
    async with peer(tmp_path, *PEER, "inline", imports=False) as system:
        assert len((await system.ask(question(tmp_path, "x := |", items))).edits) == 1


@pytest.mark.parametrize("answer", [[], None, "busy", [{"insertText": ""}]])
async def test_nothing_to_show_is_silence(tmp_path: Path, answer: object) -> None:
    async with peer(tmp_path, *PEER, "inline") as system:
        found = await system.ask(question(tmp_path, "x := |", answer))
    assert (found.shown, found.silent_because) == (False, "the server answers with nothing to show")


@pytest.mark.parametrize(
    ("wanted", "says"), [("die", "has ended, status 3"), ("hang", "no answer"), ("fail", "no idea")]
)
async def test_a_broken_server_is_named_with_its_log_and_started_anew(
    tmp_path: Path, wanted: str, says: str, cache: Path
) -> None:
    async with peer(tmp_path, *PEER, "inline", answer_limit_s=1.0) as system:
        with pytest.raises(GoassistError, match=says) as caught:
            await system.ask(question(tmp_path, "x := |", wanted))
        assert "fake_peer.py inline" in str(caught.value)
        assert caught.value.path is not None
        assert caught.value.path.startswith(str(cache))
        answer = await system.ask(question(tmp_path, "x := |", [{"insertText": "1"}]))
    assert answer.shown


async def test_a_server_without_completion_is_refused_at_once() -> None:
    with pytest.raises(GoassistError, match="neither inline completion nor completion"):
        await lsp_system((*PEER, "neither"), "peer")


async def test_a_command_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="no program 'no-such-server'"):
        await lsp_system(["no-such-server"], "peer")


async def test_a_command_that_is_no_language_server_is_refused_at_once() -> None:
    with pytest.raises(GoassistError, match="has ended, status 7"):
        await lsp_system((sys.executable, "-c", "raise SystemExit(7)"), "peer")


async def test_processor_time_goes_on_over_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel counts in hundredths, and this peer needs fewer: each process is said to have used a second.
    monkeypatch.setattr(peer_lsp, "_tree_cpu_s", lambda pid: 1.0)
    async with peer(tmp_path, *PEER, "inline", restart_to_forget=True) as system:
        assert system.cpu_s() == 2.0  # the trial start and the one that opened the folder
        await system.forget()
        await system.ask(question(tmp_path, "x := |", []))
        assert system.cpu_s() == 3.0
    assert system.cpu_s() == 3.0


def test_processor_time_is_that_of_the_process() -> None:
    before_s, begun_s = peer_lsp._tree_cpu_s(os.getpid()), time.process_time()
    while time.process_time() < begun_s + 0.05:
        pass
    assert peer_lsp._tree_cpu_s(os.getpid()) > before_s
