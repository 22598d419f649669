"""Second stage, the licence gate: only what MIT, BSD or Apache-2.0 cover, by the licence files nearest to each source.

Go's licensecheck, the matcher behind pkg.go.dev, reads the texts in a small program of ours. A file is out when a
text is not known, when one of several does not allow it, and when its own head names a licence that does not.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError
from goassist_index.gotools import run_go
from goassist_models.data.records import SourceFile, read_shard, shard_text
from goassist_models.data.shards import Counts

ALLOWED = frozenset(
    {"MIT", "MIT-0", "Apache-2.0", "0BSD", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear"}
    | {"BSD-2-Clause-FreeBSD", "BSD-2-Clause-NetBSD", "BSD-2-Clause-Views", "BSD-Source-Code"}
)
# licensecheck's own measure of how much of a text is a licence that it knows; pkg.go.dev asks for as much.
MIN_PERCENT = 75.0
_FILE_NAME = re.compile(r"(?i)(?:un)?licen[cs]es?(?:[-_.][^/]*)?|copying(?:[-_.][^/]*)?|[^/]*[-_.]licen[cs]e(?:\.\w+)?")
_SPDX_LINE = re.compile(r"SPDX-License-Identifier:\s*([^\n*]+)")
_SPDX_WORD = re.compile(r"[A-Za-z0-9.+-]+")
_HEAD = re.compile(r"\A(?:\s|//[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
_MAX_TEXT_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Found:
    """Licences in one text, and the share of it that they are, in per cent."""

    ids: tuple[str, ...]
    percent: float


def licence(shard: str) -> tuple[str, Counts]:
    """The shard with a licence on every file, or why it is out."""
    sources = read_shard(Path(shard))
    texts = {name: text for file in sources if file.root for name, text in _nearest(file)}
    heads = {f"head of {file.name}": _HEAD.match(file.text)[0] for file in sources if not file.dropped}  # type: ignore[index]
    found = scan({**texts, **{name: text for name, text in heads.items() if text.strip()}})
    counts: Counter[str] = Counter()
    kept = []
    for file in sources:
        judged = file if file.dropped else _judged(file, found, heads[f"head of {file.name}"])
        counts[judged.dropped or f"licence {' AND '.join(judged.spdx)}"] += 1
        kept.append(replace(judged, text="", functions=()) if judged.dropped else judged)
    return shard_text(kept), counts


def _judged(file: SourceFile, found: Mapping[str, Found], head: str) -> SourceFile:
    if file.root:
        near = [found[name] for name, _ in _nearest(file)]
        if not near:
            return file.drop("licence", "none")
        ids = tuple(sorted({i for one in near for i in one.ids}))
        if any(not one.ids or one.percent < MIN_PERCENT for one in near):
            return file.drop("licence", f"not known{' beside ' + ', '.join(ids) if ids else ''}")
    else:
        ids = tuple(sorted(set(file.declared)))
        if not ids:
            return file.drop("licence", "none")
    if refused := [name for name in ids if name not in ALLOWED]:
        return file.drop("licence", ", ".join(refused))
    own = found.get(f"head of {file.name}")
    named = {*(own.ids if own else ()), *_named(head)}
    if refused := sorted(named - ALLOWED):
        return file.drop("licence", f"its head says {', '.join(refused)}")
    return replace(file, spdx=ids)


def _named(head: str) -> set[str]:
    words = {word for line in _SPDX_LINE.findall(head) for word in _SPDX_WORD.findall(line)}
    return words - {"AND", "OR", "WITH"}


def _nearest(file: SourceFile) -> tuple[tuple[str, str], ...]:
    """Names and texts of the licence files in the nearest directory that has any, up to the source's root."""
    root = Path(file.root)
    top = root.parent if file.origin == "standard library" else root
    folder = (root / file.path).parent
    while True:
        if texts := _licence_files(folder):
            return texts
        if folder in (top, folder.parent):
            return ()
        folder = folder.parent


@cache
def _licence_files(folder: Path) -> tuple[tuple[str, str], ...]:
    try:
        names = sorted(p for p in folder.iterdir() if _FILE_NAME.fullmatch(p.name) and p.suffix != ".go")
        # A link may lead anywhere: what it says is not this source's.
        texts = [(p, p.read_bytes()[:_MAX_TEXT_BYTES]) for p in names if p.is_file() and not p.is_symlink()]
    except OSError:
        return ()
    return tuple((str(path), text.decode("utf-8", "replace")) for path, text in texts)


def scan(texts: Mapping[str, str]) -> dict[str, Found]:
    """Licences in each text, by its name. Raises GoassistError when the program cannot be built or breaks down."""
    if not texts:
        return {}
    # Most heads of a module are the same few lines.
    once = {text: str(number) for number, text in enumerate(dict.fromkeys(texts.values()))}
    asked = "".join(json.dumps({"id": number, "text": text}) + "\n" for text, number in once.items())
    done = subprocess.run([str(program())], input=asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GoassistError(f"the licence matcher failed ({done.stderr.strip()[-200:]})", path=str(program()))
    found = {a["id"]: _found(a["found"], a["percent"]) for a in map(json.loads, _lines(done.stdout))}
    return {name: found[once[text]] for name, text in texts.items()}


def _lines(text: str) -> Iterable[str]:
    return (line for line in text.split("\n") if line)


def _found(matches: Iterable[Mapping[str, str]], percent: float) -> Found:
    return Found(tuple(sorted({match["id"] for match in matches})), percent)


@cache
def program() -> Path:
    """The matcher, built by the user's Go into the cache on first use; licensecheck comes by the Go proxy.

    Raises GoassistError, with the toolchain's words, when it cannot be built.
    """
    with as_file(files(__package__).joinpath("licences")) as sources:
        texts = {path.name: path.read_bytes() for path in sorted(sources.iterdir()) if path.is_file()}
    cache = cache_dir()
    digest = sha256(b"\0".join(name.encode() + b"\0" + text for name, text in texts.items())).hexdigest()[:16]
    binary = cache / "tools" / f"licences-{digest}"
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
        for name, text in texts.items():
            (Path(scratch) / name).write_bytes(text)
        flags = {"GOWORK": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
        done = run_go(["build", "-trimpath", "-o", "licences", "."], Path(scratch), environment=flags)
        if not done.ok:
            raise GoassistError(
                f"the licence matcher cannot be built ({done.output.strip()[-300:]})",
                path=str(binary),
                cure="Check the network (GOPROXY) and the version of Go",
            )
        (Path(scratch) / "licences").replace(binary)
    return binary
