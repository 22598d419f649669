"""Writes docs/settings.md, the list in Neovim's help and VS Code's from the fields of `Settings`: none falls behind."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from goassist_lsp.settings import CLIENT_SETTINGS, Settings, wire_name

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "settings.md"
VIM_HELP = ROOT / "editors" / "nvim" / "doc" / "goassist.txt"
VSCODE = ROOT / "editors" / "vscode" / "package.json"
# The generated part of the help stands between this line and the next section's rule.
VIM_HELP_BEGINS = "by scripts/settings_doc.py: do not edit.\n"
VIM_HELP_ENDS = "=" * 78 + "\n"
# A program's path is the machine's own: it is not carried to others by the synchronization of settings.
MACHINE = "machine-overridable"
HEAD = """# Settings

Sent by the editor as `initializationOptions` or as the `goassist` section of its configuration; read again when they
change. A wrong value is named in a message and the default is used. Where `goassist-lsp bench tune` has measured the
machine, what it found best stands in for the defaults. Made by `scripts/settings_doc.py`: do not edit.

| setting | default | allowed | meaning |
|---|---|---|---|
"""


def settings() -> Iterator[tuple[str, str, str, str]]:
    """Name, default, what is allowed and meaning of each of the server's settings."""
    for setting in fields(Settings):
        limits = setting.metadata
        if not limits:
            continue
        allowed = "true, false" if isinstance(setting.default, bool) else "text"
        if limits["choices"]:
            allowed = ", ".join(limits["choices"])
        elif limits["low"] is not None:
            allowed = f"{limits['low']} to {limits['high']}"
        yield wire_name(setting.name), json.dumps(setting.default), allowed, limits["doc"]


def render() -> str:
    """The whole page."""
    own = ((name, '""', "text", doc) for name, doc in CLIENT_SETTINGS.items())
    rows = [
        f"| `goassist.{name}` | `{default}` | {allowed} | {doc} |"
        for name, default, allowed, doc in (*settings(), *own)
    ]
    return HEAD + "\n".join(rows) + "\n"


def render_vim_help(text: str) -> str:
    """Neovim's help with its list of settings made anew."""
    before, _, rest = text.partition(VIM_HELP_BEGINS)
    after = rest[rest.index(VIM_HELP_ENDS) :]
    entries = []
    for name, default, allowed, doc in settings():
        tag = f"*goassist-{name}*"
        entries.append(f"{name} = {default}".ljust(78 - len(tag)) + tag)
        entries += textwrap.wrap(f"{doc} ({allowed})", 78, initial_indent="    ", subsequent_indent="    ")
    return before + VIM_HELP_BEGINS + "\n" + "\n".join(entries) + "\n\n" + after


def render_vscode(text: str) -> str:
    """The extension's manifest with its settings made anew."""
    manifest = json.loads(text)
    properties: dict[str, Any] = {}
    for setting in fields(Settings):
        limits = setting.metadata
        if not limits:
            continue
        kind = {bool: "boolean", int: "integer", str: "string"}[type(setting.default)]
        found: dict[str, Any] = {"type": kind, "default": setting.default, "description": limits["doc"]}
        if limits["choices"]:
            found["enum"] = list(limits["choices"])
        elif limits["low"] is not None:
            found |= {"minimum": limits["low"], "maximum": limits["high"]}
        properties[f"goassist.{wire_name(setting.name)}"] = found
    for name, doc in CLIENT_SETTINGS.items():
        properties[f"goassist.{name}"] = {"type": "string", "default": "", "description": doc, "scope": MACHINE}
    manifest["contributes"]["configuration"]["properties"] = properties
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    made = {
        TARGET: render(),
        VIM_HELP: render_vim_help(VIM_HELP.read_text()),
        VSCODE: render_vscode(VSCODE.read_text()),
    }
    stale = [path.name for path, text in made.items() if path.read_text() != text]
    if sys.argv[1:] == ["--check"]:
        sys.exit(f"out of date: {', '.join(stale)}: run scripts/settings_doc.py" if stale else 0)
    for path, text in made.items():
        path.write_text(text)
