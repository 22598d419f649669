"""The one error hierarchy. It stands in the bottom package so that every layer can raise from it.

GoassistError            what happened, to which file, and what to do about it
├── ConfigError          a setting, flag or environment variable that cannot be used
├── ModelError           weights or native library: absent, damaged, unfit for this machine
│   ├── PromptTooLong    a prompt that the model's context cannot hold
│   └── DownloadError    a model that could not be fetched (what was fetched is kept for the next try)
├── IndexUnavailable     an index that cannot be made, written or read now (disk, rights, another process)
│   └── IndexCorrupt     a stored index that is damaged
├── CheckerUnavailable   the Go type service cannot be built, started or reached
└── SourceError          a Go file or position that cannot be worked with (encoding, size, past the end)
"""

from __future__ import annotations


class GoassistError(Exception):
    """Base of all errors a user may see.

    `what` is one sentence without a final stop; `path` is the file or thing concerned, if any;
    `cure` is what the user can do, as an imperative sentence without a final stop.
    """

    def __init__(self, what: str, *, path: str | None = None, cure: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.path = path
        self.cure = cure

    def __str__(self) -> str:
        text = f"{self.path}: {self.what}" if self.path else self.what
        return f"{text}. {self.cure}." if self.cure else f"{text}."


class ConfigError(GoassistError):
    """A setting, flag or environment variable that cannot be used."""


class ModelError(GoassistError):
    """Weights or native library: absent, damaged or unfit for this machine."""


class PromptTooLong(ModelError):
    """A prompt that the model's context cannot hold."""


class DownloadError(ModelError):
    """A model that could not be fetched; what was fetched is kept for the next try."""


class IndexUnavailable(GoassistError):
    """An index that cannot be made, written or read now; what was stored before stays as it was."""


class IndexBusy(IndexUnavailable):
    """An index that another process is writing."""


class IndexCorrupt(IndexUnavailable):
    """A stored index that is damaged."""


class CheckerUnavailable(GoassistError):
    """The Go type service cannot be built, started or reached."""


class SourceError(GoassistError):
    """A Go file or position that cannot be worked with."""
