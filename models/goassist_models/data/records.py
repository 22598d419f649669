"""What the data stages hand on: one Go file with its functions, which grows stage by stage and is one JSON line.

A file or function that a stage refuses stays in its shard with the cause, as "STAGE: CAUSE": nothing is lost, and the
report counts from the shards alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cattrs

from goassist_index.errors import GoassistError

_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """Bytes [start, end) of its file. `types` are type names that it mentions, `tests` those of tests that name it.

    `digest` is over its tokens with identifiers made alike (dedup.py); `dropped` says by which stage and why.
    """

    name: str
    start: int
    end: int
    types: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    digest: str = ""
    dropped: str = ""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of one module. `path` is relative to the module, with slashes; `root` the directory it was read in.

    `root` is "" where the source has no directory with its dependencies (The Stack): then there are no gates that
    need one. `spdx` are the licences that hold for it, `declared` those that its source claims without a text.
    """

    module: str
    version: str
    origin: str
    root: str
    path: str
    text: str
    imports: tuple[str, ...] = ()
    functions: tuple[FunctionRecord, ...] = ()
    spdx: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    dropped: str = ""

    @property
    def name(self) -> str:
        """MODULE@VERSION/PATH."""
        at = f"@{self.version}" if self.version else ""
        return f"{self.module}{at}/{self.path}"

    @property
    def kept(self) -> tuple[FunctionRecord, ...]:
        """Functions that no stage has refused; none when the file itself was."""
        return () if self.dropped else tuple(f for f in self.functions if not f.dropped)

    def drop(self, stage: str, cause: str) -> SourceFile:
        """This file, refused as a whole; what refused it first stays."""
        return self if self.dropped else replace(self, dropped=f"{stage}: {cause}")


def read_shard(path: Path) -> list[SourceFile]:
    """All files of a shard. Raises GoassistError, naming the line, for what is none."""
    found = []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise GoassistError(f"a shard cannot be read ({error.strerror})", path=str(path)) from error
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            found.append(_CONVERTER.structure(json.loads(line), SourceFile))
        except (ValueError, TypeError, KeyError, cattrs.BaseValidationError) as error:
            raise GoassistError(
                f"line {number} is no record of this stage ({type(error).__name__})",
                path=str(path),
                cure="Remove the file: its stage makes it anew",
            ) from error
    return found


def shard_text(records: Iterable[SourceFile]) -> str:
    """A shard's contents: one JSON line a file."""
    return "".join(json.dumps(_CONVERTER.unstructure(r), ensure_ascii=False, sort_keys=True) + "\n" for r in records)
