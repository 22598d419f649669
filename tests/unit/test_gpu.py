"""Graphics processors: which are seen, what the native library says of itself, and what doctor makes of both."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from goassist_index.errors import ModelError
from goassist_lsp.app import llama_settings
from goassist_lsp.cli import doctor
from goassist_lsp.settings import Settings
from goassist_models import gpu, native
from goassist_models.engine.library import load_model
from goassist_models.gpu import Build, Device, Shown

CPU = Device("CPU", "Some processor", "cpu", 8 << 30)
CARD = Device("CUDA0", "NVIDIA H100", "gpu", 80 << 30)
SMI = "GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-1)\nGPU 1: NVIDIA L4 (UUID: GPU-2)\n"
VULKAN = """
GPU0:
\tdeviceType         = PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
\tdeviceName         = AMD Radeon 780M
GPU1:
\tdeviceType         = PHYSICAL_DEVICE_TYPE_CPU
\tdeviceName         = llvmpipe (LLVM 19)
"""


def machine(monkeypatch: pytest.MonkeyPatch, platform: str, said: dict[str, str], architecture: str = "x86_64") -> None:
    """A machine with these programs, and what they print."""
    monkeypatch.setattr(gpu.sys, "platform", platform)
    monkeypatch.setattr(gpu.platform, "machine", lambda: architecture)
    monkeypatch.setattr(gpu.shutil, "which", lambda name: name if name in said else None)
    monkeypatch.setattr(native, "output_of", lambda command: said[command[0]])


@pytest.mark.parametrize(
    ("platform", "architecture", "said", "shown"),
    [
        ("linux", "x86_64", {"nvidia-smi": SMI}, [("NVIDIA GeForce RTX 4090", "CUDA"), ("NVIDIA L4", "CUDA")]),
        ("linux", "x86_64", {"nvidia-smi": "", "vulkaninfo": VULKAN}, [("AMD Radeon 780M", "VULKAN")]),
        ("linux", "x86_64", {"nvidia-smi": "NVIDIA-SMI has failed"}, []),
        ("linux", "x86_64", {}, []),
        ("darwin", "arm64", {}, [("Apple silicon", "METAL")]),
        ("darwin", "x86_64", {}, []),
    ],
)
def test_what_a_machine_shows(
    platform: str,
    architecture: str,
    said: dict[str, str],
    shown: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, platform, said, architecture)
    assert [(one.name, one.backend) for one in gpu.shown()] == shown


def test_the_installed_library_names_its_processor() -> None:
    build = gpu.built()
    assert any(device.kind == "cpu" for device in build.devices)
    assert build.offloads or build.gpus == ()


def test_a_library_that_crashes_or_says_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text, why in (
        ("kill -SEGV $$", "cannot be asked"),
        ("echo; echo no", "does not name"),
        ("true", "does not name"),
    ):
        script = tmp_path / "python"
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
        monkeypatch.setattr(gpu.sys, "executable", str(script))
        with pytest.raises(ModelError, match=why):
            gpu.built()


def test_devices_are_read_from_the_librarys_own_list() -> None:
    def memory(device: int, free: Any, total: Any) -> None:
        total._obj.value = device << 30

    ggml = SimpleNamespace(
        ggml_backend_dev_count=lambda: 2,
        ggml_backend_dev_get=lambda number: number + 1,
        ggml_backend_dev_name=lambda device: b"CUDA%d" % device,
        ggml_backend_dev_description=lambda device: b"A card",
        ggml_backend_dev_type=lambda device: {1: 1, 2: 7}[device],
        ggml_backend_dev_memory=memory,
    )
    assert gpu.devices_of(ggml) == (
        Device("CUDA1", "A card", "gpu", 1 << 30),
        Device("CUDA2", "A card", "other", 2 << 30),
    )
    assert ggml.ggml_backend_dev_get.restype is ctypes.c_void_p


@pytest.mark.parametrize(
    ("build", "shown", "state", "seen", "cure"),
    [
        (Build(True, (CPU, CARD)), (Shown("NVIDIA H100", "CUDA"),), "ok", "offloads to NVIDIA H100 (CUDA0)", ""),
        (Build(False, (CPU,)), (), "ok", "none is shown here", ""),
        (
            Build(False, (CPU,)),
            (Shown("L4", "CUDA"),) * 2,
            "warning",
            "L4 is here, but",
            '"-DGGML_CUDA=on" pip install',
        ),
        (Build(True, (CPU,)), (Shown("L4", "CUDA"),), "warning", "finds none that it can use", "-DGGML_CUDA=on"),
        (Build(False, (CPU,)), (Shown("Apple silicon", "METAL"),), "warning", "without support", "-DGGML_METAL=on"),
    ],
)
def test_doctor_says_what_is_used_and_how_to_use_what_is_not(
    build: Build, shown: tuple[Shown, ...], state: str, seen: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "built", lambda: build)
    monkeypatch.setattr(gpu, "shown", lambda: shown)
    finding = doctor.look_at_gpu()
    assert finding.state == state
    assert seen in finding.seen
    assert cure in finding.cure
    assert bool(cure) == bool(finding.cure)


def test_doctor_goes_on_where_the_library_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Build:
        raise ModelError("the native library cannot be asked for its devices (status -11)")

    monkeypatch.setattr(gpu, "built", fails)
    finding = doctor.look_at_gpu()
    assert (finding.state, finding.cure) == ("warning", "see to `build` first")


@pytest.mark.parametrize(
    ("offloads", "asked", "given"),
    [(True, None, -1), (True, 0, 0), (True, 12, 12), (False, None, "left"), (False, 5, "left")],
)
def test_layers_go_to_a_gpu_only_where_the_library_can(offloads: bool, asked: int | None, given: object) -> None:
    parameters = SimpleNamespace(load_mode=None, n_gpu_layers="left")
    library = SimpleNamespace(
        LLAMA_LOAD_MODE_MMAP=1,
        llama_model_default_params=lambda: parameters,
        llama_supports_gpu_offload=lambda: offloads,
        llama_model_load_from_file=lambda path, parameters: 1,
    )
    assert load_model(library, Path("m.gguf"), asked) == 1
    assert parameters.n_gpu_layers == given


def test_the_setting_is_all_layers_unless_it_names_a_number() -> None:
    assert llama_settings(Settings()).gpu_layers is None
    assert llama_settings(Settings(gpu_layers=0)).gpu_layers == 0
