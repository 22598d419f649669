"""What the user is told, once a cause, and where log records go: standard error, and warnings to the client too.

Only handlers speak to the user; the pipeline logs.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from goassist_index.errors import GoassistError

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

_log = logging.getLogger(__name__)

_OURS = ("goassist_lsp", "goassist_models", "goassist_index")
_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


class Notices:
    """Messages to the user, each cause said once in the server's life."""

    def __init__(self, say: Callable[[lsp.ShowMessageParams], None]) -> None:
        self._say = say
        self._told: set[str] = set()

    def warn(self, text: str) -> None:
        """Something the user should put right; the server works on."""
        self._tell(text, text, lsp.MessageType.Warning)

    def problem(self, error: GoassistError) -> None:
        """A part of the server that cannot work, and the cure."""
        self._tell(str(error), f"goassist: {error}", lsp.MessageType.Error)

    def advice(self, error: GoassistError) -> None:
        """Something that works, but not well, and what would be better."""
        self._tell(str(error), f"goassist: {error}", lsp.MessageType.Warning)

    def failure(self, doing: str, error: Exception) -> None:
        """A failure inside the server: logged with its traceback every time, said once a place."""
        _log.error("failed at %s", doing, exc_info=error)
        if isinstance(error, GoassistError):
            self.problem(error)
            return
        frames = traceback.extract_tb(error.__traceback__)
        cause = f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else repr(error)
        text = f"goassist failed at {doing}: {error!r}. The server's log has the details."
        self._tell(cause, text, lsp.MessageType.Error)

    def _tell(self, cause: str, text: str, kind: lsp.MessageType) -> None:
        if cause in self._told:
            return
        self._told.add(cause)
        self._say(lsp.ShowMessageParams(type=kind, message=text))


class ClientLog(logging.Handler):
    """Sends our own warnings and errors to the client's log; records of other libraries stay on standard error."""

    def __init__(self, server: LanguageServer) -> None:
        super().__init__(logging.WARNING)
        self._server = server
        self.addFilter(lambda record: record.name.partition(".")[0] in _OURS)

    def emit(self, record: logging.LogRecord) -> None:
        """Called from any thread: the writer below takes messages from any thread."""
        kind = lsp.MessageType.Error if record.levelno >= logging.ERROR else lsp.MessageType.Warning
        try:
            text = f"{record.name}: {self.format(record)}"
            self._server.window_log_message(lsp.LogMessageParams(type=kind, message=text))
        except Exception:
            self.handleError(record)


def log_to_stderr() -> None:
    """Send log records to standard error, at the level that the command line set (warnings and worse if none)."""
    level = logging.getLogger().getEffectiveLevel()
    logging.basicConfig(
        stream=sys.stderr, force=True, format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING
    )
    # pygls logs whole messages, and with them the user's source text, at INFO.
    logging.getLogger("pygls").setLevel(logging.ERROR)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


def set_log_level(level: str) -> None:
    """Apply the `logLevel` setting to our own packages."""
    for name in _OURS:
        logging.getLogger(name).setLevel(_LEVELS[level])
