"""Tries the native library, and a model, in a child process: a crash there becomes an error message here.

Standard library only (native.py needs it before anything is installed). What passed once is stamped in the
cache, keyed by library, processor and model file, so that later starts do not pay for it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ModelError
from goassist_models.engine.library import waiting

_TIMEOUT_S = 180.0
_KEPT_STAMPS = 32
_REBUILD = "Build it for this machine with `goassist-lsp doctor --fix`"
# Evaluates one token and then a batch: the two take different kernels, and either may be the one that crashes.
_PROGRAM = """
import math, sys
import llama_cpp as l
silent = l.llama_log_callback(lambda *_: None)
l.llama_log_set(silent, None)
l.llama_backend_init()
if len(sys.argv) > 1:
    model = l.llama_model_load_from_file(sys.argv[1].encode(), l.llama_model_default_params())
    if not model:
        sys.exit(3)
    p = l.llama_context_default_params()
    p.n_ctx = p.n_batch = p.n_ubatch = 64
    context = l.llama_init_from_model(model, p)
    if not context:
        sys.exit(4)
    for count in (1, 32):
        tokens = (l.llama_token * count)(*range(10, 10 + count))
        if l.llama_decode(context, l.llama_batch_get_one(tokens, count)) != 0:
            sys.exit(5)
        if not math.isfinite(l.llama_get_logits_ith(context, -1)[0]):
            sys.exit(6)
sys.exit(0)
"""
_STATUS = {
    3: "llama.cpp cannot load this model",
    4: "there is not enough memory for a context of this model",
    5: "llama.cpp failed to evaluate a few tokens",
    6: "llama.cpp evaluates a few tokens to nonsense",
}
_ILLEGAL_INSTRUCTION_WINDOWS = 0xC000001D


def library_digest() -> str | None:
    """Digest of the installed native library's files, None when there is none."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return None
    files = sorted(path for path in (Path(spec.origin).parent / "lib").glob("*") if path.is_file())
    libraries = [path for path in files if path.suffix in (".so", ".dylib", ".dll")]
    return _digest(tuple((path, _file_stamp(path)) for path in libraries))


@lru_cache(maxsize=1)
def _digest(files: tuple[tuple[Path, str], ...]) -> str:
    """Of these files as they are by their stamps: a start asks three times."""
    digest = hashlib.sha256()
    for path, _ in files:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _file_stamp(path: Path) -> str:
    status = path.stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def model_stamp(model: Path) -> str:
    """A model file as it is now: its path, size and time of change. Raises ModelError when it cannot be looked at."""
    try:
        return _file_stamp(model)
    except OSError as error:
        what = f"the model file cannot be read ({error.strerror or error})"
        raise ModelError(what, path=str(model), cure="Check the path") from error


def preflight(model: Path | None, features_key: str) -> None:
    """Run the trial unless a stamp says that it passed; see native.preflight. `features_key`: the processor."""
    library = library_digest()
    if library is None:
        raise ModelError("the native llama.cpp library is not installed", cure=_REBUILD)
    stamp = f"{library} {features_key}"
    if model is not None:
        stamp += f" {model_stamp(model)}"
    if not has_stamp(stamp):
        _try(model)
        keep_stamp(stamp)


def _try(model: Path | None) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, *([str(model)] if model is not None else [])]
    where = str(model) if model is not None else None
    environment = os.environ | waiting(os.environ)
    try:
        child = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"a trial evaluation did not end within {_TIMEOUT_S:.0f} seconds",
            path=where,
            cure="Close other programs or use a smaller model",
        ) from error
    code = child.returncode
    if code == 0:
        return
    if code in (-signal.SIGILL, _ILLEGAL_INSTRUCTION_WINDOWS):
        raise ModelError("the native library was built for another processor", path=where, cure=_REBUILD)
    if code == -9:
        raise ModelError(
            "a trial evaluation was killed, most likely for want of memory",
            path=where,
            cure="Close other programs or use a smaller model",
        )
    if code < 0 or code > 0x80000000:
        what = f"the native library crashed in a trial evaluation ({_signal_name(-code)})"
        raise ModelError(what, path=where, cure=_REBUILD)
    if code in _STATUS:
        cure = "Check it with `goassist-lsp model verify` or use another model" if code == 3 else _REBUILD
        raise ModelError(_STATUS[code], path=where, cure=cure)
    said = child.stderr.decode("utf-8", "replace").strip().splitlines()
    raise ModelError(
        f"the native library cannot be loaded ({said[-1] if said else f'status {code}'})", path=where, cure=_REBUILD
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"status {-number}"


def _stamp_file() -> Path:
    return cache_dir() / "preflight.json"


def _stamps() -> list[str]:
    try:
        kept = json.loads(_stamp_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [stamp for stamp in kept if isinstance(stamp, str)] if isinstance(kept, list) else []


def has_stamp(stamp: str) -> bool:
    """Whether `stamp` was kept before."""
    return stamp in _stamps()


def keep_stamp(stamp: str) -> None:
    """Remember `stamp`; a cache that cannot be written only costs the next start its trial again."""
    stamps = [*(kept for kept in _stamps() if kept != stamp), stamp][-_KEPT_STAMPS:]
    fresh = _stamp_file().with_suffix(f".{os.getpid()}")
    try:
        fresh.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
        fresh.replace(_stamp_file())
    except OSError:
        fresh.unlink(missing_ok=True)
