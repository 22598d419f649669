"""Typing replays: a function body typed key by key, in the loop's time, into a system that completes code.

The typist, always the same one. A key is pressed each interval; at each the question before is cancelled and a new
one is asked, as editors do. The first question goes out when the file is opened, with the cursor in the empty body;
its answer is not looked at, and the typist begins LOOK_S after it. An answer that comes before the next key is due
is shown. What is on display when a key is due decides what that key is:

- All of it is, to the character, what the author wrote next (blanks beyond the body's end aside): it is accepted.
- Its first line with something on it is: that line is accepted, and the rest stays on display.
- Otherwise, or where an accept would save no key, the author's next key is typed. What was on display stays there as
  far as it has been typed through; else it is gone.

An accept is a key and READING_S of reading besides, before the next key's interval begins; the next question goes
out with the accept, so that its answer may come while the typist reads. Misreading costs nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import psutil

from goassist_index.errors import GoassistError
from goassist_models.evaluate.example import Answer, Edit, Question, System
from goassist_models.evaluate.keystrokes import BodyRecord, KeyRecord, Press, TypedBody, as_typed, keys_of

READING_S = 0.3
LOOK_S = 1.0
# Longer than the slowest answer that is of any use, and than the reading of a long prompt by a slow model.
HANG_S = 60.0
OPENING_HANG_S = 600.0
# Fewer keys than this are typed, not accepted.
MIN_KEYS = 2

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ghost:
    """A suggestion on display: `text` at the cursor.

    Taking it replaces `replaces` code points after the cursor too, and makes the edits `others` elsewhere (imports).
    `at_cursor` is false for a suggestion that rewrites something else: nobody who types on can make it come true.
    """

    text: str
    replaces: int = 0
    others: tuple[Edit, ...] = ()
    at_cursor: bool = True

    def typed(self, key: str, offset: int) -> Ghost | None:
        """What is left when `key` is typed at `offset` (code points); None when it was typed against, or is used up."""
        if not self.at_cursor or not self.text.startswith(key) or self.text == key:
            return None
        moved = tuple(_moved(edit, offset, len(key)) for edit in self.others)
        return replace(self, text=self.text[len(key) :], others=moved)

    def begins_with(self, other: Ghost) -> bool:
        """Whether a reader of `other` sees it unchanged, or longer, when this one comes in its place."""
        return self.at_cursor == other.at_cursor and self.text.startswith(other.text)


def ghost_of(question: Question, answer: Answer) -> Ghost | None:
    """What an answer puts on display; None for silence, and for edits that change nothing.

    Its columns are not aligned, as what is typed is not: gofmt does that to both when the file is saved.
    """
    if not answer.edits:
        return None
    edit, *others = answer.edits
    text, offset = question.text, question.offset
    before = text[edit.start : offset]
    if not edit.start <= offset <= edit.end or not edit.text.startswith(before):
        return Ghost(as_typed(edit.text), others=tuple(others), at_cursor=False)
    new, old = as_typed(edit.text[len(before) :]), text[offset : edit.end]
    if old and new.endswith(old):
        new, old = new[: -len(old)], ""
    return Ghost(new, len(old), tuple(others)) if new or old else None


def next_press(ghost: Ghost | None, rest: str) -> tuple[Press, str, bool]:
    """What the typist does with `rest` still to be written: the press, what it writes, whether the ghost is right.

    What an accept writes is the beginning of the ghost's text.
    """
    key = keys_of(rest)[0] if rest else ""
    if ghost is None or not ghost.at_cursor:
        return "key", key, False
    wanted: Press = "accept"
    part = ghost.text
    right = not ghost.replaces and (rest.startswith(part) or part.rstrip() == rest)
    if not right:
        wanted, part = "accept line", _first_line(ghost.text)
        right = bool(part.strip()) and part != ghost.text and rest.startswith(part)
    if right and len(keys_of(part)) >= MIN_KEYS:
        return wanted, part, True
    # A line that is not worth a key does not make the whole text right.
    return "key", key, right and wanted == "accept"


def _first_line(text: str) -> str:
    """The beginning of `text` up to the first line end that has something before it."""
    content = len(text) - len(text.lstrip())
    end = text.find("\n", content)
    return text if end < 0 else text[:end]


def _moved(edit: Edit, offset: int, by: int) -> Edit:
    return replace(edit, start=edit.start + by, end=edit.end + by) if edit.start >= offset else edit


async def type_body(
    system: System,
    root: Path,
    body: TypedBody,
    interval_s: float,
    *,
    limit: int | None = None,
    tell: Callable[[int], None] = lambda keys: None,
) -> BodyRecord:
    """Type one body, `limit` keys of it at most, into its file below `root`, a copy of the module.

    On disk the file lacks the body meanwhile. Times are the running loop's. `tell` hears how many keys were pressed.
    A system that breaks down (GoassistError) or hangs ends this body only: the record says why.
    """
    path = root / body.place
    record = BodyRecord(
        system=system.name,
        interval_ms=interval_s * 1e3,
        body=body.key,
        module=body.module,
        file=body.place,
        function=body.function,
        new=body.new,
    )
    typist = _Typist(system, root, path, body.before + body.after, len(body.before), body.text, record)
    original = path.read_bytes()
    path.write_bytes(typist.text.encode())
    try:
        await within(system.open(root), OPENING_HANG_S, "it does not open the workspace")
        await within(system.ask(typist.question()), HANG_S, "it does not answer when the file is opened")
        await asyncio.sleep(LOOK_S)
        await typist.type(interval_s, limit, tell)
        await typist.settle()
    except GoassistError as error:
        record.abandoned = str(error)
    finally:
        typist.leave()
        path.write_bytes(original)
    return record


async def within(work: Awaitable[_T], limit_s: float, otherwise: str) -> _T:
    """Result of `work`. Raises GoassistError(`otherwise`) after `limit_s`, even if `work` will not be cancelled."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=limit_s)
    if not task.done():
        task.add_done_callback(_met)
        task.cancel()
        raise GoassistError(f"{otherwise} within {limit_s:.0f} s")
    return _result(task)


def _result(task: asyncio.Future[_T]) -> _T:
    """Result of a task that is done. A cancel that was not ours must not pass for one of ourselves."""
    if task.cancelled():
        raise GoassistError("it gave a question up by itself")
    return task.result()


def _met(task: asyncio.Future[_T]) -> None:
    """Look at the exception of a task that nobody waits for, so that nobody is warned of it."""
    if not task.cancelled():
        task.exception()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that is out: its task gives the answer and the loop's time when it came."""

    question: Question
    at_s: float
    task: asyncio.Task[tuple[Answer, float]]


@dataclass(slots=True)
class _Typist:
    """The buffer, the cursor in it, what is still to be written, and what is on display."""

    system: System
    root: Path
    path: Path
    text: str
    offset: int
    rest: str
    record: BodyRecord
    ghost: Ghost | None = None
    asked: _Asked | None = None
    cancelled: set[asyncio.Task[tuple[Answer, float]]] = field(default_factory=set)

    def question(self) -> Question:
        return Question(self.root, self.path, self.text, self.offset)

    async def type(self, interval_s: float, limit: int | None, tell: Callable[[int], None]) -> None:
        """Press key after key until all is written. Raises GoassistError when the system breaks down."""
        now = asyncio.get_running_loop().time
        written, keys = self.rest, self.record.keys
        cpu_s, machine_s, begun = self.system.cpu_s(), _machine_cpu_s(), now()
        while self.rest and (limit is None or len(keys) < limit):
            press, part, _ = next_press(self.ghost, self.rest)
            # From the press as it was, not as it was due: a late one makes no interval shorter.
            due = now() + interval_s + (0.0 if press == "key" else READING_S)
            key = KeyRecord(press, min(len(part), len(self.rest)))
            keys.append(key)
            self._press(press, part, key)
            self._ask()
            await self._watch(key, due)
            key.shown = self.ghost.text if self.ghost is not None else None
            key.right = next_press(self.ghost, self.rest)[2]
            tell(len(keys))
        after_s = self.system.cpu_s()
        self.record.seconds = now() - begun
        if after_s is not None and cpu_s is not None:
            self.record.cpu_s = after_s - cpu_s
            self.record.others_cpu_s = max(0.0, _machine_cpu_s() - machine_s - self.record.cpu_s)
        self.record.keys_alone = len(keys_of(written[: len(written) - len(self.rest)]))

    async def settle(self) -> None:
        """Wait for what is still out. Raises GoassistError when the system does not come to rest, or broke down."""
        if self.asked is not None:
            await within(self.asked.task, HANG_S, "it does not answer when typing has stopped")
        if self.cancelled:
            _, running = await asyncio.wait(self.cancelled, timeout=HANG_S)
            if running:
                raise GoassistError(f"it goes on with what nobody waits for, {HANG_S:.0f} s after typing has stopped")

    def leave(self) -> None:
        """Cancel what is still out. An exception of what was cancelled is the next question's to meet again."""
        self._cancel()
        for task in self.cancelled:
            task.cancel()

    def _press(self, press: Press, part: str, key: KeyRecord) -> None:
        ghost = self.ghost
        if press == "accept" and ghost is not None:
            taken = Edit(self.offset, self.offset + ghost.replaces, part)
            before = sum(len(e.text) - (e.end - e.start) for e in ghost.others if e.start < self.offset)
            self.text = Answer((taken, *ghost.others)).taken(self.text)
            self.offset += before + len(part)
            self.ghost = None
        else:
            self.ghost = ghost.typed(part, self.offset) if ghost is not None else None
            key.flicker = ghost is not None and self.ghost is None and ghost.text != part
            self.text = self.text[: self.offset] + part + self.text[self.offset :]
            self.offset += len(part)
        self.rest = self.rest[len(part) :]

    def _ask(self) -> None:
        self._cancel()
        question, at_s = self.question(), asyncio.get_running_loop().time()
        self.asked = _Asked(question, at_s, asyncio.create_task(_timed(self.system.ask(question))))

    def _cancel(self) -> None:
        if self.asked is None or self.asked.task.done():
            return
        task = self.asked.task
        task.cancel()
        self.cancelled.add(task)
        task.add_done_callback(self.cancelled.discard)
        task.add_done_callback(_met)

    async def _watch(self, key: KeyRecord, due: float) -> None:
        """Look at the display until the next key is due."""
        assert self.asked is not None
        loop, asked = asyncio.get_running_loop(), self.asked
        await asyncio.wait({asked.task}, timeout=max(0.0, due - loop.time()))
        if asked.task.done():
            answer, came = _result(asked.task)
            if came <= due:
                self._show(asked, answer, came, key)
        await asyncio.sleep(max(0.0, due - loop.time()))

    def _show(self, asked: _Asked, answer: Answer, came: float, key: KeyRecord) -> None:
        if answer.error:
            key.error = answer.error
            return
        key.answer_ms = (came - asked.at_s) * 1e3
        new = ghost_of(asked.question, answer)
        if self.ghost is not None and (new is None or not new.begins_with(self.ghost)):
            key.flicker = True
        self.ghost = new


async def _timed(answer: Awaitable[Answer]) -> tuple[Answer, float]:
    return await answer, asyncio.get_running_loop().time()


def _machine_cpu_s() -> float:
    """Processor seconds that all processes of the machine have used."""
    times = psutil.cpu_times()
    # What guests use is in user and nice already.
    unused = ("idle", "iowait", "guest", "guest_nice")
    return float(sum(times) - sum(getattr(times, name, 0.0) for name in unused))
