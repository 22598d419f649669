"""`initialized`: ask for configuration and events, then load model and types in the background, with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from goassist_lsp.server.features.did_change_configuration import pull

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer


def register(server: GoassistServer) -> None:
    """Join `initialized`."""

    @server.feature(lsp.INITIALIZED)
    async def initialized(params: lsp.InitializedParams) -> None:
        server.session.in_background("asking the client for events", _register_events(server))
        await pull(server)
        server.session.in_background("starting", server.session.start())


async def _register_events(server: GoassistServer) -> None:
    """Ask for what a client sends only when asked. Changes on disk are not: the type service looks by itself."""
    workspace = server.client_capabilities.workspace
    changed = workspace.did_change_configuration if workspace else None
    if changed is None or not changed.dynamic_registration:
        return
    registration = lsp.Registration(
        "goassist-configuration",
        lsp.WORKSPACE_DID_CHANGE_CONFIGURATION,
        lsp.DidChangeConfigurationRegistrationOptions(section="goassist"),
    )
    try:
        await server.client_register_capability_async(lsp.RegistrationParams([registration]))
    except JsonRpcException:
        return  # the client works without; its settings are those it started with
