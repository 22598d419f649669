"""llama.cpp's programs: found in the cache or built, and what is said where that fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from goassist_index.errors import ModelError
from goassist_models import native
from goassist_models.evaluate.peers import llama_cpp


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_built_for_this_processor_is_used_again(cache: Path) -> None:
    assert llama_cpp.kept("llama-server") is None
    place = cache / "peers" / f"{native.features_key()}-{native.VERSION}"
    place.mkdir(parents=True)
    (place / "llama-server").write_text("built")
    assert llama_cpp.build("llama-server", pytest.fail) == place / "llama-server" == llama_cpp.kept("llama-server")
    assert llama_cpp.kept("llama-bench") is None


def test_a_build_tool_that_nobody_has_is_named_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_cpp.shutil, "which", lambda name: None)
    monkeypatch.setattr(native, "_pip", lambda: [sys.executable, "-c", "raise SystemExit('no network')"])
    with pytest.raises(ModelError, match="needs ninja") as caught:
        llama_cpp._tool("ninja", tmp_path, tmp_path, lambda line: None)
    assert caught.value.cure == "Install ninja with your system's package manager"
    assert "no network" in Path(caught.value.path or "").read_text()


def test_a_source_package_without_llama_cpp_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_pip", lambda: [sys.executable, "-c", "pass"])
    with pytest.raises(ModelError, match="holds no llama"):
        llama_cpp._source(tmp_path, tmp_path, lambda line: None)


@pytest.mark.skipif(sys.platform == "win32", reason="a script with #! is no program on Windows")
@pytest.mark.parametrize("name", ["llama-server", "llama-bench"])
def test_the_program_that_is_asked_for_is_built_and_kept(
    name: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ninja = tmp_path / "ninja"
    made = "pathlib.Path(sys.argv[2], 'bin', sys.argv[3])"
    ninja.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\np = {made}\np.parent.mkdir(parents=True)\np.write_text(p.name)\n"
    )
    ninja.chmod(0o755)
    monkeypatch.setattr(native, "missing_tools", lambda: None)
    monkeypatch.setattr(llama_cpp, "_source", lambda work, place, report: work)
    monkeypatch.setattr(llama_cpp, "_tool", lambda tool, *_: str(ninja) if tool == "ninja" else "true")
    said: list[str] = []
    path = llama_cpp.build(name, said.append)
    assert path.read_text() == name
    assert llama_cpp.kept(name) == path
    assert said == [f"building {name} for this processor (some minutes)"]
    assert not list(path.parent.glob(".building-*"))
