"""A language server of somebody else, small: plain or inline completion, and failures on demand.

`fake_peer.py PROVIDER [SYNC]`: PROVIDER is completion, inline or neither, SYNC 1 (whole texts, the default) or 2.
What it answers stands in the document's last line, as JSON after `//`: a list of items, or "die", "hang", "busy"
or "fail".
"""

from __future__ import annotations

import json
import sys
from typing import Any


def read() -> dict[str, Any]:
    length = 0
    while (line := sys.stdin.buffer.readline()).strip():
        length = int(line.partition(b":")[2])
    if not line:
        sys.exit(0)
    message: dict[str, Any] = json.loads(sys.stdin.buffer.read(length))
    return message


def send(**message: Any) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sys.stdout.buffer.flush()


def offset(text: str, position: dict[str, int]) -> int:
    """Offset of a position, for texts without surrogates."""
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: position["line"]]) + position["character"]


def complete(number: int, text: str) -> None:
    """Do what the last line says."""
    wanted = json.loads(text.rstrip("\n").rpartition("\n//")[2])
    if wanted == "die":
        print("ERROR: I die as told", file=sys.stderr, flush=True)
        sys.exit(3)
    if wanted == "busy":
        send(id=number, error={"code": -32801, "message": "content modified"})
    elif wanted == "fail":
        send(id=number, error={"code": -32603, "message": "no idea"})
    elif wanted != "hang":
        send(id=number, result={"isIncomplete": False, "items": wanted})


def main() -> None:
    """Serve until told to exit."""
    provider, sync = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    capabilities: dict[str, Any] = {"textDocumentSync": {"openClose": True, "change": sync}}
    if provider != "neither":
        capabilities["inlineCompletionProvider" if provider == "inline" else "completionProvider"] = {}
    texts: dict[str, str] = {}
    while True:
        message = read()
        method, params = message.get("method"), message.get("params") or {}
        if method == "initialize":
            send(id=message["id"], result={"capabilities": capabilities, "serverInfo": {"name": "somebody"}})
        elif method == "textDocument/didOpen":
            texts[params["textDocument"]["uri"]] = params["textDocument"]["text"]
        elif method == "textDocument/didChange":
            uri = params["textDocument"]["uri"]
            for change in params["contentChanges"]:
                text = texts[uri]
                span = change.get("range")
                start = offset(text, span["start"]) if span else 0
                end = offset(text, span["end"]) if span else len(text)
                texts[uri] = text[:start] + change["text"] + text[end:]
        elif method in ("textDocument/completion", "textDocument/inlineCompletion"):
            complete(message["id"], texts[params["textDocument"]["uri"]])
        elif method == "workspace/executeCommand":
            (uri, edit) = params["arguments"]
            changes = [{"textDocument": {"uri": uri, "version": None}, "edits": [edit]}]
            send(id="ask", method="workspace/applyEdit", params={"edit": {"documentChanges": changes}})
            read()  # that it was applied
            send(id=message["id"], result=None)
        elif method == "$/cancelRequest":
            print(f"cancelled {params['id']}", file=sys.stderr, flush=True)
        elif method == "shutdown":
            send(id=message["id"], result=None)
        elif method == "exit":
            return


if __name__ == "__main__":
    main()
