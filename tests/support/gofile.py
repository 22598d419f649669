"""Small Go documents whose first line directs the fake server, and what that server's assistant was told."""

from __future__ import annotations

import json
from typing import Any

from support.lsp_client import LspClient

# Line and column (any encoding) of the hole in what `go_file` makes.
HOLE = (4, 1)


def go_file(line_end: str = "\n", **directions: Any) -> str:
    """A file with an empty function body; the fake engine acts as `directions` say."""
    first = "//fake " + json.dumps(directions)
    return line_end.join([first, "package main", "", "func main() {", "\t", "}", ""])


async def told(client: LspClient) -> list[list[Any]]:
    """What the assistant was told since this test began, in order: ["changed", file name, text] and so on."""
    status = await client.command("goassist.status")
    return status["log"][client.told_before :]  # type: ignore[no-any-return]
