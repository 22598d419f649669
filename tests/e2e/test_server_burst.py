"""Much at once: requests, files, lines. All are answered, only what is still wanted is computed, nothing is stale."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.gofile import HOLE, go_file, told
from support.lsp_client import LspClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

URI = "file:///burst/main.go"
SAY = 'println("hi")'
BURST = 50
SLOW_S = 0.2


async def computed(client: LspClient) -> int:
    """How many answers the engine has computed to their end, since the server was started."""
    return (await client.command("goassist.status"))["answers"]  # type: ignore[no-any-return]


def in_order(answers: list[asyncio.Future[Any]]) -> list[int]:
    """A list that is filled with the numbers of the answers as they come."""
    came: list[int] = []
    for number, answer in enumerate(answers):
        answer.add_done_callback(lambda _, number=number: came.append(number))  # type: ignore[misc]
    return came


def assert_quiet(client: LspClient) -> None:
    assert client.stderr == ""
    assert client.messages_shown() == []
    assert "window/logMessage" not in client.methods()


async def test_of_a_burst_for_one_place_all_are_answered_and_the_last_computes(client: LspClient) -> None:
    before = await computed(client)
    client.open(URI, go_file(slow_s=SLOW_S, say=[SAY]))
    answers = [client.post_inline(URI, *HOLE)[1] for _ in range(BURST)]
    came = in_order(answers)
    items = [(await answer)["items"] for answer in answers]
    assert items[:-1] == [[]] * (BURST - 1)
    assert [item["insertText"] for item in items[-1]] == [SAY]
    assert came == list(range(BURST))
    assert await computed(client) - before == 1
    assert_quiet(client)


async def test_of_a_burst_of_keys_and_requests_only_the_last_is_not_stale(client: LspClient) -> None:
    before = await computed(client)
    client.open(URI, go_file(slow_s=SLOW_S, say=[SAY]))
    answers = []
    for column in range(BURST):
        client.insert(URI, column + 2, HOLE[0], HOLE[1] + column, "x")
        answers.append(client.post_inline(URI, HOLE[0], HOLE[1] + column + 1)[1])
    items = [(await answer)["items"] for answer in answers]
    assert items[:-1] == [[]] * (BURST - 1)
    assert [item["range"]["start"]["character"] for item in items[-1]] == [HOLE[1] + BURST]
    assert await computed(client) - before == 1
    log = await told(client)
    assert [entry[1] for entry in log if entry[0] == "complete"] == ["\t" + "x" * (n + 1) for n in range(BURST)]
    assert_quiet(client)


async def test_a_burst_that_is_cancelled_computes_nothing_and_each_is_answered(client: LspClient) -> None:
    before = await computed(client)
    client.open(URI, go_file(wait=True))
    posted = [client.post_inline(URI, *HOLE) for _ in range(BURST)]
    came = in_order([answer for _, answer in posted])
    for request, _ in posted:
        client.cancel(request)
    found = await asyncio.gather(*(answer for _, answer in posted), return_exceptions=True)
    assert all(isinstance(answer, Exception) or answer["items"] == [] for answer in found)
    assert sorted(came) == list(range(BURST))
    assert await computed(client) == before
    client.open(URI, go_file(say=[SAY]))
    assert len(await client.inline(URI, *HOLE)) == 1
    assert client.unmatched == []
    assert set(client.stderr.splitlines()) <= {"engine: waiting", "engine: stopped"}
    assert client.messages_shown() == []


async def test_ten_files_opened_at_once_are_told_in_order_and_each_gets_its_own_answer(client: LspClient) -> None:
    before = await computed(client)
    names = [f"f{number}.go" for number in range(10)]
    answers = []
    for name in names:
        client.open(f"file:///burst/{name}", go_file(slow_s=0.01, say=[f'println("{name}")']))
    for _ in range(5):
        answers += [client.post_inline(f"file:///burst/{name}", *HOLE)[1] for name in names]
    items = [(await answer)["items"] for answer in answers]
    assert items[:-10] == [[]] * 40
    assert [[item["insertText"] for item in some] for some in items[-10:]] == [[f'println("{n}")'] for n in names]
    assert await computed(client) - before == 10
    log = await told(client)
    assert [entry[1] for entry in log if entry[0] == "opened"] == names
    assert_quiet(client)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_a_file_of_fifty_thousand_lines_is_edited_and_answered(client: LspClient, line_end: str) -> None:
    head, _, tail = go_file(line_end, say=[SAY]).partition(f"\t{line_end}")
    filler = f'\tprintln("line", 1) // 😀{line_end}'
    client.open(URI, head + filler * 50_000 + f"\t{line_end}" + tail)
    line = HOLE[0] + 25_000
    client.insert(URI, 2, line, 0, f"\t{line_end}")
    for column, key in enumerate("abc"):
        client.insert(URI, column + 3, line, 1 + column, key)
    place = {"line": line, "character": 4}
    early = client.post_inline(URI, line, 4)[1]
    (item,) = await client.inline(URI, line, 4)
    assert (item["insertText"], item["range"]) == (SAY, {"start": place, "end": place})
    assert all(stale["range"] == item["range"] for stale in (await early)["items"])
    changed = [entry[2] for entry in await told(client) if entry[0] == "changed"]
    assert changed[-1] == head + filler * 25_000 + f"\tabc{line_end}" + filler * 25_000 + f"\t{line_end}" + tail
    assert_quiet(client)
