"""`initialized`: ask for configuration and events, then load model and types in the background, with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from goassist_lsp.server.features.did_change_configuration import pull

if TYPE_CHECKING:
    from goassist_lsp.server.server import GoassistServer

_WATCHED = ("**/*.go", "**/go.mod", "**/go.work", "**/go.sum")


def register(server: GoassistServer) -> None:
    """Join `initialized`."""

    @server.feature(lsp.INITIALIZED)
    async def initialized(params: lsp.InitializedParams) -> None:
        server.session.in_background("asking the client for events", _register_events(server))
        await pull(server)
        server.session.in_background("starting", server.session.start())


async def _register_events(server: GoassistServer) -> None:
    """Ask for what a client sends only when asked, as far as it can be asked."""
    workspace = server.client_capabilities.workspace
    registrations = []
    watched = workspace.did_change_watched_files if workspace else None
    if watched is not None and watched.dynamic_registration:
        watchers = [lsp.FileSystemWatcher(pattern) for pattern in _WATCHED]
        options: object = lsp.DidChangeWatchedFilesRegistrationOptions(watchers)
        method = lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES
        registrations.append(lsp.Registration("goassist-watched-files", method, options))
    changed = workspace.did_change_configuration if workspace else None
    if changed is not None and changed.dynamic_registration:
        method = lsp.WORKSPACE_DID_CHANGE_CONFIGURATION
        options = lsp.DidChangeConfigurationRegistrationOptions(section="goassist")
        registrations.append(lsp.Registration("goassist-configuration", method, options))
    if not registrations:
        return
    try:
        await server.client_register_capability_async(lsp.RegistrationParams(registrations))
    except JsonRpcException:
        return  # the client works without; `goassist.reindex` is there for it
