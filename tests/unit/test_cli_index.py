"""Claims about `goassist-lsp index` and `search`: what they print, and their exit status."""

import json
from pathlib import Path

import pytest

from goassist_index.embed import FakeEmbedder
from goassist_index.store import Store, store_folder
from goassist_lsp import cli, meaning
from support.workspaces import lay_out


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GOWORK", "")
    return lay_out(tmp_path / "shop")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_index_says_what_it_holds_and_what_it_left_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", str(root)]) == 0
    text = said(capsys)
    assert "4 files" in text
    assert "chunks (4 files new or changed)" in text
    assert "left out, generated (Code generated … DO NOT EDIT.): 1 (price/rates.pb.go)" in text
    assert "cart/testdata" in text
    assert cli.main(["index", str(root / "cart")]) == 0
    assert "(0 files new or changed)" in said(capsys)


def test_index_prints_one_json_value(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", str(root), "--json"]) == 0
    value = json.loads(said(capsys))
    assert value["root"] == str(root)
    assert (value["files"], value["made"], value["finished"], value["rebuilt"]) == (4, 4, True, "")
    assert {"path": "price/rates.pb.go", "reason": "generated (Code generated … DO NOT EDIT.)"} in value["left_out"]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("price/rates.pb.go", 1, "left out, generated"),
        ("cart/testdata/broken.go", 1, "left out, cart/testdata: testdata"),
        ("cart/cart.go", 0, "indexed"),
    ],
)
def test_explain_says_why(root: Path, capsys: pytest.CaptureFixture[str], name: str, status: int, words: str) -> None:
    assert cli.main(["index", "--explain", str(root / name)]) == status
    before = said(capsys)
    assert words in before
    assert cli.main(["index", str(root)]) == 0
    said(capsys)
    assert cli.main(["index", "--explain", str(root / name)]) == status
    assert ("not indexed yet" in before) == (status == 0)
    assert "not indexed yet" not in said(capsys)


def test_search_finds_without_being_told_to_index(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "parse", "line", "--dir", str(root), "-k", "1"]) == 0
    first, *lines = said(capsys).splitlines()
    assert first.startswith(" 1 ParseLine  function  cart/cart.go:")
    assert lines[0].strip() == '// ParseLine reads a line such as "2 x apple".'


def test_search_prints_one_json_value(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "currency", "--dir", str(root), "--json", "--kind", "function"]) == 0
    value = json.loads(said(capsys))
    assert [result["symbol"] for result in value["results"]] == ["ConvertCurrency"]
    assert value["results"][0]["lines"] == [9, 12]
    assert value["ms"] >= 0


def test_search_that_finds_nothing_says_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "zzyzx", "--dir", str(root)]) == 1
    assert "nothing in" in capsys.readouterr().err


def test_search_works_while_another_process_writes(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["index", str(root)]) == 0
    monkeypatch.setattr("goassist_index.store._LOCK_TIMEOUT_S", 0.05)
    with Store(store_folder(root)) as other, other.locked():
        assert cli.main(["search", "ParseLine", "--dir", str(root)]) == 0
    assert "another process is writing" in capsys.readouterr().err


@pytest.mark.parametrize("column", ["postings", "outline"])
def test_search_makes_a_damaged_index_anew(root: Path, capsys: pytest.CaptureFixture[str], column: str) -> None:
    assert cli.main(["index", str(root)]) == 0
    with Store(store_folder(root)) as store, store.transaction():
        store._db.execute(f"UPDATE units SET {column}=x'00'")
    (root / "price/price.go").write_text("package price\n\nfunc Fresh() {}\n")
    assert cli.main(["search", "fresh", "--dir", str(root)]) == 0
    printed = capsys.readouterr()
    assert "Fresh" in printed.out
    assert printed.err.count("the index was damaged: made anew") == 1


def test_a_directory_that_is_not_there_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", str(root / "nowhere")]) == cli.EXIT_UNUSABLE
    assert "no directory" in capsys.readouterr().err


def test_what_pieces_mean_is_embedded_once_and_found_by(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "embedder", FakeEmbedder)
    assert cli.main(["index", str(root), "--dense", "--json"]) == 0
    value = json.loads(said(capsys))
    assert value["embedded"] == value["chunks"]
    assert cli.main(["index", str(root), "--dense"]) == 0
    assert "0 chunks embedded that were not before" in said(capsys)
    assert cli.main(["search", "--dir", str(root), "--dense", "--json", "change an amount at a rate of today"]) == 0
    assert json.loads(said(capsys))["results"][0]["symbol"] == "ConvertCurrency"


def test_without_the_embedding_model_it_is_said_how_to_get_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "--dir", str(root), "--dense", "discount"]) == 2
    assert "model pull all-minilm-l6-v2" in capsys.readouterr().err
    assert cli.main(["search", "--dir", str(root), "discount"]) == 0


def test_without_faiss_it_is_said_what_to_install(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goassist_index.dense.available", lambda: False)
    assert cli.main(["search", "--dir", str(root), "--dense", "discount"]) == 2
    assert "goassist-lsp[embed]" in capsys.readouterr().err
