"""llama.cpp's own programs, built from source for this processor and kept in the cache.

The source is the one that llama-cpp-python's source package carries, so that a program and our engine run the same
llama.cpp. Building takes some minutes, once a program, processor and version; only a measured peer needs one.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import ModelError
from goassist_models import native

# Overrides native.cmake_args, which leaves the programs out of our own library.
_PROGRAM_ARGS = (
    *("-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF"),
    *("-DLLAMA_BUILD_TOOLS=ON", "-DLLAMA_BUILD_SERVER=ON"),
    *("-DLLAMA_CURL=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF"),
)


def folder() -> Path:
    """Where this processor's build and its logs are kept in the cache."""
    return cache_dir() / "peers" / f"{native.features_key()}-{native.VERSION}"


def kept(name: str) -> Path | None:
    """Return program `name` ("llama-server") as built earlier for this processor, None when there is none."""
    path = folder() / _file_of(name)
    return path if path.is_file() else None


def build(name: str, report: native.Report) -> Path:
    """Build the program of llama.cpp that is called `name`, unless the cache has it; return its path.

    Takes minutes; `report` gets a line now and then. Raises ModelError when the source cannot be had, a tool is
    missing or the build fails; its logs stay beside the program.
    """
    if (found := kept(name)) is not None:
        return found
    if (missing := native.missing_tools()) is not None:
        raise missing
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=place) as scratch:
        work = Path(scratch)
        source = _source(work, place, report)
        cmake, ninja = (_tool(tool, work, place, report) for tool in ("cmake", "ninja"))
        compiler = (os.environ.get("CC", "").split() or ["cc"])[0]
        fitting = shlex.split(native.cmake_args(native.cpu_features(), native.gcc_version(compiler)))
        flags = [*fitting, *_PROGRAM_ARGS, *shlex.split(os.environ.get("CMAKE_ARGS", ""))]
        made = work / "build"
        configure = [cmake, "-S", str(source), "-B", str(made), f"-DCMAKE_MAKE_PROGRAM={ninja}", *flags]
        report(f"building {name} for this processor (some minutes)")
        native._logged(configure, None, place / f"configure-{name}.log", report)
        native._logged([ninja, "-C", str(made), name], None, place / f"build-{name}.log", report)
        return (made / "bin" / _file_of(name)).replace(place / _file_of(name))


def scripts(report: native.Report) -> Path:
    """Directory of llama.cpp's converters and the Python packages that they import, fetched once into the cache.

    They need torch, transformers and sentencepiece. Raises ModelError when the source cannot be had.
    """
    place = folder()
    made = place / "scripts"
    if not made.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".scripts-", dir=place) as scratch:
            source = _source(Path(scratch), place, report)
            target = Path(scratch) / "scripts"
            target.mkdir()
            for path in source.glob("convert_*.py"):
                shutil.copyfile(path, target / path.name)
            for name in ("conversion", "gguf-py"):
                shutil.copytree(source / name, target / name)
            target.rename(made)
    return made


def _source(work: Path, place: Path, report: native.Report) -> Path:
    """Fetch llama-cpp-python's source package and unpack the llama.cpp within."""
    report(f"fetching the source of {native.PACKAGE} {native.VERSION}")
    command = [*native._pip(), "download", "--no-deps", f"--no-binary={native.PACKAGE}", f"--dest={work}"]
    native._logged([*command, f"{native.PACKAGE}=={native.VERSION}"], None, place / "download.log", report)
    try:
        package = next(work.glob("*.tar.gz"))
        with tarfile.open(package) as archive:
            members = [m for m in archive if "/vendor/llama.cpp/" in m.name]
            archive.extractall(work, members, filter="data")
        return next(work.glob("*/vendor/llama.cpp/CMakeLists.txt")).parent
    except (StopIteration, tarfile.TarError, OSError) as error:
        raise ModelError(
            f"the source package of {native.PACKAGE} {native.VERSION} holds no llama.cpp", path=str(place)
        ) from error


def _tool(name: str, work: Path, place: Path, report: native.Report) -> str:
    """Path of a build tool: the system's, else one from PyPI that lasts as long as the build."""
    if (found := shutil.which(name)) is not None:
        return found
    target = work / "tools" / name  # one each: pip does not add to the bin/ of another
    command = [*native._pip(), "install", "--no-deps", f"--target={target}", name]
    try:
        native._logged(command, None, place / f"{name}.log", report)
    except ModelError as error:
        raise ModelError(
            f"building llama.cpp needs {name}, and PyPI's cannot be had",
            path=error.path,
            cure=f"Install {name} with your system's package manager",
        ) from error
    suffix = ".exe" if sys.platform == "win32" else ""
    # cmake's own program lies in the package; what is in bin/ is a Python script that would not find it.
    for path in (target / name / "data" / "bin" / f"{name}{suffix}", target / "bin" / f"{name}{suffix}"):
        if path.is_file():
            return str(path)
    raise ModelError(f"PyPI's {name} holds no program", cure=f"Install {name} with your system's package manager")


def _file_of(name: str) -> str:
    return f"{name}.exe" if sys.platform == "win32" else name
