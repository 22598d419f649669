"""Writes docs/settings.md from the fields of `Settings`, so that the reference cannot fall behind the code."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path

from goassist_lsp.settings import Settings, wire_name

TARGET = Path(__file__).parent.parent / "docs" / "settings.md"
HEAD = """# Settings

Sent by the editor as `initializationOptions` or as the `goassist` section of its configuration; read again when they
change. A wrong value is named in a message and the default is used. Where `goassist-lsp bench tune` has measured the
machine, what it found best stands in for the defaults. Made by `scripts/settings_doc.py`: do not edit.

| setting | default | allowed | meaning |
|---|---|---|---|
"""


def render() -> str:
    """The whole page."""
    rows = []
    for setting in fields(Settings):
        limits = setting.metadata
        allowed = "true, false" if isinstance(setting.default, bool) else "text"
        if limits["choices"]:
            allowed = ", ".join(limits["choices"])
        elif limits["low"] is not None:
            allowed = f"{limits['low']} to {limits['high']}"
        rows.append(
            f"| `goassist.{wire_name(setting.name)}` | `{json.dumps(setting.default)}` | {allowed} | {limits['doc']} |"
        )
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(
            0 if TARGET.read_text() == render() else "docs/settings.md is out of date: run scripts/settings_doc.py"
        )
    TARGET.write_text(render())
