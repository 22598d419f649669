"""Draws docs/typing.svg: a function typed in the real Neovim with the real server and model, as its terminal shows it.

The typist knows what they want to write and types it key by key. When all that is shown is what they want, they take it
by Tab; when its line is, by line. Nothing else is chosen: the recording is of one run, waits included. The picture is
animated by SMIL, which browsers play in images too; without, its end is seen.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby, pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from neovim_picture import BASELINE, CELL_HEIGHT, CELL_WIDTH, INK, PAPER, SERVER, look_of  # noqa: E402

from support.neovim import ENTER, LINE, TAB, Neovim, editing, go_project, packaged  # noqa: E402

TARGET = ROOT / "docs" / "typing.svg"
COLUMNS, ROWS = 78, 24
KEY_S = 0.09
# How long the typist looks at what is shown behind a key before the next.
LOOK_S = 0.45
# How long they read what they are about to take.
READ_S = 0.7
FRAME_S = 0.04
# Seconds that a mark stays, and that the end is shown before it begins again.
MARK_S, END_S = 0.9, 3.0
SOURCE = """package names

type entry struct {
	name  string
	count int
}
"""
BEHIND = 6  # the line behind which is typed
WANTED = """

func load(path string) ([]entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, err
	}
	return entries, nil
}"""
LEAST_TAKEN = 3
EDGE = 10
NAMESPACE = "vim.api.nvim_create_namespace('typing')"

# Words with single blanks between them.
_PIECE = re.compile(r"\S+(?: \S+)*")

Look = tuple[str, str, bool]
Run = tuple[int, int, str, Look]  # row, column, text, look
Mark = tuple[float, str]


class Recording:
    """What the screen shows from one moment to the next, until the block is left."""

    def __init__(self, nvim: Neovim) -> None:
        self._nvim = nvim
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.begun = time.monotonic()
        self.frames: list[tuple[float, frozenset[Run]]] = []
        self.marks: list[Mark] = []

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun

    def __enter__(self) -> Recording:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            seen = frozenset(runs(self._nvim))
            if not self.frames or self.frames[-1][1] != seen:
                self.frames.append((self.now(), seen))
            time.sleep(FRAME_S)


def main() -> int:
    """Type all of it, draw what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        path = go_project(Path(folder), SOURCE, name="load.go")
        before = "vim.o.laststatus, vim.o.ruler, vim.o.showmode, vim.o.fillchars = 0, false, false, 'eob: '\n"
        before += "vim.api.nvim_set_hl(0, 'GoassistGhost', { fg = '#8a919a', italic = true })"
        with editing(packaged(), path, server=SERVER, before=before) as nvim:
            nvim.until(nvim.server_ready, "the model and the types")
            nvim.lua(f"vim.api.nvim_buf_set_extmark(0, {NAMESPACE}, {BEHIND - 1}, 1, {{right_gravity = false}})")
            nvim.keys(f"{BEHIND}GA")
            nvim.until(lambda: nvim.mode == "i", "insert mode")
            with Recording(nvim) as recording:
                keys = write(nvim, recording)
                time.sleep(LOOK_S)
                length = recording.now() + END_S
        text = svg(recording, length)
        TARGET.write_text(text)
    taken = len(recording.marks)
    print(f"{TARGET}: {len(text) // 1000} kB, {length:.0f} s")
    print(f"{len(WANTED)} characters by {keys} keys, {taken} of which take what is shown")
    return 0


def write(nvim: Neovim, recording: Recording) -> int:
    """Type, and take what is right; returns how many keys were pressed."""
    keys = 0
    while rest := missing(nvim):
        keys += 1
        if key := worth_taking(nvim, rest):
            time.sleep(READ_S)
            recording.marks.append((recording.now(), "Tab" if key == TAB else "Ctrl ↓"))
            nvim.keys(key)
            nvim.until(lambda rest=rest: missing(nvim) != rest, "what was taken")
        else:
            nvim.keys(ENTER if rest[0] == "\n" else rest[0])
            nvim.until(lambda rest=rest: missing(nvim) != rest, "the key")
            time.sleep(KEY_S)
    return keys


def missing(nvim: Neovim) -> str:
    """What of the wanted text does not stand there yet. Indentation is the editor's own."""
    code = """
      local mark = vim.api.nvim_buf_get_extmarks(0, NAMESPACE, 0, -1, {})[1]
      local row, column = unpack(vim.api.nvim_win_get_cursor(0))
      return table.concat(vim.api.nvim_buf_get_text(0, mark[2], mark[3], row - 1, column, {}), '\\n')
    """
    above, newline, last = str(nvim.lua(code.replace("NAMESPACE", NAMESPACE))).rpartition("\n")
    last = last if last.strip() else ""
    written = above + newline + last
    if not WANTED.startswith(written):
        raise SystemExit(f"this is not what was to be written:\n{written}")
    rest = WANTED[len(written) :]
    return rest if last else rest.lstrip("\t")


def worth_taking(nvim: Neovim, rest: str) -> str | None:
    """The key that takes what is shown, if it is what is wanted; looks for a moment."""
    end = time.monotonic() + LOOK_S
    while time.monotonic() < end:
        if not nvim.lua("return require('goassist.suggest').waiting()"):
            break
        time.sleep(0.02)
    shown = nvim.lua("return require('goassist.suggest').current()")
    if shown is None:
        return None
    text = shown["text"].encode()[shown["typed"] :].decode()
    if len(text) >= LEAST_TAKEN and rest.startswith(text):
        return TAB
    line = text.partition("\n")[0]
    return LINE if len(line) >= LEAST_TAKEN and line == rest.partition("\n")[0] else None


def runs(nvim: Neovim) -> Iterator[Run]:
    """The screen as pieces of one look, blanks left out."""
    for row, cells in enumerate(nvim.cells()[:ROWS]):
        column = 0
        for look, cells_of_look in groupby(cells[:COLUMNS], key=look_of):
            text = "".join(cell.data for cell in cells_of_look)
            if look[1] != PAPER:
                yield row, column, text, look
            else:
                yield from ((row, column + found.start(), found[0], look) for found in _PIECE.finditer(text))
            column += len(text)


def svg(recording: Recording, length_s: float) -> str:
    """All pieces, each visible while it was seen."""
    width, height = COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT
    box = f"{-EDGE} {-EDGE} {width + 2 * EDGE:g} {height + 2 * EDGE}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" '
        'aria-label="A Go function typed in Neovim, most of it taken from goassist\'s ghost text">',
        f'<rect x="{-EDGE}" y="{-EDGE}" width="100%" height="100%" rx="6" fill="#{PAPER}"/>',
        f'<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#{INK}">',
    ]
    for run, spans in sorted(lives(recording.frames, length_s).items()):
        parts.append(drawn(run, spans, length_s))
    for moment, name in recording.marks:
        shown = [(moment, min(moment + MARK_S, length_s))]
        place = f'x="{width - 90:g}" y="{height - 26}"'
        badge = f'<rect {place} width="76" height="20" rx="4" fill="#2f6f4f"/>'
        label = f'<text x="{width - 52:g}" y="{height - 11}" text-anchor="middle" fill="#ffffff">{name}</text>'
        parts.append(f'<g visibility="hidden">{badge}{label}{animated(shown, length_s)}</g>')
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def lives(frames: Sequence[tuple[float, frozenset[Run]]], length_s: float) -> dict[Run, list[tuple[float, float]]]:
    """When each piece was seen, from and to."""
    found: dict[Run, list[tuple[float, float]]] = {}
    for (begin, seen), (end, _) in pairwise([*frames, (length_s, frozenset())]):
        for run in seen:
            spans = found.setdefault(run, [])
            if spans and spans[-1][1] == begin:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((begin, end))
    return found


def drawn(run: Run, spans: list[tuple[float, float]], length_s: float) -> str:
    row, column, text, (colour, paper, bold) = run
    x, y = column * CELL_WIDTH, row * CELL_HEIGHT
    ink = f' fill="#{colour}"' if colour != INK else ""
    weight = ' font-weight="bold"' if bold else ""
    size = f'textLength="{len(text) * CELL_WIDTH:g}"'
    body = f'<text x="{x:g}" y="{y + BASELINE}" {size}{ink}{weight}>{escape(text)}</text>' if text.strip() else ""
    if paper != PAPER:
        box = f'<rect x="{x:g}" y="{y}" width="{len(text) * CELL_WIDTH:g}" height="{CELL_HEIGHT}" fill="#{paper}"/>'
        body = box + body
    if spans == [(spans[0][0], length_s)] and spans[0][0] < FRAME_S * 2:
        return body
    unseen = "" if spans[-1][1] == length_s else ' visibility="hidden"'
    return f"<g{unseen}>{body}{animated(spans, length_s)}</g>"


def animated(spans: Sequence[tuple[float, float]], length_s: float) -> str:
    """The element around it is visible in these spans, again and again."""
    times, values = ["0"], ["hidden"]
    for begin, end in spans:
        if begin / length_s < 0.0005:
            values[-1] = "visible"
        else:
            times.append(f"{begin / length_s:.4f}")
            values.append("visible")
        if end < length_s:
            times.append(f"{end / length_s:.4f}")
            values.append("hidden")
    return (
        f'<animate attributeName="visibility" calcMode="discrete" dur="{length_s:.1f}s" repeatCount="indefinite" '
        f'values="{";".join(values)}" keyTimes="{";".join(times)}"/>'
    )


if __name__ == "__main__":
    sys.exit(main())
