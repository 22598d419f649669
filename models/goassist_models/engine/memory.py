"""What this process holds of memory, told to the C library and the kernel; each does nothing where that cannot be done.

Used when a model is loaded: the model takes most of a server's memory, and what passes should not add to it for good.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import sys
from pathlib import Path

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # M_* of glibc's malloc.h
_DONT_NEED = 4  # MADV_DONTNEED of Linux
# Texts of files and logits are longer, and are freed soon: outside of the heap, which would be torn to pieces by them.
_LONG_BYTES = 128 * 1024
_ARENAS = 2


def hold_less() -> None:
    """Have long blocks returned to the system when they are freed, and few threads keep heaps of their own.

    glibc raises the length from which blocks are returned whenever one is freed: up to 32 MiB.
    """
    mallopt = _from_libc("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LONG_BYTES)
        mallopt(_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Give the system back what has been freed, as after loading."""
    gc.collect()
    trim = _from_libc("malloc_trim")
    if trim is not None:
        trim(0)


def let_go_of_pages(path: Path, first: int = 0, end: int = sys.maxsize) -> None:
    """Let go of the whole pages of the file at `path` from byte `first` to before `end` that are mapped here.

    Those that are used come back, each with some beside it. llama.cpp maps all of a model: tensors that it holds in
    another layout too are not looked at in the file again, and of the embeddings only the rows of tokens are.
    """
    madvise = _from_libc("madvise")
    if madvise is None:
        return
    mapped = str(path.resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, permissions, offset, _, _, *name = line.split(maxsplit=5)
        # What can be written to would be lost.
        if name == [mapped] and permissions.startswith("r--"):
            start, stop = (int(address, 16) for address in addresses.split("-"))
            begins = start - int(offset, 16)  # where the file's first byte would be
            start = max(start, begins - (-first // mmap.PAGESIZE) * mmap.PAGESIZE)
            stop = min(stop, begins + end // mmap.PAGESIZE * mmap.PAGESIZE)
            if start < stop:
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), _DONT_NEED)


def _from_libc(name: str) -> ctypes._NamedFuncPointer | None:
    # Elsewhere the same names mean other things, or nothing.
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
