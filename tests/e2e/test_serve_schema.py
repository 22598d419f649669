"""Requests that nobody would write, made from the API's own description: an answer or a clear error, never a 5xx."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2

from goassist_lsp.http.openapi import OPERATIONS, description, page
from goassist_lsp.http.schema import ChatRequest, CompletionRequest, EmbeddingsRequest
from support.serving import serving
from support.workspaces import lay_out


def test_requests_made_from_the_description_never_break_the_server(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "shop")
    with serving("--workspace", str(root), "--embeddings", "--read-timeout", "1") as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
                *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--seed", "1", "--no-color"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
        counted = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
        assert counted is not None and counted[1] == counted[2] and int(counted[1]) > 200, done.stdout[-2000:]
        assert httpx2.get(f"{server.url}/healthz").status_code == 200


def test_description_names_every_parameter_and_every_path() -> None:
    described = description()
    for kind in (CompletionRequest, ChatRequest, EmbeddingsRequest):
        properties = described["components"]["schemas"][kind.__name__]["properties"]
        assert set(properties) == set(kind.__dataclass_fields__)
        assert all(one.get("description") for one in properties.values())
    assert {operation.path for operation in OPERATIONS} == set(described["paths"])
    assert "compile_check" in page()


def test_every_route_is_described() -> None:
    with serving() as server:
        assert httpx2.get(f"{server.url}/openapi.json").json() == description()
        for path in description()["paths"]:
            assert httpx2.options(f"{server.url}{path}").status_code == 405
