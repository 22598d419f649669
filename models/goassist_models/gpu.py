"""Graphics processors: which this machine shows, which the native library was built for, how to build it for one.

Used by `goassist-lsp doctor`. The library is asked in a child process (`python -m goassist_models.gpu`): one that was
built for another machine may crash as soon as it looks for a device.
"""

from __future__ import annotations

import ctypes
import json
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any, Literal

from goassist_index.errors import ModelError
from goassist_models import native

Backend = Literal["CUDA", "METAL", "VULKAN"]
_LIMIT_S = 60.0
# enum ggml_backend_dev_type of ggml-backend.h: the processor itself, and what else a build may know.
_KINDS = {0: "cpu", 1: "gpu", 2: "integrated gpu", 3: "accelerator"}
_VULKAN_DEVICE = re.compile(r"deviceType\s*=\s*PHYSICAL_DEVICE_TYPE_(\w+)_GPU\s+deviceName\s*=\s*(.+)")


@dataclass(frozen=True, slots=True)
class Shown:
    """A graphics processor that the machine shows, and the backend that would use it."""

    name: str
    backend: Backend


@dataclass(frozen=True, slots=True)
class Device:
    """A device that the native library can compute on: ggml's name and description, kind, and memory in bytes."""

    name: str
    description: str
    kind: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Build:
    """What the native library was built for: whether it can offload layers at all, and the devices that it finds."""

    offloads: bool
    devices: tuple[Device, ...]

    @property
    def gpus(self) -> tuple[Device, ...]:
        """The devices to which layers are offloaded."""
        return tuple(device for device in self.devices if "gpu" in device.kind) if self.offloads else ()


def shown() -> tuple[Shown, ...]:
    """Graphics processors by their usual marks: what nvidia-smi lists, Apple's own chips, what vulkaninfo lists."""
    if sys.platform == "darwin":
        return (Shown("Apple silicon", "METAL"),) if platform.machine() == "arm64" else ()
    if (smi := shutil.which("nvidia-smi")) is not None:
        names = re.findall(r"^GPU \d+: (.+?)(?: \(UUID.*)?$", native.output_of([smi, "-L"]), re.MULTILINE)
        if names:
            return tuple(Shown(name, "CUDA") for name in names)
    if (info := shutil.which("vulkaninfo")) is not None:
        # A device of type CPU is a program that stands in for one.
        devices = _VULKAN_DEVICE.findall(native.output_of([info, "--summary"]))
        return tuple(Shown(name.strip(), "VULKAN") for _, name in devices)
    return ()


def build_command(backend: Backend) -> str:
    """Shell command that builds and installs the library anew for `backend`, as llama-cpp-python documents it."""
    pip = "pip install --force-reinstall --no-deps --no-cache-dir"
    return f'CMAKE_ARGS="-DGGML_{backend}=on" {pip} --no-binary {native.PACKAGE} {native.PACKAGE}=={native.VERSION}'


def built() -> Build:
    """Ask the installed library in a child process. Raises ModelError when it gives no answer."""
    command = [sys.executable, "-W", "ignore", "-m", "goassist_models.gpu"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT_S, check=True
        )
        said = json.loads(done.stdout.splitlines()[-1])
        return Build(said["offloads"], tuple(Device(**device) for device in said["devices"]))
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"the native library does not name its devices within {_LIMIT_S:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().rpartition("\n")[2] or f"status {error.returncode}"
        raise ModelError(f"the native library cannot be asked for its devices ({said})") from error
    except (ValueError, KeyError, TypeError, IndexError, OSError) as error:
        raise ModelError(f"the native library does not name its devices ({error!r})") from error


def devices_of(ggml: Any) -> tuple[Device, ...]:
    """The devices that `ggml` (the native library that exports ggml_backend_*) has registered."""
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    for function in (ggml.ggml_backend_dev_name, ggml.ggml_backend_dev_description):
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    ggml.ggml_backend_dev_type.argtypes, ggml.ggml_backend_dev_type.restype = [ctypes.c_void_p], ctypes.c_int
    sizes = ctypes.POINTER(ctypes.c_size_t)
    ggml.ggml_backend_dev_memory.argtypes, ggml.ggml_backend_dev_memory.restype = [ctypes.c_void_p, sizes, sizes], None
    found = []
    for number in range(ggml.ggml_backend_dev_count()):
        device = ggml.ggml_backend_dev_get(number)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        name, description = (
            text.decode("utf-8", "replace")
            for text in (ggml.ggml_backend_dev_name(device), ggml.ggml_backend_dev_description(device))
        )
        found.append(Device(name, description, _KINDS.get(ggml.ggml_backend_dev_type(device), "other"), total.value))
    return tuple(found)


def main() -> int:
    """Print what the installed library was built for, as one line of JSON."""
    from goassist_models.engine.library import load_ggml, load_library

    library = load_library()
    said = Build(library.llama_supports_gpu_offload(), devices_of(load_ggml()))
    print(json.dumps(asdict(said)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
