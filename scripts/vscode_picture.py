"""Draws docs/vscode.png: ghost text in the real VS Code, with the real server and model, as a browser shows it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.stack import SERVER  # noqa: E402
from support.vscode import running  # noqa: E402

TARGET = ROOT / "docs" / "vscode.png"
HEIGHT = 380
SOURCE = """package main

import (
	"fmt"
	"os"
)

// load reads the file of names, one a line.
func load(path string) ([]string, error) {
	data, err := os.ReadFile(path)
\t
}

func main() {
	fmt.Println(load("names.txt"))
}
"""
LINE = 11


def main() -> int:
    """Type, wait for ghost text, draw."""
    settings = {"workbench.activityBar.location": "hidden", "breadcrumbs.enabled": False}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "names"
        project.mkdir()
        (project / "go.mod").write_text("module example.com/names\n\ngo 1.23\n")
        with running(project, server=SERVER, settings=settings) as code:
            code.page.set_viewport_size({"width": 760, "height": HEIGHT})
            code.run("workbench.action.closeSidebar")
            code.open(SOURCE, line=LINE, name="main.go")
            code.until(code.server_ready, "the model and the types")
            code.type("if err")
            code.until(code.ghost, "ghost text")
            code.until(lambda: code.status_bar() == "goassist: ready", "the answer drawn")
            code.page.screenshot(path=TARGET)
    print(TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
