"""The stand-in for llama.vim against a small server in this process: what it sends, when, and what it shows."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Question
from goassist_models.evaluate.peers import llama_vim
from goassist_models.evaluate.peers.llama_server import LlamaServer
from goassist_models.evaluate.peers.llama_vim import Editor
from goassist_models.evaluate.peers.llama_vim_text import Ring, draw, local_context, place_at, similarity

LINES = st.lists(st.sampled_from(["", "\t", "\tx()", "}", "a b", "é"]), min_size=1, max_size=8)


def at(marked: str) -> tuple[str, int]:
    """Text and offset of `marked`, whose cursor is written as |."""
    return marked.replace("|", "", 1), marked.index("|")


def accepted(marked: str, answer: str) -> str | None:
    """`marked` after the answer was shown and taken; None when nothing was shown."""
    text, offset = at(marked)
    edit = draw(place_at(text, offset), answer).edit(offset)
    return None if edit is None else text[: edit.start] + edit.text + text[edit.end :]


@pytest.mark.parametrize(
    ("marked", "answer", "expected"),
    [
        ("x := |\n}\n", "f()\n\n\n", "x := f()\n}\n"),
        ("x := f(|)\n", "a, b", "x := f(a, b)\n"),
        ("func f() {\n\t|\n}\n", "\treturn 1", "func f() {\n\treturn 1\n}\n"),
        ("func f() {\n\t|\n}\n", "return 1\n\tmore()", "func f() {\nreturn 1\n\tmore()\n}\n"),
        ("func f() {\n\t|\n}\n", "\treturn 1\n", "func f() {\n\treturn 1\n}\n"),
        ("a()\n|\nb()\nc()\n", "\nb()\nc()", None),
        ("x := f(|)\n", ")", None),
        ("\tif a {|\n\n\tb()\n", "", None),
        ("\ta()|\n\ta()\n", "", None),
        ("\t|\n\n\ta()\n", "\ta()", None),
        ("\t|\n\ta()\n\tbcd()\n", "\ta()\n\tb", None),
        ("\t|\n\ta()\n\tb()\n\tc()\n\td()\n", "\ta()\n\tb()\n\tc()", None),
        ("\t|\n\ta()\n\tb()\n", "\ta()\n\tz()", "\ta()\n\tz()\n\ta()\n\tb()\n"),
    ],
)
def test_shows_the_answer_without_what_stands_there_already(marked: str, answer: str, expected: str | None) -> None:
    assert accepted(marked, answer) == expected


@given(lines=LINES, answer=LINES, data=st.data())
def test_accepting_puts_in_what_was_drawn_and_leaves_the_other_lines(
    lines: list[str], answer: list[str], data: st.DataObject
) -> None:
    text = "\n".join([*lines, ""])
    offset = data.draw(st.integers(0, len(text) - 1))
    place = place_at(text, offset)
    ghost = draw(place, "\n".join(answer))
    edit = ghost.edit(offset)
    if edit is not None:
        drawn = "\n".join([ghost.line[: place.column] + ghost.lines[0], *ghost.lines[1:]])
        new = [*place.lines[: place.row], drawn, *place.lines[place.row + 1 :]]
        assert text[: edit.start] + edit.text + text[edit.end :] == "\n".join([*new, ""])


def test_sends_256_lines_before_and_64_after() -> None:
    text = "".join(f"{number}\n" for number in range(1000))
    context = local_context(place_at(text, text.index("\n500\n") + 3))
    assert context.prefix.splitlines()[0] == "244"
    assert context.prefix.endswith("499\n")
    assert (context.middle, context.line_suffix) == ("50", "0")
    assert context.suffix.splitlines()[-1] == "564"


def test_blanks_on_an_empty_line_are_not_sent() -> None:
    text, offset = at("func f() {\n\t|\n}\n")
    context = local_context(place_at(text, offset))
    assert (context.prefix, context.middle, context.suffix, context.indent) == ("func f() {\n", "", "\n}\n", 0)


def test_asks_ahead_as_if_what_is_drawn_stood_there() -> None:
    text, offset = at("a()\n\tb(|\nc()\n")
    context = local_context(place_at(text, offset), ("1,", "\t\t2,", "\t)"), last_indent=1)
    assert (context.prefix, context.middle, context.suffix) == ("a()\n\tb(1,\n\t\t2,\n", "\t)", "\nc()\n")


def test_chunks_like_the_cursors_surroundings_are_dropped() -> None:
    ring = Ring(random.Random(1))
    ring.pick(["one two", "three four", "five"], "a.go", evict=True)
    ring.pick(["alpha beta", "gamma", "delta"], "b.go", evict=True)
    while ring.promote():
        pass
    ring.drop_known(place_at("alpha beta\ngamma\ndelta\n", 0))
    assert [chunk.filename for chunk in ring.chunks] == ["a.go"]


def test_a_chunk_that_is_known_already_is_not_queued_again() -> None:
    ring = Ring(random.Random(1))
    for _ in range(2):
        ring.pick(["one", "two", "three"], "a.go", evict=False)
    assert len(ring.queued) == 1
    assert similarity(["a b"], ["a c"]) == 0.5


class Fake(BaseHTTPRequestHandler):
    """Stands for llama-server: notes each body, then answers as told; `hold` keeps it from answering."""

    bodies: list[dict[str, Any]]
    paths: list[str]
    say: Callable[[dict[str, Any]], Any]
    status: int
    hold: threading.Event

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = type(self)
        kind.paths.append(self.path)
        kind.bodies.append(body)
        while kind.hold.is_set() and body.get("n_predict"):
            threading.Event().wait(0.005)
        said = kind.say(body) if body.get("n_predict") else {}
        data = json.dumps(said).encode()
        try:
            self.send_response(kind.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *args: object) -> None:
        pass


class World:
    """An editor, the fake that it asks, and how often its server was started."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "f.go"
        self.fake: type[Fake] = type(
            "OneFake", (Fake,), {"bodies": [], "paths": [], "status": 200, "hold": threading.Event()}
        )
        self.listener = ThreadingHTTPServer(("127.0.0.1", 0), self.fake)
        threading.Thread(target=self.listener.serve_forever, args=(0.01,)).start()
        self.servers: list[LlamaServer] = []
        self.editor = self.new_editor()
        self.says("X")

    def new_editor(self, *, on_demand: bool = False) -> Editor:
        async def start() -> LlamaServer:
            process = subprocess.Popen([sys.executable, "-c", "import time; sum(range(10**6)); time.sleep(600)"])
            log = self.root / "server.log"
            log.write_text("the last word\n")
            self.servers.append(LlamaServer(process, f"http://127.0.0.1:{self.listener.server_port}", log))
            return self.servers[-1]

        return Editor(start, on_demand=on_demand)

    def says(self, first: str, ahead: str = "") -> None:
        """What a first request gets, and one ahead."""

        def say(body: dict[str, Any]) -> dict[str, Any]:
            content = first if body["t_max_predict_ms"] == 250 else ahead
            return {"content": content, "timings/prompt_n": 7, "timings/predicted_n": 3, "tokens_evaluated": 9}

        self.fake.say = staticmethod(say)  # type: ignore[assignment]

    def question(self, marked: str) -> Question:
        text, offset = at(marked)
        return Question(self.root, self.path, text, offset)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Bodies of requests that want text, in order."""
        return [body for body in self.fake.bodies if body.get("n_predict")]

    async def until(self, count: int) -> None:
        """Wait until so many requests for text have come."""
        while len(self.asked) < count:
            await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.editor.open(tmp_path)
    yield made
    made.fake.hold.clear()
    await made.editor.close()
    for server in made.servers:
        server.stop()
    await asyncio.to_thread(made.listener.shutdown)
    made.listener.server_close()


async def test_asks_with_the_documented_settings_and_shows_the_answer(world: World) -> None:
    answer = await world.editor.ask(world.question("a()\n\tx := |\n}\n"))
    assert [(edit.start, edit.end, edit.text) for edit in answer.edits] == [(10, 10, "X")]
    assert (answer.prompt_tokens, answer.read_tokens, answer.generated_tokens) == (9, 7, 3)
    body = world.asked[0]
    assert (body["input_prefix"], body["prompt"], body["input_suffix"]) == ("a()\n", "\tx := ", "\n}\n")
    assert (body["n_predict"], body["n_indent"], body["top_k"], body["top_p"]) == (128, 1, 40, 0.9)
    assert body["samplers"] == ["top_k", "top_p", "infill"]
    assert (body["t_max_predict_ms"], body["t_max_prompt_ms"]) == (250, 500)
    assert (body["id_slot"], body["cache_prompt"], body["stream"], body["seed"]) == (0, True, False, 1)


async def test_text_typed_through_comes_from_the_cache(world: World) -> None:
    world.says("Print(x)")
    await world.editor.ask(world.question("\tfmt.|\n}\n"))
    world.fake.hold.set()
    answer = await world.editor.ask(world.question("\tfmt.Pri|\n}\n"))
    assert [edit.text for edit in answer.edits] == ["nt(x)"]
    assert answer.details["from_cache"]


async def test_what_is_typed_differently_is_asked_anew(world: World) -> None:
    world.says("Print(x)")
    await world.editor.ask(world.question("\tfmt.|\n}\n"))
    world.says("can(y)")
    answer = await world.editor.ask(world.question("\tfmt.S|\n}\n"))
    assert [edit.text for edit in answer.edits] == ["can(y)"]
    assert not answer.details["from_cache"]


async def test_asks_ahead_for_longer_once_something_is_drawn(world: World) -> None:
    world.says("f()", ahead="\n\tg()")
    await world.editor.ask(world.question("\tx := |\n}\n"))
    await world.until(2)
    assert (world.asked[1]["prompt"], world.asked[1]["t_max_predict_ms"]) == ("\tx := f()", 1000)
    while not (await world.editor.ask(world.question("\tx := f()|\n}\n"))).details["from_cache"]:
        await asyncio.sleep(0.005)


async def test_does_not_ask_with_more_than_eight_bytes_behind_the_cursor(world: World) -> None:
    answer = await world.editor.ask(world.question("\tx := |f(aaaaaaa)\n"))
    assert not answer.shown
    assert answer.silent_because == "too much behind the cursor"
    assert world.asked == []


async def test_asks_on_demand_whatever_stands_behind_the_cursor(world: World) -> None:
    await world.editor.close()
    world.editor = world.new_editor(on_demand=True)
    answer = await world.editor.ask(world.question("\tx := |f(aaaaaaa)\n"))
    assert [edit.text for edit in answer.edits] == ["X"]


async def test_a_request_goes_on_when_nobody_waits_and_its_answer_is_used(world: World) -> None:
    world.says("Print(x)")
    world.fake.hold.set()
    waiting = asyncio.create_task(world.editor.ask(world.question("\tfmt.|\n}\n")))
    await world.until(1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    later = asyncio.create_task(world.editor.ask(world.question("\tfmt.P|\n}\n")))
    await asyncio.sleep(0.15)  # longer than a try comes again
    assert len(world.asked) == 1, "a second request was begun while one ran"
    world.fake.hold.clear()
    assert [edit.text for edit in (await later).edits] == ["rint(x)"]


async def test_an_answer_with_nothing_new_is_silence(world: World) -> None:
    world.says("", ahead="")
    answer = await world.editor.ask(world.question("\tx := f(|)\n"))
    assert (answer.shown, answer.silent_because) == (False, "nothing new in the answer")


async def test_first_lines_of_an_opened_file_go_along_and_are_read_before_the_question(world: World) -> None:
    world.path.write_text("package p\n\nimport one\n" + "far()\n" * 100)
    await world.editor.ask(world.question("package p\n\nimport one\n" + "far()\n" * 40 + "near(|\n"))
    assert world.fake.bodies[0]["n_predict"] == 0
    (chunk,) = world.fake.bodies[0]["input_extra"]
    assert chunk["filename"] == "f.go"
    assert chunk["text"].startswith("package p\n\nimport one\nfar()\n")


async def test_forgetting_erases_the_slot_and_all_answers(world: World) -> None:
    question = world.question("\tx := |\n")
    await world.editor.ask(question)
    await world.editor.forget()
    assert world.fake.paths[-1] == "/slots/0?action=erase"
    before = len(world.asked)
    answer = await world.editor.ask(question)
    assert not answer.details["from_cache"]
    assert len(world.asked) == before + 1


async def test_a_refusal_names_what_was_said_and_the_log(world: World) -> None:
    world.fake.status = 500
    with pytest.raises(GoassistError, match=r"status 500(.|\n)*the last word") as caught:
        await world.editor.ask(world.question("\tx := |\n"))
    assert caught.value.path == str(world.root / "server.log")


async def test_a_server_that_died_is_named_and_started_anew_for_the_next_question(world: World) -> None:
    world.fake.hold.set()
    asking = asyncio.create_task(world.editor.ask(world.question("\tx := |\n")))
    await world.until(1)
    world.servers[0].process.kill()
    world.servers[0].process.wait()
    world.fake.status = 500
    world.fake.hold.clear()
    with pytest.raises(GoassistError, match="it ended with status"):
        await asking
    world.fake.status = 200
    answer = await world.editor.ask(world.question("\ty := |\n"))
    assert answer.shown
    assert len(world.servers) == 2


async def test_a_server_that_hangs_is_named_and_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_vim, "_TIMEOUT_S", 0.2)
    world.fake.hold.set()
    with pytest.raises(GoassistError, match="does not answer within"):
        await world.editor.ask(world.question("\tx := |\n"))
    assert not world.servers[0].running


async def test_processor_time_does_not_go_back_when_a_server_dies(world: World) -> None:
    await world.editor.ask(world.question("\tx := |\n"))
    while not (first := world.editor.cpu_s()):
        await asyncio.sleep(0.01)
    world.servers[0].stop()
    answer = await world.editor.ask(world.question("\ty := |\n"))
    second = world.editor.cpu_s()
    assert answer.cpu_s is not None
    assert second >= first
