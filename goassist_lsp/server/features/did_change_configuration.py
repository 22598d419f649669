"""`workspace/didChangeConfiguration`, and the pull of the `goassist` section from clients that want to be asked."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer

_log = logging.getLogger(__name__)

SECTION = "goassist"

# A client that does not answer keeps the settings it gave at `initialize`.
_PULL_TIMEOUT_S = 3.0


def register(server: GoassistServer) -> None:
    """Join `workspace/didChangeConfiguration`."""

    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: lsp.DidChangeConfigurationParams) -> None:
        session = server.session
        if _can_be_asked(server):
            changed = await pull(server)
        else:
            sent = params.settings
            changed = session.take_options(sent.get(SECTION) if isinstance(sent, dict) else sent)
        if changed:
            session.in_background("a change of settings", session.apply_settings())


async def pull(server: GoassistServer) -> bool:
    """Ask the client for the `goassist` section, if it can be asked; True when a setting has changed."""
    if not _can_be_asked(server):
        return False
    params = lsp.ConfigurationParams([lsp.ConfigurationItem(section=SECTION)])
    try:
        async with asyncio.timeout(_PULL_TIMEOUT_S):
            answer = await server.workspace_configuration_async(params)
    except Exception as error:
        _log.warning("the client gave no configuration, the settings stay as they are: %s", error or "no answer")
        return False
    return server.session.take_options(answer[0] if answer else None)


def _can_be_asked(server: GoassistServer) -> bool:
    workspace = server.client_capabilities.workspace
    return bool(workspace is not None and workspace.configuration)
