"""Fills functions that hold nothing but `// TODO(goassist)`, by a server that was started with their workspace.

    goassist-lsp serve --workspace . --allow-tests &
    python scripts/fill_todos.py .

`// TODO(goassist): TestParse` asks for a body with which the tests of that name pass; without a name it has to compile.
A line with a panic may follow: with it the package compiles, which tests of its other functions need. What cannot be
filled stays as it is, and is named with why; exit status 1 then. Of the standard library alone, for hooks and CI jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TODO = re.compile(
    r"^func [^\n]*\{\n[ \t]+"
    r"(?P<mark>// TODO\(goassist\)(?::[ \t]*(?P<tests>\S+))?[ \t]*(?:\n[ \t]*panic\([^\n]*\)[ \t]*)?)"
    r"\n\}",
    re.MULTILINE,
)
MAX_TOKENS = 512
TIMEOUT_S = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="the workspace's root")
    parser.add_argument("--url", default="http://127.0.0.1:8642/v1", help="address of the server, with /v1")
    parser.add_argument("--workspace", help="its name there (default: the directory's)")
    parser.add_argument("--attempts", type=int, default=8, help="candidates that are tried with the tests (default 8)")
    args = parser.parse_args()
    root = args.directory.resolve()
    left = 0
    # Tests need the whole package to compile: what has none comes first.
    for with_tests in (False, True):
        for path in sorted(root.rglob("*.go")):
            left += filled(path, root, args, with_tests=with_tests)
    return int(left > 0)


def filled(path: Path, root: Path, args: argparse.Namespace, *, with_tests: bool) -> int:
    """Fill a file's functions with tests, or those without, the first one first; returns how many are left."""
    text = path.read_text(encoding="utf-8")
    left = begin = 0
    while (todo := TODO.search(text, begin)) is not None:
        if bool(todo["tests"]) is not with_tests:
            begin = todo.end()
            continue
        where = f"{path.relative_to(root)}:{text.count(chr(10), 0, todo.start()) + 1}"
        before, after = text[: todo.start("mark")], text[todo.end("mark") :]
        asked = {
            "prompt": before,
            "suffix": after,
            "workspace": args.workspace or root.name,
            "file": path.relative_to(root).as_posix(),
            "max_tokens": MAX_TOKENS,
            "compile_check": True,
        }
        if todo["tests"]:
            asked |= {"test_pattern": todo["tests"], "attempts": args.attempts}
        (choice,) = ask(args.url, asked)["choices"]
        told = choice["goassist"]
        if "TODO(goassist)" in choice["text"]:
            print(f"{where}: left as it is: the model would leave it too")
            left, begin = left + 1, todo.end()
        elif told["verdict"] == "ok":
            text = with_edits(before + choice["text"] + after, told["edits"])
            path.write_text(text, encoding="utf-8")
            print(f"{where}: filled" + (f", {', '.join(told['tests']['ran'])} passed" if told["tests"] else ""))
            begin = 0
        else:
            print(f"{where}: left as it is: {told['reason'] or told['verdict']}")
            left, begin = left + 1, todo.end()
    return left


def with_edits(text: str, edits: list[dict[str, Any]]) -> str:
    """The text with its imports; they stand before the answer, in bytes of the file as it was."""
    data = text.encode()
    for edit in sorted(edits, key=lambda edit: -edit["start"]):
        data = data[: edit["start"]] + edit["text"].encode() + data[edit["end"] :]
    return data.decode()


def ask(url: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The server's answer. Ends the program with its words where it refuses."""
    key = os.environ.get("GOASSIST_API_KEY", "")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(f"{url}/completions", json.dumps(asked).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        sys.exit(f"the server refuses: {error.read().decode('utf-8', 'replace')}")
    except urllib.error.URLError as error:
        sys.exit(f"the server at {url} does not answer: {error.reason}")


if __name__ == "__main__":
    sys.exit(main())
