"""VS Code on a workspace that the user does not trust: a window of its own, since trust is the window's."""

from __future__ import annotations

from pathlib import Path

from support.gofile import go_file
from support.vscode import running


def test_a_workspace_that_is_not_trusted_starts_nothing(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with running(project, trusted=False, settings={"security.workspace.trust.startupPrompt": "never"}) as code:
        code.open(go_file(say=["println(1)"]))
        assert not code.js("return vscode.workspace.isTrusted")
        assert not code.js("return vscode.extensions.getExtension('goassist.goassist')?.isActive ?? false")
        assert code.server_pid() is None
