"""Claims about planted secrets: in ten forms they come into no chunk, no embedded text, no prompt and no log.

They are put together at run time, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import logging
import string
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from goassist_index.embed import FakeEmbedder, Matrix
from goassist_index.refine import DenseTier
from goassist_index.search import Searcher
from goassist_index.store import Store, store_folder
from goassist_lsp.check.fake import FakeChecker
from goassist_lsp.context.retrieve import WorkspaceRetriever
from goassist_lsp.indexes import Indexes
from goassist_lsp.pipeline import CompletionPipeline
from goassist_lsp.settings import Settings
from goassist_lsp.stages import Stages
from goassist_lsp.types import DocumentSnapshot
from goassist_models.engine import CancelToken
from goassist_models.engine.fake import FakeEngine
from goassist_models.infill import InfillPrompt
from support.workspaces import lay_out

LETTERS = string.ascii_letters + string.digits


def drawn(count: int, by: int) -> str:
    """Letters and digits that look drawn at random, and are no other call's."""
    return "".join(LETTERS[(by * 17 + n * (n + by) * 7) % len(LETTERS)] for n in range(count))


GITHUB, PASSWORD, GITLAB, STRIPE, OPENAI, GOOGLE, BEARER, DSN, PEM, ENV = PLANTED = (
    "ghp" + "_" + drawn(36, 1),
    "f9Kq2vXz7" + drawn(12, 2),
    "glpat" + "-" + drawn(20, 3),
    "sk" + "_live_" + drawn(24, 4),
    "sk" + "-proj-" + drawn(40, 5),
    "AIza" + drawn(35, 6),
    drawn(40, 7),
    "hunter2" + drawn(9, 8),
    drawn(64, 9),
    drawn(32, 10),
)
ARCHIVE = f"""\
-- go.mod --
module example.com/vault

go 1.23
-- vault/vault.go --
// Package vault opens the vault with {GITLAB}.
package vault

// vaultToken opens the vault.
const vaultToken = "{GITHUB}"

// VaultConfig says how the vault is opened.
type VaultConfig struct {{
	// Key is such as {GOOGLE}.
	Key string
}}

// OpenVault opens the vault; the old key was {STRIPE}.
func OpenVault() VaultConfig {{
	password := "{PASSWORD}"
	keys := map[string]string{{"vault": `{OPENAI}`}}
	request.Header.Set("Authorization", "Bearer {BEARER}")
	return VaultConfig{{Key: keys[password] + "postgres://vault:{DSN}@db.example.com/vault"}}
}}
-- vault/vault_test.go --
package vault

// vaultKey opens the vault in tests.
var vaultKey = `-----BEGIN RSA PRIVATE{" "}KEY-----
{PEM}
-----END RSA PRIVATE{" "}KEY-----`

func TestOpenVault(t *testing.T) {{
	open(vaultKey, `-----BEGIN PRIVATE{" "}KEY-----
{PEM}`)
}}
-- .env --
VAULT_TOKEN={ENV}
-- vault/.env.go --
package vault

const fromEnv = "{ENV}"
"""
UNSAVED = f"""\
package vault

// ShutVault locks up what the password and key {GITHUB} have opened.
func ShutVault(door Door) error {{
	token := "{PASSWORD}"
	return door.Lock(token)
}}
"""
PLACE = "package vault\n\nfunc reopenVault() {\n\t// open the vault with the vault's key and password\n\tx := \n}\n"


class Listening(FakeEmbedder):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Future[Matrix]:
        self.heard += texts
        return super().embed(texts, query=query)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return lay_out(tmp_path / "vault", ARCHIVE)


def planted_in(text: str) -> list[str]:
    """The secrets of which half or more stands in `text`."""
    return [secret for secret in PLANTED if secret[: len(secret) // 2] in text or secret[len(secret) // 2 :] in text]


def shown(prompt: InfillPrompt) -> str:
    files = prompt.repo.files if prompt.repo is not None else ()
    return "\n".join((prompt.prefix, prompt.suffix, *(f"{file.path}\n{file.text}" for file in files)))


async def test_no_chunk_prompt_or_log_has_a_planted_secret(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = root / "vault/reopen.go"
    failures: list[Exception] = []
    indexes = Indexes(failures.append)
    engine = FakeEngine(["open()"])
    try:
        await indexes.set_folders([root])
        await indexes.update(lambda message, percent: None)
        # An unsaved text has them too.
        indexes.document_changed(root / "vault/other.go", UNSAVED)
        retriever = WorkspaceRetriever(indexes, limit_s=60.0)
        pipeline = CompletionPipeline(engine, FakeChecker("broken"), Settings(), Stages(retrieve=True), retriever)
        offset = PLACE.index("x := ") + len("x := ")
        completion = await pipeline.complete(DocumentSnapshot(path.as_uri(), path, 1, PLACE), offset, CancelToken())
    finally:
        await indexes.close()
    assert failures == []
    prompt = shown(engine.requests[0].prompt)
    assert "OpenVault" in prompt
    assert "ShutVault" in prompt
    listening = Listening()
    with Store(store_folder(root)) as store:
        tier = DenseTier(store, listening)
        searcher = Searcher(store, root, dense=tier)
        searcher.refresh()
        assert tier.refine() == 4
        found = searcher.search("open the vault with its key, token and password", 20)
        tier.close()
    assert {"OpenVault", "VaultConfig", "vault", "TestOpenVault"} <= {snippet.symbol for snippet in found}
    stored = "".join(file.read_bytes().decode("latin-1") for file in store_folder(root).iterdir() if file.is_file())
    assert "OpenVault" in stored
    heard, told = "\n".join(listening.heard), "\n".join(snippet.text for snippet in found)
    assert "Open Vault" in heard
    assert "4 chunks" in caplog.text
    for text in (prompt, stored, heard, told, caplog.text, repr(completion)):
        assert planted_in(text) == []


def test_the_secrets_are_there_to_be_found(root: Path) -> None:
    text = "".join(path.read_text() for path in root.rglob("*") if path.is_file())
    assert planted_in(text) == list(PLANTED)
