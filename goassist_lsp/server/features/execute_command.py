"""`workspace/executeCommand`: `goassist.accept`, `explain`, `pause`, `reindex` and `status`."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams

from goassist_lsp.server.convert import ACCEPT

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer
    from goassist_lsp.server.session import Shown

_log = logging.getLogger(__name__)

_STARTING = "**Silent**: the server is still starting."


def register(server: GoassistServer) -> None:
    """Join the five commands."""
    session = server.session

    @server.command(ACCEPT)
    async def accept(*arguments: Any) -> dict[str, object]:
        """Arguments: completion id, index of the candidate, address (and more). Adds the imports that it needs."""
        match arguments:
            case (int(completion_id), int(index), *_):
                shown = session.take_shown(completion_id)
            case _:
                raise JsonRpcInvalidParams(f"{ACCEPT} takes the arguments of the item's command")
        if shown is None or not 0 <= index < len(shown.imports):
            return {"accepted": False, "imports": 0}
        edits = shown.imports[index]
        added = bool(edits) and await _add_imports(server, shown, edits)
        return {"accepted": True, "imports": len(edits) if added else 0}

    @server.command("goassist.explain")
    async def explain(*arguments: Any) -> str:
        """Markdown about the last completion: why it was shown, or why there was none; with "session", about many."""
        match arguments:
            case () | (None,):
                pass
            case ("session",) if session.assistant is not None:
                return session.assistant.explain_session()
            case ("session",):
                return _STARTING
            case _:
                raise JsonRpcInvalidParams('goassist.explain takes "session", or nothing')
        if session.skip_reason is not None or session.assistant is None:
            return f"**Silent**: {session.skip_reason}." if session.skip_reason is not None else _STARTING
        return session.assistant.explain()

    @server.command("goassist.pause")
    async def pause(*arguments: Any) -> dict[str, object]:
        """Without an argument pause, or go on if paused; with one, pause for that many minutes (0: go on)."""
        match arguments:
            case () | (None,):
                minutes = 0.0 if session.paused else math.inf
            case (int() | float() as minutes,) if not isinstance(minutes, bool) and minutes >= 0:
                pass
            case _:
                raise JsonRpcInvalidParams("goassist.pause takes a number of minutes, or nothing")
        session.pause(minutes)
        return {"paused": session.paused, "minutes": minutes if math.isfinite(minutes) else None}

    @server.command("goassist.reindex")
    async def reindex(*arguments: Any) -> None:
        """Read the workspaces anew; answers when that is done."""
        await session.reindex()

    @server.command("goassist.status")
    async def status(*arguments: Any) -> dict[str, object]:
        """State of session and assistant as one JSON object."""
        own: dict[str, object] = {
            "paused": session.paused,
            "folders": [str(folder) for folder in session.folders],
            "documents": len(session.documents),
            "position_encoding": session.documents.encoding,
            "skip_reason": session.skip_reason,
        }
        assistant = session.assistant
        return {**own, **await assistant.status()} if assistant is not None else own


async def _add_imports(server: GoassistServer, shown: Shown, edits: list[lsp.TextEdit]) -> bool:
    """Have the client add imports, if the text they were made for still stands before the candidate."""
    current = server.session.documents.get(shown.uri)
    if current is None or not current.text.startswith(shown.head):
        _log.warning("%s: the imports were not added, the file's head has changed", shown.uri)
        return False
    edit = lsp.WorkspaceEdit(changes={shown.uri: edits})
    result = await server.workspace_apply_edit_async(lsp.ApplyWorkspaceEditParams(edit, label="goassist: add imports"))
    if not result.applied:
        _log.warning("%s: the client did not add the imports: %s", shown.uri, result.failure_reason)
    return bool(result.applied)
