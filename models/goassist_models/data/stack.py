"""Source files of The Stack v2 (Go), read from Parquet shards as `datasets` streams them.

A row names a file by Software Heritage's id and carries its repository, path, detected licences and encoding; its
contents lie in Software Heritage's bucket, by blob id, and may stand in a `content` column beside it (as in
the-stack-v2-train-smol-ids after joining). Schema: huggingface.co/datasets/bigcode/the-stack-v2.
There is no module directory, hence no go.mod: its files pass the gates that need none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from goassist_index.errors import ConfigError, GoassistError
from goassist_models.data.blocked import blocking
from goassist_models.data.collect import read
from goassist_models.data.records import SourceFile

COLUMNS = ("blob_id", "repo_name", "path", "detected_licenses", "license_type", "src_encoding", "is_vendor")
HUB_NAME = "bigcode/the-stack-v2"


def stack_files(source: str) -> Iterator[SourceFile]:
    """Files of a Parquet shard, or (`source` "hub") of the data set itself, which asks for an account's token.

    Raises GoassistError when a row lacks a column: the schema is another one.
    """
    for row in _rows(source):
        yield _file(row, source)


def _rows(source: str) -> Iterator[Mapping[str, Any]]:
    from datasets import load_dataset

    if source == "hub":
        yield from load_dataset(HUB_NAME, "Go", split="train", streaming=True)
        return
    path = Path(source).expanduser()
    if not path.is_file():
        raise ConfigError("there is no such shard", path=str(path), cure="Name a Parquet file of The Stack v2's Go")
    yield from load_dataset("parquet", data_files=str(path), split="train", streaming=True)


def _file(row: Mapping[str, Any], source: str) -> SourceFile:
    if missing := [name for name in COLUMNS if name not in row]:
        raise GoassistError(f"a row has no column {missing[0]}", path=source, cure="Use The Stack v2's schema")
    module = f"github.com/{row['repo_name']}"
    declared = tuple(sorted(row["detected_licenses"] or ()))
    file = SourceFile(module, str(row["blob_id"])[:12], "The Stack v2", "", str(row["path"]).lstrip("/"), "")
    if row["license_type"] != "permissive":
        return file.drop("collect", f"licence type {row['license_type']}")
    if row["is_vendor"]:
        return file.drop("collect", "vendored")
    if (by := blocking(module)) is not None:
        return file.drop("collect", f"blocked: {by}")
    return read(SourceFile(**{**_fields(file), "declared": declared}), _content(row, source))


def _fields(file: SourceFile) -> dict[str, Any]:
    return {name: getattr(file, name) for name in SourceFile.__slots__}


def _content(row: Mapping[str, Any], source: str) -> bytes:
    if row.get("content") is not None:
        return str(row["content"]).encode()
    try:
        from smart_open import open as open_blob

        with open_blob(f"s3://softwareheritage/content/{row['blob_id']}", "rb", compression=".gz") as blob:
            text: str = blob.read().decode(row["src_encoding"])
            return text.encode()
    except (ImportError, OSError, LookupError, UnicodeDecodeError) as error:
        raise GoassistError(
            f"the contents of {row['blob_id']} cannot be read ({error})",
            path=source,
            cure="Join the contents into a `content` column, or install smart_open[s3] and set AWS credentials",
        ) from error
