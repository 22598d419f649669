"""Several folders in one window of VS Code, and a file outside of all of them: one server knows all these modules."""

from __future__ import annotations

import json
from pathlib import Path

from support.gofile import go_file
from support.vscode import VSCode, running

FILE = go_file(say=["println(1)"])


def test_one_server_serves_all_folders_and_a_file_outside(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.mod").write_text(f"module example.com/{name}\n\ngo 1.23\n")
        (tmp_path / name / "main.go").write_text(FILE)
    workspace = tmp_path / "both.code-workspace"
    workspace.write_text(json.dumps({"folders": [{"path": "one"}, {"path": "two"}]}))
    with running(tmp_path, workspace=workspace) as code:
        for name in ("one", "two", "three"):
            shown(code, tmp_path / name / "main.go")
        assert ["start", [str(tmp_path / "one"), str(tmp_path / "two")]] in code.log()
        third = str(tmp_path / "three")
        code.until(lambda: any(of[0] == "folders" and third in of[1] for of in code.log()), "the third folder")
        assert code.notifications() == []


def shown(code: VSCode, path: Path) -> None:
    code.show(path)
    code.until(code.server_ready, "the server")
    code.type("x")
    code.press("Backspace")
    code.until_ghost("println(1)")
