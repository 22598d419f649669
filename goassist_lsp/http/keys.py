"""Keys: made once, kept only as digests, compared in constant time.

A key has 256 random bits, so one round of SHA-256 is as good as a slow hash: there is nothing to guess. The file:

    [[key]]
    name = "ci"
    sha256 = "…"
    at_once = 4            # requests under way at once; left out: no limit of its own
    per_minute = 120       # requests begun a minute
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError
from goassist_lsp.http.admission import Client

_PREFIX = "gak-"
_NAME = re.compile(r"[\w.@-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may ask, by the digests of their keys."""

    clients: tuple[tuple[bytes, Client], ...]

    @classmethod
    def read(cls, path: Path) -> Keys:
        """The keys of a file. Raises ConfigError for one that cannot be read or holds anything else."""
        cure = "Make one with `goassist-lsp serve --keys FILE --new-key NAME`"
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8")).get("key", [])
        except OSError as error:
            raise ConfigError(f"cannot be read ({error.strerror})", path=str(path), cure=cure) from error
        except ValueError as error:
            raise ConfigError(f"it is no file of keys ({error})", path=str(path), cure=cure) from error
        if not isinstance(tables, list) or not tables:
            raise ConfigError("there is no key in it", path=str(path), cure=cure)
        found = tuple(_entry(table, path) for table in tables)
        names = [client.name for _, client in found]
        if len(set(names)) < len(names):
            raise ConfigError("two keys have the same name", path=str(path), cure="Give each its own")
        return cls(found)

    def client(self, authorization: str) -> Client | None:
        """Whose key an Authorization header holds; None: nobody's. Takes as long whichever it is, or is not."""
        scheme, _, key = authorization.partition(" ")
        digest = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).digest()
        found = None
        for known, client in self.clients:
            if hmac.compare_digest(known, digest):
                found = client
        return found if scheme.lower() == "bearer" else None


def _entry(table: Any, path: Path) -> tuple[bytes, Client]:
    cure = "Each [[key]] has a name, a sha256 of 64 hexadecimal digits, and numbers if any"
    if not isinstance(table, dict):
        raise ConfigError("a key is no table", path=str(path), cure=cure)
    name, digest = table.get("name"), table.get("sha256")
    numbers = [table.get(key, 0) for key in ("at_once", "per_minute")]
    fits = isinstance(name, str) and isinstance(digest, str) and _NAME.fullmatch(name) and _DIGEST.fullmatch(digest)
    if not fits or any(type(number) is not int or number < 0 for number in numbers):
        raise ConfigError(f"the key {name!r} cannot be used", path=str(path), cure=cure)
    assert isinstance(name, str) and isinstance(digest, str)
    return bytes.fromhex(digest), Client(name, *numbers)


def add_key(path: Path, name: str) -> str:
    """Make a key, add its digest to the file (made where there is none, for its owner alone), and return the key.

    Raises ConfigError for a name that cannot be, or is there already.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot be a key's name", cure="Use letters, digits, dots, dashes, at most 64")
    if path.exists() and any(client.name == name for _, client in Keys.read(path).clients):
        raise ConfigError(f"there is a key {name!r} already", path=str(path), cure="Remove it, or take another name")
    key = _PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "a", encoding="utf-8") as stream:
            stream.write(f'[[key]]\nname = "{name}"\nsha256 = "{digest}"\n\n')
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", path=str(path), cure="Check the path") from error
    return key
