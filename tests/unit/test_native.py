"""Builds that fit the processor, and trial runs whose crashes become errors with a cure."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from goassist_index.errors import ModelError
from goassist_models import native, preflight
from support import tiny_gguf

AMX = ("x86_64", "amx_tile", "avx512f")
PLAIN = ("x86_64", "avx2")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_CACHE_DIR", str(tmp_path / "ca che"))
    return tmp_path / "ca che"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_gguf.write_bigram_model(tmp_path / "ti ny.gguf", {})


def test_key_differs_between_processors_and_not_between_calls() -> None:
    assert native.features_key(AMX) != native.features_key(PLAIN)
    assert native.features_key() == native.features_key(native.cpu_features())


@pytest.mark.parametrize(
    ("features", "gcc", "masked"),
    [
        (AMX, (12, 2), True),
        (AMX, (13, 2), True),
        (AMX, (13, 3), False),
        (AMX, (10, 2), False),  # knows no AMX, nor the flags against it
        (AMX, None, False),
        (PLAIN, (12, 2), False),
    ],
)
def test_amx_is_masked_only_where_gcc_miscompiles_it(
    features: tuple[str, ...], gcc: tuple[int, int] | None, masked: bool
) -> None:
    arguments = shlex.split(native.cmake_args(features, gcc))
    flags = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
    assert (f"-DCMAKE_C_FLAGS={flags}" in arguments) is masked
    assert (f"-DCMAKE_CXX_FLAGS={flags}" in arguments) is masked
    assert "-DGGML_NATIVE=ON" in arguments


def test_missing_compilers_are_named_with_the_systems_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(native.shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None)
    missing = native.missing_tools()
    assert missing is not None
    assert "a C compiler and a C++ compiler" in missing.what
    assert missing.cure == "Install with `sudo dnf install gcc gcc-c++ make`"


def test_kept_wheel_of_this_processor_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = native.wheel_dir(native.cpu_features())
    folder.mkdir(parents=True)
    wheel = folder / f"llama_cpp_python-{native.VERSION}-py3-none-linux_x86_64.whl"
    wheel.write_bytes(b"")
    monkeypatch.setattr(native, "_logged", lambda *args: pytest.fail("built although a wheel is there"))
    assert native.build(lambda line: None) == wheel


def test_wheel_of_another_processor_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = native.wheel_dir(("x86_64", "no-such-feature"))
    folder.mkdir(parents=True)
    (folder / f"llama_cpp_python-{native.VERSION}-py3-none-linux_x86_64.whl").write_bytes(b"")
    asked: list[list[str]] = []

    def logged(command: list[str], flags: str | None, log: Path, report: native.Report) -> None:
        asked.append(command)
        made = Path(next(part for part in command if part.startswith("--wheel-dir=")).partition("=")[2])
        made.mkdir()
        (made / "llama_cpp_python-new.whl").write_bytes(b"")

    monkeypatch.setattr(native, "_logged", logged)
    assert native.build(lambda line: None).parent == native.wheel_dir(native.cpu_features())
    assert "--no-cache-dir" in asked[0]


def test_failed_build_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    program = "import sys; print('CMake Error: no compiler'); sys.exit(3)"
    with pytest.raises(ModelError, match=r"status 3.*\n.*CMake Error: no compiler"):
        native._logged([sys.executable, "-c", program], None, log, lambda line: None)
    assert "no compiler" in log.read_text()


def test_model_that_runs_is_stamped_and_not_tried_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native.preflight(model)
    monkeypatch.setattr(preflight, "_try", lambda path: pytest.fail("tried again"))
    native.preflight(model)


def test_another_processor_or_file_is_tried_anew(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Path | None] = []
    monkeypatch.setattr(preflight, "_try", tried.append)
    preflight.preflight(model, "one")
    preflight.preflight(model, "another")
    model.write_bytes(model.read_bytes() + b"\0")
    preflight.preflight(model, "another")
    assert tried == [model] * 3


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "another processor"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory"),
        ("raise ImportError('libgomp.so.1: cannot open shared object file')", "libgomp"),
        ("raise SystemExit(3)", "cannot load this model"),
        ("raise SystemExit(6)", "nonsense"),
    ],
)
def test_trial_that_fails_is_an_error_and_not_stamped(
    model: Path, monkeypatch: pytest.MonkeyPatch, program: str, what: str
) -> None:
    monkeypatch.setattr(preflight, "_PROGRAM", program)
    for _ in range(2):
        with pytest.raises(ModelError, match=what) as raised:
            native.preflight(model)
        assert raised.value.cure
    state = native.check_build(model)
    assert not state.ok
    assert what in state.seen


def test_absent_model_is_a_problem_with_its_path(tmp_path: Path) -> None:
    state = native.check_build(tmp_path / "absent.gguf")
    assert state.problem is not None
    assert state.problem.path == str(tmp_path / "absent.gguf")


def test_rebuild_builds_anew_when_the_kept_wheel_does_not_run(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[bool] = []
    outcomes = iter([ModelError("crashed"), None])
    monkeypatch.setattr(native, "build", lambda report, force=False: built.append(force) or Path("some.whl"))
    monkeypatch.setattr(native, "install", lambda wheel, report: None)
    monkeypatch.setattr(native, "check_build", lambda path=None: native.BuildState("0", "key", next(outcomes)))
    assert native.rebuild(lambda line: None, model).ok
    assert built == [False, True]


def test_native_runs_with_the_standard_library_only() -> None:
    roots = [str(Path(native.__file__).parents[1]), str(Path(__file__).parents[2] / "index")]
    program = f"import sys; sys.path[:0] = {roots!r}; from goassist_models import native; print(native.features_key())"
    # -I and -S: neither site-packages nor this environment's variables.
    said = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == native.features_key()
