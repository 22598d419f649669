"""The server as OpenAI's own client for Node sees it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support import node
from support.serving import serving

SCRIPT = Path(node.__file__).with_name("openai_client.mjs")


def test_openais_client_for_node_gets_what_it_expects() -> None:
    packages = node.with_openai()
    with serving() as server:
        done = subprocess.run(
            [node.NODE, str(SCRIPT), f"{server.url}/v1", str(packages)],
            env=node.environment(), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        server.wait_for_line("engine: cancelled")  # what the client let go has ended
    found: dict[str, Any] = json.loads(done.stdout)
    stream, chat_stream = found.pop("stream"), found.pop("chatStream")
    assert (stream["text"], stream["chunks"] > 2) == ("a b c", True)
    assert chat_stream["text"] == "hi there"
    assert found == {
        "completion": {"text": "a + b", "tokens": ["a", " ", "+", " ", "b"], "usage": 5},
        "suffix": "1",
        "several": ["a", "b"],
        "chat": "hi",
        "checked": ["return a + b", "ok"],
        "wrongType": {"name": "BadRequestError", "status": 400, "param": "n", "type": "invalid_request_error"},
        "failure": {"name": "InternalServerError", "status": 502, "code": "model_unavailable"},
        "cancellation": "x",
        "models": ["scripted"],
    }
