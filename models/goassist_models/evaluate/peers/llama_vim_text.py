"""What llama.vim makes of text: the local context that it sends, the ghost text that it draws, its extra chunks.

Behaviour and numbers are those of llama.vim's `autoload/llama.vim` at commit 381730b0 (github.com/ggml-org/llama.vim,
MIT licence), written anew. Left out: it counts bytes where this counts code points (the same for most Go code), and
accepting at column 0 of a line that is not blank, where it doubles the line: here what was drawn is what comes.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from goassist_models.evaluate.example import Edit

PREFIX_LINES = 256
SUFFIX_LINES = 64
MAX_LINE_SUFFIX_BYTES = 8
RING_CHUNKS = 16
CHUNK_LINES = 64
RING_SCOPE_LINES = 1024
_QUEUE_CHUNKS = 16
_SMALLEST_CHUNK_LINES = 3
_SAME_CHUNK, _SAME_AS_CONTEXT = 0.9, 0.5
_SCROLLED_LINES = 3
_BLANK = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a buffer: `lines` without their ends, `row` and `column` count from 0."""

    lines: tuple[str, ...]
    row: int
    column: int

    @property
    def line(self) -> str:
        """The cursor's line."""
        return self.lines[self.row]

    @property
    def on_blank_line(self) -> bool:
        """Whether the cursor's line holds nothing but blanks."""
        return _BLANK.fullmatch(self.line) is not None

    def below(self, first: int, last: int) -> list[str]:
        """Lines `first` to `last` after the cursor's (1 is the next one), as far as there are any."""
        return list(self.lines[self.row + first : self.row + last + 1])

    def around(self) -> list[str]:
        """Lines near the cursor that a chunk is picked from."""
        half = CHUNK_LINES // 2
        return list(self.lines[max(0, self.row - half) : self.row + half + 1])


def place_at(text: str, offset: int) -> Place:
    """Code point `offset` of `text` as the editor sees it: a final line end does not begin another line."""
    row = text.count("\n", 0, offset)
    lines = text.split("\n")
    if lines[-1] == "" and row < len(lines) - 1:
        lines.pop()
    return Place(tuple(lines), row, offset - (text.rfind("\n", 0, offset) + 1))


@dataclass(frozen=True, slots=True)
class LocalContext:
    """What is sent of the buffer itself. `indent` is the least indentation of further lines, in characters."""

    prefix: str
    middle: str
    suffix: str
    indent: int
    line_suffix: str

    @property
    def keys(self) -> list[str]:
        """Keys of the answer in the cache: this context's, and those of it scrolled down by up to three lines."""
        keys, prefix = [cache_key(self.prefix + self.middle, self.suffix)], self.prefix
        for _ in range(_SCROLLED_LINES):
            prefix = prefix.partition("\n")[2]
            if not prefix:
                break
            keys.append(cache_key(prefix + self.middle, self.suffix))
        return keys


def cache_key(before: str, after: str) -> str:
    """Key of the answer for what stands before and after a cursor."""
    return hashlib.sha256(f"{before}\0{after}".encode("utf-8", "surrogatepass")).hexdigest()


def local_context(place: Place, drawn: Sequence[str] = (), last_indent: int = 0) -> LocalContext:
    """Make the context at `place`, or, with the ghost text `drawn` there, at its end as if it had been accepted."""
    lines, row = place.lines, place.row
    after = place.below(1, SUFFIX_LINES)
    if drawn:
        before = list(lines[max(0, row - PREFIX_LINES + len(drawn) - 1) : row])
        middle = place.line + drawn[0] if len(drawn) == 1 else drawn[-1]
        if len(drawn) > 1:
            before += [place.line + drawn[0], *drawn[1:-1]]
        line_suffix, indent = "", last_indent
    else:
        before = list(lines[max(0, row - PREFIX_LINES) : row])
        if place.on_blank_line:
            middle = line_suffix = ""
            indent = 0
        else:
            middle, line_suffix = place.line[: place.column], place.line[place.column :]
            indent = len(place.line) - len(place.line.lstrip(" \t"))
    return LocalContext(
        prefix="\n".join(before) + "\n",
        middle=middle,
        suffix="\n".join([line_suffix, *after]) + "\n" if after else line_suffix + "\n\n",
        indent=indent,
        line_suffix=line_suffix,
    )


@dataclass(frozen=True, slots=True)
class Ghost:
    """What is drawn at `place`: `lines`, of which the last ends with what stood behind the cursor.

    `line` is the cursor's line as accepting would have it before the insertion; `acceptable` is false when there is
    nothing to take.
    """

    place: Place
    line: str
    lines: tuple[str, ...]
    acceptable: bool

    def edit(self, offset: int) -> Edit | None:
        """What accepting changes in the text, with the cursor at code point `offset` of it; None for nothing."""
        old = self.place.line
        new = "\n".join([self.line[: self.place.column] + self.lines[0], *self.lines[1:]])
        same, most = 0, min(self.place.column, len(new))
        while same < most and old[same] == new[same]:
            same += 1
        behind, most = 0, min(len(old) - self.place.column, len(new) - same)
        while behind < most and old[-1 - behind] == new[-1 - behind]:
            behind += 1
        start = offset - self.place.column + same
        end = offset - self.place.column + len(old) - behind
        text = new[same : len(new) - behind]
        return Edit(start, end, text) if self.acceptable and (text or end > start) else None


def draw(place: Place, answer: str) -> Ghost:
    """Make ghost text of the server's answer: without what stands there already, or nothing at all."""
    content = answer.split("\n")
    while content and content[-1] == "":
        content.pop()
    acceptable = bool(content)
    content = content or [""]
    line = place.line
    if place.on_blank_line:
        lead = min(len(content[0]) - len(content[0].lstrip(" \t")), len(line))
        line, content[0] = content[0][:lead], content[0][lead:]
    line_prefix, line_suffix = line[: place.column], line[place.column :]
    if (len(content) > 1 and content[0] == "" and content[1:] == place.below(1, len(content) - 1)) or (
        len(content) == 1 and content[0] == line_suffix
    ):
        content = [""]
    content = _without_repeats(place, line_prefix, content)
    content[-1] += line_suffix
    if _BLANK.fullmatch("\n".join(content)):
        acceptable = False
    return Ghost(place, line, tuple(content), acceptable)


def _without_repeats(place: Place, line_prefix: str, content: list[str]) -> list[str]:
    """Drop a suggestion that repeats the lines from the next one that is not blank."""
    last = len(place.lines) - 1
    row = place.row + 1
    while row < last and _BLANK.fullmatch(place.lines[row]):
        row += 1

    def line_at(number: int) -> str:
        return place.lines[number] if number <= last else ""

    if line_prefix + content[0] != line_at(row):
        return content
    again = (
        len(content) == 1
        or (len(content) == 2 and line_at(row + 1).startswith(content[1]))
        or (len(content) > 2 and content[1:] == list(place.lines[row + 1 : row + len(content)]))
    )
    return [""] if again else content


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of a file, `filename` relative to the editor's directory."""

    lines: tuple[str, ...]
    filename: str

    @property
    def text(self) -> str:
        """The lines as they are sent."""
        return "\n".join(self.lines) + "\n"


@dataclass(slots=True)
class Ring:
    """Chunks of text seen elsewhere: `chunks` go along with every request, `queued` ones wait for a quiet moment."""

    chance: random.Random
    chunks: list[Chunk] = field(default_factory=list)
    queued: list[Chunk] = field(default_factory=list)
    picked_row: int = -9999

    def pick(self, lines: Sequence[str], filename: str, *, evict: bool) -> None:
        """Queue lines as a chunk, a random stretch when there are many. `evict`: in place of chunks much like it."""
        if len(lines) < _SMALLEST_CHUNK_LINES:
            return
        stretch = list(lines) if len(lines) + 1 < CHUNK_LINES else self._stretch(lines)
        new = Chunk(tuple(stretch), filename)
        if any(known.lines == new.lines for known in (*self.chunks, *self.queued)):
            return
        for kept in (self.queued, self.chunks):
            for index in range(len(kept) - 1, -1, -1):
                if similarity(kept[index].lines, new.lines) > _SAME_CHUNK:
                    if not evict:
                        return
                    del kept[index]
        if len(self.queued) == _QUEUE_CHUNKS:
            del self.queued[0]
        self.queued.append(new)

    def promote(self) -> bool:
        """Let the first queued chunk go along from now on; false when none waits."""
        if not self.queued:
            return False
        if len(self.chunks) == RING_CHUNKS:
            del self.chunks[0]
        self.chunks.append(self.queued.pop(0))
        return True

    def drop_known(self, place: Place) -> None:
        """Take out the chunks that say what stands around the cursor."""
        near = self._stretch(place.around())
        self.chunks = [chunk for chunk in self.chunks if similarity(chunk.lines, near) <= _SAME_AS_CONTEXT]

    def pick_around(self, place: Place, filename: str) -> None:
        """Queue what lies before and after the local context, when the cursor has moved far since the last time."""
        if abs(place.row - self.picked_row) <= CHUNK_LINES // 2:
            return
        lines, row = place.lines, place.row
        before = lines[max(0, row - RING_SCOPE_LINES) : max(0, row - PREFIX_LINES) + 1]
        first = min(len(lines) - 1, row + SUFFIX_LINES)
        self.pick(before, filename, evict=False)
        self.pick(lines[first : row + SUFFIX_LINES + CHUNK_LINES + 1], filename, evict=False)
        self.picked_row = row

    def _stretch(self, lines: Sequence[str]) -> list[str]:
        half = CHUNK_LINES // 2
        first = self.chance.randint(0, max(0, len(lines) - half))
        return list(lines[first : first + half + 1])


def similarity(one: Sequence[str], other: Sequence[str]) -> float:
    """Share of words in common, from 0 to 1; a word that comes again in `other` counts again."""
    words = [[word for word in re.split(r"\W+", "\n".join(lines), flags=re.ASCII) if word] for lines in (one, other)]
    total = len(words[0]) + len(words[1])
    known = set(words[0])
    return 2.0 * sum(word in known for word in words[1]) / total if total else 1.0
