"""`initialized`: ask for configuration and events, then load model and types in the background, with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from goassist_lsp.server.features.did_change_configuration import pull
from goassist_lsp.server.features.did_change_watched_files import PATTERNS

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
    """Ask for what a client sends only when asked: its settings, and changes on disk for the index."""
    workspace = server.client_capabilities.workspace
    registrations: list[lsp.Registration] = []
    if workspace and workspace.did_change_configuration and workspace.did_change_configuration.dynamic_registration:
        section = lsp.DidChangeConfigurationRegistrationOptions(section="goassist")
        registrations.append(
            lsp.Registration("goassist-configuration", lsp.WORKSPACE_DID_CHANGE_CONFIGURATION, section)
        )
    if workspace and workspace.did_change_watched_files and workspace.did_change_watched_files.dynamic_registration:
        watched = lsp.DidChangeWatchedFilesRegistrationOptions([lsp.FileSystemWatcher(name) for name in PATTERNS])
        registrations.append(lsp.Registration("goassist-files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, watched))
    if not registrations:
        return
    try:
        await server.client_register_capability_async(lsp.RegistrationParams(registrations))
    except JsonRpcException:
        return  # the client works without: its settings are those it started with, and saves are told anyway
