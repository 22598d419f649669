"""Draws docs/neovim.svg: ghost text in the real Neovim, with the real server and model, as its terminal shows it."""

from __future__ import annotations

import sys
import tempfile
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.neovim import COLUMNS, Neovim, editing, go_project, packaged  # noqa: E402

TARGET = ROOT / "docs" / "neovim.svg"
SERVER = [sys.executable, "-m", "goassist_lsp.cli", "--stdio"]
ROWS = 18
CELL_WIDTH, CELL_HEIGHT, BASELINE = 8.4, 19, 14
PAPER, INK = "14161b", "e0e2ea"  # Neovim's own default colours
SOURCE = """package main

import (
	"fmt"
	"os"
)

// load reads the file of names, one a line.
func load(path string) ([]string, error) {
	data, err := os.ReadFile(path)
}

func main() {
	fmt.Println(load("names.txt"))
}
"""
LINE = 10  # behind which a new line is opened


def main() -> int:
    """Type, wait for ghost text, draw."""
    with tempfile.TemporaryDirectory() as folder:
        path = go_project(Path(folder), SOURCE)
        before = "vim.o.laststatus, vim.o.ruler, vim.o.number = 0, false, true"
        with editing(packaged(), path, server=SERVER, before=before) as nvim:
            nvim.until(nvim.server_ready, "the model and the types")
            nvim.keys(f"{LINE}Go")
            nvim.keys("if err")
            ghost = nvim.until(nvim.ghost, "ghost text")
            nvim.until_shown(str(ghost).partition("\n")[0].strip())
            TARGET.write_text(svg(nvim))
    print(TARGET)
    return 0


def svg(nvim: Neovim) -> str:
    """The drawn screen as a picture: runs of cells of one look."""
    width, height = COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" role="img" '
        'aria-label="Neovim with goassist\'s ghost text">',
        f'<rect width="100%" height="100%" rx="6" fill="#{PAPER}"/>',
        '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">',
    ]
    for row, cells in enumerate(nvim.cells()[:ROWS]):
        column = 0
        for look, run in groupby(cells, key=look_of):
            text = "".join(cell.data for cell in run)
            x, columns = column * CELL_WIDTH, len(text)
            column += columns
            begins, length = len(text) - len(text.lstrip()), len(text.strip())
            colour, paper, bold = look
            if paper != PAPER:
                size = f'width="{columns * CELL_WIDTH:g}" height="{CELL_HEIGHT}"'
                parts.append(f'<rect x="{x:g}" y="{row * CELL_HEIGHT}" {size} fill="#{paper}"/>')
            if text.strip():
                weight = ' font-weight="bold"' if bold else ""
                place = f'x="{x + begins * CELL_WIDTH:g}" y="{row * CELL_HEIGHT + BASELINE}"'
                stretched = f'textLength="{length * CELL_WIDTH:g}"'
                parts.append(f'<text {place} {stretched} fill="#{colour}"{weight}>{escape(text.strip())}</text>')
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def look_of(cell: Any) -> tuple[str, str, bool]:
    """Colours of ink and paper, and weight."""
    ink = INK if cell.fg == "default" else cell.fg
    paper = PAPER if cell.bg == "default" else cell.bg
    return (paper, ink, cell.bold) if cell.reverse else (ink, paper, cell.bold)


if __name__ == "__main__":
    sys.exit(main())
