"""The language server: JSON-RPC on one side, `goassist_lsp.app.Assistant` on the other.

`features/` holds one file per LSP method; `run_stdio` and `run_tcp` are what the command line calls. Nothing
heavy is imported before the client has had its answer to `initialize`.
"""

from __future__ import annotations

__all__ = ["run_stdio", "run_tcp"]


def run_stdio() -> int:
    """Serve one client on standard input and output until it leaves; returns the process's exit status."""
    from goassist_lsp.server.run import serve_stdio

    return serve_stdio()


def run_tcp(port: int, host: str = "127.0.0.1") -> int:
    """Wait for one client on `host:port`, serve it until it leaves; returns the process's exit status.

    Port 0 takes a free one; the port in use is written to standard error. Raises ConfigError when the port
    cannot be had.
    """
    from goassist_lsp.server.run import serve_tcp

    return serve_tcp(port, host)
