"""Any language server over stdio as a system that evaluation can ask, through inline completion or plain completion.

One server process answers many questions. The document is opened once a file and then changed by the range that
differs, as an editor does it; a command that comes with an item (our imports) is run after the answer, outside its
time, and the edits that the server then asks for are taken down but not made.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psutil

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ConfigError, GoassistError
from goassist_lsp.cli.lspclient import CLIENT_CAPABILITIES, LspClient, ResponseError, offset_at, position_at
from goassist_models.evaluate.example import Answer, Edit, Question, System

INLINE, PLAIN = "textDocument/inlineCompletion", "textDocument/completion"
_CAPABILITIES = {
    **CLIENT_CAPABILITIES,
    "textDocument": {
        **CLIENT_CAPABILITIES["textDocument"],
        "completion": {"completionItem": {"snippetSupport": False, "insertReplaceSupport": False}},
    },
}
_ANSWER_LIMIT_S, _COMMAND_LIMIT_S = 60.0, 15.0
_SETTLE_S = 2.0
_DYING_S = 0.5
_NO_ANSWER_CODES = (-32800, -32801, -32802)  # cancelled, content modified, cancelled by the server: nothing to show
_INCREMENTAL = 2
_SNIPPET = 2
_WORD = re.compile(r"\w*\Z")


async def lsp_system(
    command: Sequence[str],
    name: str,
    *,
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    on_demand: bool = False,
    imports: bool = True,
    restart_to_forget: bool = False,
    answer_limit_s: float = _ANSWER_LIMIT_S,
    settle_s: float = _SETTLE_S,
) -> System:
    """Try the server out in an empty folder and return it as a peer.

    `options` are its initializationOptions. `on_demand`: questions say that the user asked, not that he typed.
    `imports`: run an item's command to learn what comes with it. There is no way to have a server forget what it
    read but a restart (`restart_to_forget`, slow); without, `forget` does nothing. Our own server says when it is
    ready; others get `settle_s` after the handshake, and all get it after a file is opened, outside the answer's
    time. A server that dies or does not answer in `answer_limit_s` makes `ask` raise; the next one starts it anew.
    Raises GoassistError for a command that is no language server with completion, ConfigError for none at all.
    """
    if not command or shutil.which(command[0]) is None:
        raise ConfigError(f"there is no program {command[0] if command else ''!r}", cure="Give the server's command")
    peer = _Peer(command, dict(options or {}), dict(environment or {}), on_demand, imports, answer_limit_s, settle_s)
    with tempfile.TemporaryDirectory(prefix="goassist-peer-") as empty:
        peer.root = Path(empty).resolve()
        await peer.start(wait=False)
        about = {"command": shlex.join(command), **peer.about}
        await peer.close()
    peer.root = None

    async def forget() -> None:
        if restart_to_forget:
            await peer.close()

    return System(name, peer.ask, peer.open, forget, peer.cpu_s, peer.close, about)


@dataclass(slots=True)
class _Peer:
    """A server process for one workspace folder, and what it has been told of one document."""

    command: Sequence[str]
    options: dict[str, Any]
    environment: dict[str, str]
    on_demand: bool
    imports: bool
    answer_limit_s: float
    settle_s: float
    root: Path | None = None
    client: LspClient | None = None
    method: str = ""
    incremental: bool = False
    path: Path | None = None
    text: str = ""
    version: int = 0
    ended_cpu_s: float = 0.0
    about: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where the server's standard error goes."""
        slug = re.sub(r"\W+", "-", Path(self.command[0]).name).strip("-")
        return cache_dir() / "peers" / f"{slug}.log"

    async def open(self, root: Path) -> None:
        """Start the server for another workspace folder."""
        if root != self.root or self.client is None:
            await self.close()
            self.root = root
            await self.start()

    async def start(self, *, wait: bool = True) -> None:
        """Start the server and do the handshake; `wait` until it can be expected to answer well."""
        assert self.root is not None
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.client = client = await LspClient.start(self.command, self.environment, self.log)
        except OSError as error:
            raise GoassistError(f"the server cannot be run ({error.strerror})", path=self.command[0]) from error
        self.path = None
        try:
            answer = await client.initialize(self.root, self.options, _CAPABILITIES)
            offered = answer.get("capabilities", {})
            # `{}` means yes, `false` or nothing no.
            providers = {INLINE: "inlineCompletionProvider", PLAIN: "completionProvider"}
            given = [method for method, key in providers.items() if offered.get(key) not in (None, False)]
            if not given:
                raise GoassistError("the server offers neither inline completion nor completion")
            self.method = given[0]
            sync = offered.get("textDocumentSync")
            self.incremental = (sync.get("change") if isinstance(sync, dict) else sync) == _INCREMENTAL
            info = answer.get("serverInfo") or {}
            version = f"{info.get('name', 'unnamed')} {info.get('version', '')}".strip()
            self.about = {"server": version, "method": self.method}
            if wait:
                commands = (offered.get("executeCommandProvider") or {}).get("commands") or ()
                await (client.until_ready() if "goassist.status" in commands else asyncio.sleep(self.settle_s))
        except GoassistError as error:
            raise await self._broken(error) from error

    async def close(self) -> None:
        """End the server, if it runs."""
        client, self.client = self.client, None
        if client is not None:
            self.ended_cpu_s += _tree_cpu_s(client.process.pid)
            await client.close()

    def cpu_s(self) -> float:
        """Processor seconds of all server processes so far, with what they started and those that ended."""
        return self.ended_cpu_s + (_tree_cpu_s(self.client.process.pid) if self.client is not None else 0.0)

    async def ask(self, question: Question) -> Answer:
        """Show the server the text and ask it; being cancelled cancels the request."""
        if self.root is None:
            self.root = question.root
        if self.client is None:
            await self.start()
        client = self.client
        assert client is not None
        if self.path != question.path:
            await self._show_other(client, question)
        cpu_s, begun_s, complaints = self.cpu_s(), time.perf_counter(), len(client.complaints)
        self._change(client, question.text)
        position = position_at(question.text, question.offset)
        try:
            item = await self._item(client, question.path, position)
            ms, used_s = (time.perf_counter() - begun_s) * 1e3, self.cpu_s() - cpu_s
            edits = _edits(item, question) if item is not None else ()
            details: dict[str, Any] = {"method": self.method, "complaints": client.complaints[complaints:]}
            if item is not None and self.imports and item.get("command"):
                edits += await self._with_command(client, item["command"], question, details)
        except GoassistError as error:
            raise await self._broken(error) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise await self._broken(GoassistError(f"its answer is not as the protocol has it: {error!r}")) from error
        silent = "" if edits else "the server answers with nothing to show"
        return Answer(edits=edits, ms=ms, cpu_s=used_s, silent_because=silent, details=details)

    async def _show_other(self, client: LspClient, question: Question) -> None:
        if self.path is not None:
            client.close_document(self.path)
        client.open(question.path, question.text)
        self.path, self.text, self.version = question.path, question.text, 1
        await asyncio.sleep(self.settle_s)

    def _change(self, client: LspClient, text: str) -> None:
        """Tell the server the one range in which `text` differs from what it has."""
        assert self.path is not None
        if text == self.text:
            return
        self.version += 1
        if self.incremental:
            start, end, new = changed_range(self.text, text)
            client.change(self.path, self.version, position_at(self.text, start), position_at(self.text, end), new)
        else:
            client.replace(self.path, self.version, text)
        self.text = text

    async def _item(self, client: LspClient, path: Path, position: dict[str, int]) -> dict[str, Any] | None:
        """Ask, and return the first item that has something to insert."""
        if self.method == INLINE:
            number, future = client.post_inline(path, position, invoked=self.on_demand)
        else:
            where = {"textDocument": {"uri": path.as_uri()}, "position": position}
            number, future = client.post(PLAIN, {**where, "context": {"triggerKind": 1}})
        try:
            answer = await asyncio.wait_for(future, self.answer_limit_s)
        except asyncio.CancelledError:
            client.cancel(number)
            raise
        except TimeoutError as error:
            raise GoassistError(f"no answer within {self.answer_limit_s:.0f} s") from error
        except ResponseError as error:
            if error.code in _NO_ANSWER_CODES:
                return None
            raise
        items: list[dict[str, Any]] = list((answer.get("items") if isinstance(answer, dict) else answer) or ())
        if self.method == PLAIN:  # the order in which an editor lists them
            items.sort(key=lambda item: (not item.get("preselect"), item.get("sortText") or item["label"]))
        return next((item for item in items if item.get("textEdit") or item.get("insertText")), None)

    async def _with_command(
        self, client: LspClient, command: Mapping[str, Any], question: Question, details: dict[str, Any]
    ) -> tuple[Edit, ...]:
        """Run the item's command and return the edits that the server asks for in this document."""
        before = len(client.edits)
        try:
            await client.command(command["command"], *command.get("arguments", ()), timeout_s=_COMMAND_LIMIT_S)
        except ResponseError as error:
            details["command_failed"] = str(error)
        asked = [edit for wanted in client.edits[before:] for edit in _edits_of(wanted, question.path)]
        return tuple(_edit(edit["range"], edit["newText"], question.text) for edit in asked)

    async def _broken(self, error: GoassistError) -> GoassistError:
        """End a server that failed; returns the error that names it."""
        client, self.client = self.client, None
        if client is not None:
            self.ended_cpu_s += _tree_cpu_s(client.process.pid)
            with contextlib.suppress(TimeoutError):  # one that died is reaped at once, one that hangs is not
                await asyncio.wait_for(client.process.wait(), _DYING_S)
            ended = client.process.returncode is not None
            if not ended:
                client.process.kill()
            status = await client.close()
            said = f", status {status}" if ended else ""
        return GoassistError(
            f"the server `{shlex.join(self.command)}` failed ({error.what}{said if client is not None else ''})",
            path=str(self.log),
            cure="Read that log",
        )


def _tree_cpu_s(pid: int) -> float:
    """Processor seconds of a process, its descendants, and those of them that ended and were waited for."""
    total = 0.0
    try:
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0.0
    for one in tree:
        try:
            times = one.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def _agreeing(most: int, agree: Callable[[int], bool]) -> int:
    """Largest count up to `most` that agrees, found by halving: comparing slices is fast, characters is not."""
    return bisect.bisect_left(range(1, most + 1), True, key=lambda count: not agree(count))


def changed_range(old: str, new: str) -> tuple[int, int, str]:
    """Code points [start, end) of `old` and what stands there in `new`: all between common beginning and end."""
    most = min(len(old), len(new))
    start = _agreeing(most, lambda count: old[:count] == new[:count])
    rest = most - start
    behind = _agreeing(rest, lambda count: old[len(old) - count :] == new[len(new) - count :])
    # Servers count no position between the two characters of a line end.
    if start and old[start - 1] == "\r":
        start -= 1
    end = len(old) - behind
    if behind and end > 0 and old[end - 1 : end + 1] == "\r\n":
        end, behind = end + 1, behind - 1
    return start, end, new[start : len(new) - behind]


def _edits(item: Mapping[str, Any], question: Question) -> tuple[Edit, ...]:
    """What an item of either kind inserts, and what comes with it."""
    text, offset = question.text, question.offset
    edit: Mapping[str, Any] | None = item.get("textEdit")
    insert: str | Mapping[str, Any] = edit["newText"] if edit else item["insertText"]
    snippet = item.get("insertTextFormat") == _SNIPPET
    if not isinstance(insert, str):  # a StringValue of inline completion
        snippet = insert.get("kind") == "snippet"
        insert = str(insert.get("value", ""))
    if snippet:
        insert = without_stops(insert)
    span = (edit.get("range") or edit.get("insert")) if edit else item.get("range")
    if span:
        first = _edit(span, insert, text)
    elif "label" in item:  # plain completion without a range: in place of the word before the cursor
        word = _WORD.search(text, 0, offset)
        first = Edit(word.start() if word else offset, offset, insert)
    else:
        first = Edit(offset, offset, insert)
    if text[first.start : first.end] == first.text:
        return ()
    more = item.get("additionalTextEdits") or ()
    return (first, *(_edit(other["range"], other["newText"], text) for other in more))


def _edit(span: Mapping[str, Any], new: str, text: str) -> Edit:
    return Edit(offset_at(text, span["start"]), offset_at(text, span["end"]), new)


def _edits_of(wanted: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """Text edits of a WorkspaceEdit, in either of its two forms, that concern `path`."""
    changes: list[tuple[str, list[dict[str, Any]]]] = list((wanted.get("changes") or {}).items())
    for change in wanted.get("documentChanges") or ():
        if "edits" in change:
            changes.append((change["textDocument"]["uri"], change["edits"]))
    return [edit for uri, edits in changes if unquote(uri) == unquote(path.as_uri()) for edit in edits]


def without_stops(snippet: str) -> str:
    r"""Text of a snippet in LSP's syntax: `$1` and `${1}` vanish, `${1:x}` is x, `${1|a,b|}` a, `\$` a dollar."""
    kept = {rf"\{char}": chr(0xE000 + index) for index, char in enumerate("$}\\,|")}
    for written, stand_in in kept.items():
        snippet = snippet.replace(written, stand_in)
    snippet = re.sub(r"\$\{\d+\|([^,|]*)[^|]*\|\}", r"\1", snippet)
    previous = ""
    while previous != snippet:  # placeholders nest: the innermost first
        previous, snippet = snippet, re.sub(r"\$\{\w+(?::([^${}]*))?\}", lambda m: m[1] or "", snippet)
        snippet = re.sub(r"\$(?:\d+|[A-Za-z_]\w*)", "", snippet)
    for written, stand_in in kept.items():
        snippet = snippet.replace(stand_in, written[1:])
    return snippet
