"""One server for a team: keys, limits of each, and the addresses at which it may be asked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import openai
import pytest
from openai import OpenAI

from support.serving import REAL, SCRIPTED, Server, serving

SHORT = '//fake {"say": ["a"]}'


def new_key(path: Path, name: str) -> str:
    made = subprocess.run(
        [*SCRIPTED, "--keys", str(path), "--new-key", name], capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    made = {name: new_key(path, name) for name in ("free", "slow", "single")}
    text = path.read_text().replace('name = "slow"', 'name = "slow"\nper_minute = 2')
    path.write_text(text.replace('name = "single"', 'name = "single"\nat_once = 1'))
    return path, made


@pytest.fixture(scope="module")
def server(keys: tuple[Path, dict[str, str]]) -> Iterator[Server]:
    with serving("--keys", str(keys[0]), "--host", "0.0.0.0") as started:
        started.url = started.url.replace("0.0.0.0", "127.0.0.1")
        yield started


def client(server: Server, key: str) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


def test_keys_are_kept_as_digests_that_only_their_owner_reads(keys: tuple[Path, dict[str, str]]) -> None:
    path, made = keys
    assert len(set(made.values())) == 3
    assert not any(key in path.read_text() for key in made.values())
    assert path.stat().st_mode & 0o077 == 0


def test_known_key_is_answered_and_named_in_the_log(server: Server, keys: tuple[Path, dict[str, str]]) -> None:
    with client(server, keys[1]["free"]) as asking:
        assert asking.completions.create(model="any", prompt=SHORT).choices[0].text == "a"
    assert server.logged(client="free", status=200)
    assert not any(key in line for key in keys[1].values() for line in server.lines)


@pytest.mark.parametrize("key", ["x", "gak-" + "x" * 43, "é"])
def test_unknown_key_is_refused(server: Server, key: str) -> None:
    headers = {"authorization": f"Bearer {key}".encode()}
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nothing"):
        refused = httpx2.get(f"{server.url}{path}", headers=headers)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.json()["error"]["code"] == "invalid_api_key"


def test_health_needs_no_key(server: Server) -> None:
    assert [httpx2.get(f"{server.url}/{path}").status_code for path in ("healthz", "readyz")] == [200, 200]


def test_requests_a_minute_are_limited_for_each_key(server: Server, keys: tuple[Path, dict[str, str]]) -> None:
    with client(server, keys[1]["slow"]) as asking:
        for _ in range(2):
            asking.completions.create(model="any", prompt=SHORT)
        with pytest.raises(openai.RateLimitError) as refused:
            asking.completions.create(model="any", prompt=SHORT)
    assert refused.value.code == "rate_limit_exceeded"
    assert 0 < int(refused.value.response.headers["retry-after"]) <= 60
    with client(server, keys[1]["free"]) as other:
        assert other.completions.create(model="any", prompt=SHORT).choices[0].text == "a"


def test_requests_at_once_are_limited_for_each_key(server: Server, keys: tuple[Path, dict[str, str]]) -> None:
    endless = '//fake {"endless": true, "token_s": 0.01}'
    with client(server, keys[1]["single"]) as asking:
        with asking.completions.create(model="any", prompt=endless, max_tokens=10**6, stream=True) as stream:
            next(iter(stream))
            with pytest.raises(openai.RateLimitError) as refused:
                asking.completions.create(model="any", prompt=SHORT)
            assert refused.value.code == "too_many_at_once"
        server.wait_for_line("engine: cancelled")


def test_name_that_was_made_to_lead_here_is_not_answered_without_keys() -> None:
    with serving() as server:
        port = server.url.rpartition(":")[2]
        for host, status in ((f"localhost:{port}", 200), ("evil.example", 403), (f"evil.example:{port}", 403)):
            assert httpx2.get(f"{server.url}/v1/models", headers={"host": host}).status_code == status


def test_page_in_a_browser_cannot_ask_without_being_allowed_to() -> None:
    with serving() as server:
        simple = httpx2.post(
            f"{server.url}/v1/completions",
            content=json.dumps({"prompt": SHORT}),
            headers={"content-type": "text/plain"},
        )
        assert (simple.status_code, simple.json()["error"]["code"]) == (415, "unsupported_media_type")
        asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
        preflight = httpx2.options(f"{server.url}/v1/completions", headers=asked)
        assert (preflight.status_code, "access-control-allow-origin" in preflight.headers) == (405, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "on this machine only"),
        (["--host", "example.com"], "on this machine only"),
        (["--keys", "/nowhere/keys.toml"], "cannot be read"),
        (["--new-key", "x"], "needs --keys"),
        (["--workspace", "/nowhere"], "no such directory"),
        (["--slots", "0"], "above 0"),
        (["--timeout", "-1"], "above 0"),
        (["--queue", "-1"], "negative"),
        (["--model", "nobody-knows-it"], "nobody-knows-it"),
        (["--host", "127.0.0.1", "--port", "1", "--keys", "KEYS", "--host", "203.0.113.1"], "cannot be listened at"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(
    keys: tuple[Path, dict[str, str]], arguments: list[str], said: str
) -> None:
    given = [str(keys[0]) if word == "KEYS" else word for word in arguments]
    done = subprocess.run([*REAL, *given], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert done.stderr.count("\n") == 1


def test_clients_take_turns(keys: tuple[Path, dict[str, str]]) -> None:
    """One client's long queue is not in another's way."""
    slow = '//fake {"say": ["a b c d"], "token_s": 0.05}'
    with serving("--keys", str(keys[0]), "--slots", "1", "--queue", "40") as server, ThreadPoolExecutor(20) as threads:

        def ask(name: str) -> str:
            with client(server, keys[1][name]) as asking:
                asking.completions.create(model="any", prompt=slow)
            return name

        many = [threads.submit(ask, "free") for _ in range(12)]
        server.wait_for_line("engine: begun", 2)
        one = threads.submit(ask, "single")
        one.result()
        assert sum(not request.done() for request in many) >= 4
        assert {request.result() for request in many} == {"free"}
