"""Small Go documents whose first line directs the fake server."""

from __future__ import annotations

import json
from typing import Any

# Line and column (any encoding) of the hole in what `go_file` makes.
HOLE = (4, 1)


def go_file(line_end: str = "\n", **directions: Any) -> str:
    """A file with an empty function body; the fake engine acts as `directions` say."""
    first = "//fake " + json.dumps(directions)
    return line_end.join([first, "package main", "", "func main() {", "\t", "}", ""])
