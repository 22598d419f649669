"""The native llama.cpp library on this machine: the build that fits its processor, and a trial run of it.

Standard library only, because `make setup` runs it before anything is installed
(`python -m goassist_models.native build`); the engine and `goassist-lsp doctor` use it later.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goassist_index.cachedir import cache_dir
from goassist_index.errors import GoassistError, ModelError
from goassist_models import preflight as trial
from goassist_models import registry

PACKAGE = "llama-cpp-python"
VERSION = "0.3.36"
_REPORT_EVERY_S = 15.0
_TAIL_LINES = 15
# Processor features that a compiler told to build for this machine may use. Kernel-made flags are left out.
_X86_FEATURE = re.compile(
    r"(avx|amx|sse|ssse|bmi|sha)\w*|pni|fma|fma4|f16c|abm|movbe|popcnt|gfni|vaes|vpclmulqdq|adx|xop|tbm"
)
_ARM_FEATURE = re.compile(r"(asimd|sve|sme)\w*|i8mm|bf16|fphp|atomics|fp")
# gcc learnt AMX in 11 and miscompiled _tile_loadconfig until 13.3: ggml then crashes at its first evaluation.
_AMX_KNOWN, _AMX_MENDED = (11, 0), (13, 3)
_NO_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuildState:
    """What is installed and whether it runs here. `problem` is None when all is well, else what is wrong.

    `version` is None when the library is not installed.
    """

    version: str | None
    features_key: str
    problem: ModelError | None

    @property
    def ok(self) -> bool:
        """Whether an engine can be made with it."""
        return self.problem is None

    @property
    def seen(self) -> str:
        """One line for a report."""
        if self.problem is not None:
            return f"{self.problem.what} ({self.problem.path})" if self.problem.path else self.problem.what
        return f"{PACKAGE} {self.version} runs on this processor ({self.features_key})"


def cpu_features() -> tuple[str, ...]:
    """Instruction-set features of this machine's processor, sorted; the architecture's name stands first."""
    architecture = platform.machine().lower() or "unknown"
    features: set[str] = set()
    if sys.platform == "darwin":
        listed = output_of(["sysctl", "hw.optional", "machdep.cpu.features", "machdep.cpu.leaf7_features"])
        for line in listed.splitlines():
            name, _, value = line.partition(":")
            if name.startswith("hw.optional.") and value.strip() == "1":
                features.add(name.removeprefix("hw.optional.").lower())
            elif name.startswith("machdep."):
                features.update(value.lower().split())
    else:
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = [f"flags: {platform.processor()}"]
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):
                pattern = _X86_FEATURE if name.strip() == "flags" else _ARM_FEATURE
                features.update(flag for flag in value.split() if pattern.fullmatch(flag))
                break
    return (architecture, *sorted(features))


def features_key(features: tuple[str, ...] | None = None) -> str:
    """Short digest of the processor's features: equal keys can run each other's builds."""
    names = features if features is not None else cpu_features()
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]


def gcc_version(compiler: str) -> tuple[int, int] | None:
    """(major, minor) when `compiler` is gcc, None when it is something else or absent."""
    said = output_of([compiler, "--version"])
    if "clang" in said.lower() or "Free Software Foundation" not in said:
        return None
    numbers = output_of([compiler, "-dumpfullversion", "-dumpversion"]).strip().split(".")
    try:
        return int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
    except ValueError:
        return None


def cmake_args(features: tuple[str, ...], gcc: tuple[int, int] | None) -> str:
    """CMAKE_ARGS for a build that fits a processor with `features` and a compiler (`gcc` None: not gcc)."""
    parts = [f"-DLLAMA_BUILD_{part}=OFF" for part in ("TOOLS", "SERVER", "EXAMPLES", "TESTS")]
    # OpenMP's threads can be told not to spin; ggml's own cannot.
    parts += ["-DGGML_NATIVE=ON", "-DGGML_OPENMP=ON"]
    has_amx = any(feature.startswith("amx") for feature in features)
    if has_amx and gcc is not None and _AMX_KNOWN <= gcc < _AMX_MENDED:
        parts += [f"-DCMAKE_C_FLAGS='{_NO_AMX}'", f"-DCMAKE_CXX_FLAGS='{_NO_AMX}'"]
    return " ".join(parts)


def missing_tools() -> ModelError | None:
    """Return the error that names missing system packages and how to get them, or None when none is missing."""
    missing = [
        what
        for what, variable, names in (
            ("a C compiler", "CC", ("cc", "gcc", "clang")),
            ("a C++ compiler", "CXX", ("c++", "g++", "clang++")),
        )
        if not any(shutil.which(name) for name in (os.environ.get(variable, "").split()[:1] or names))
    ]
    if not missing:
        return None  # cmake and ninja come with the build itself when the system has none
    commands = {
        "apt-get": "sudo apt-get install build-essential",
        "dnf": "sudo dnf install gcc gcc-c++ make",
        "pacman": "sudo pacman -S base-devel",
        "zypper": "sudo zypper install gcc gcc-c++ make",
        "apk": "sudo apk add build-base linux-headers",
        "brew": "xcode-select --install",
    }
    command = next((text for tool, text in commands.items() if shutil.which(tool)), "your system's package manager")
    return ModelError(f"building llama.cpp needs {' and '.join(missing)}", cure=f"Install with `{command}`")


def wheel_dir(features: tuple[str, ...]) -> Path:
    """Where wheels built for a processor with `features` are kept in the cache."""
    return cache_dir() / "wheels" / f"{features_key(features)}-py{sys.version_info.major}{sys.version_info.minor}"


def build(report: Report, *, force: bool = False) -> Path:
    """Build the wheel for this processor, unless the cache has it (and not `force`); return its path.

    Takes minutes; `report` gets a line now and then. Raises ModelError when a tool is missing or the build fails.
    """
    features = cpu_features()
    folder = wheel_dir(features)
    kept = sorted(folder.glob(f"{PACKAGE.replace('-', '_')}-{VERSION}-*.whl"))
    if kept and not force:
        report(f"using {kept[-1].name}, built before for this processor")
        return kept[-1]
    if (missing := missing_tools()) is not None:
        raise missing
    gcc = gcc_version(os.environ.get("CC", "").split()[:1][0] if os.environ.get("CC", "").split() else "cc")
    flags = f"{cmake_args(features, gcc)} {os.environ.get('CMAKE_ARGS', '')}".strip()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".new-{os.getpid()}"
    report(f"building {PACKAGE} {VERSION} for this processor (some minutes): {flags}")
    try:
        # pip's own cache is keyed by neither processor nor flags: a wheel from it may not run here.
        command = [*_pip(), "wheel", "--no-deps", "--no-cache-dir", f"--no-binary={PACKAGE}"]
        _logged([*command, f"--wheel-dir={fresh}", f"{PACKAGE}=={VERSION}"], flags, folder / "build.log", report)
        made = next(fresh.glob("*.whl"))
        return made.replace(folder / made.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def install(wheel: Path, report: Report) -> None:
    """Install `wheel` into the running environment, in place of whatever version is there."""
    log = wheel.parent / "install.log"
    report(f"installing {wheel.name}")
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        _logged([*command, "--force-reinstall", "--no-deps", str(wheel)], None, log, report)
    else:
        command = [_uv(), "pip", "install", "--python", sys.executable]
        _logged([*command, "--reinstall", "--no-deps", str(wheel)], None, log, report)
    _logged([*command, str(wheel)], None, log, report)  # what it depends on, where that is missing
    trial.keep_stamp(_built_stamp())


def built_here() -> bool:
    """Whether the installed library is one that `install` put there, built for this processor."""
    return trial.has_stamp(_built_stamp())


def _built_stamp() -> str:
    return f"built {trial.library_digest()} {features_key()}"


def check_build(model: Path | None = None) -> BuildState:
    """Say whether the installed library runs on this machine; its problem is in what is returned, not raised.

    It is tried with `model`, or with the one that the user would get if that is there, or by itself.
    """
    key = features_key()
    if model is None:
        try:
            model = registry.resolve().path
        except GoassistError:
            model = None  # not there yet, or not fit: `model` of doctor says so
    try:
        version: str | None = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        version = None
    problem: ModelError | None = None
    if version is None:
        problem = ModelError(f"{PACKAGE} is not installed", cure="Build it with `goassist-lsp doctor --fix`")
    else:
        try:
            trial.preflight(model, key)
        except ModelError as error:
            problem = error
    return BuildState(version, key, problem)


def rebuild(report: Report, model: Path | None = None) -> BuildState:
    """Build for this processor, install and try out; a kept wheel that fails its trial is built once more.

    Raises ModelError when the build itself fails.
    """
    install(build(report), report)
    state = check_build(model)
    if not state.ok:
        report(f"the kept build does not run here ({state.problem}); building it anew")
        install(build(report, force=True), report)
        state = check_build(model)
    return state


def preflight(model: Path | None = None) -> None:
    """Try the library, and `model` if given, in a child process unless this very pair passed here before.

    Raises ModelError, naming what to do, for a crash or failure.
    """
    trial.preflight(model, features_key())


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    return [_uv(), "tool", "run", "pip"]


def _uv() -> str:
    uv = shutil.which("uv")
    if uv is None:
        raise ModelError("neither pip nor uv is installed", cure="Install pip into this environment")
    return uv


def output_of(command: list[str]) -> str:
    """Return what a short command prints, empty when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _logged(command: list[str], flags: str | None, log: Path, report: Report) -> None:
    """Run a long command with its output in `log`; raises ModelError with the log's end when it fails."""
    environment = os.environ | ({"CMAKE_ARGS": flags} if flags is not None else {})
    start_s = next_s = time.monotonic()
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        except OSError as error:
            raise ModelError(f"{command[0]} cannot be run ({error.strerror})") from error
        try:
            while child.poll() is None:
                time.sleep(0.2)
                if time.monotonic() - next_s > _REPORT_EVERY_S:
                    next_s = time.monotonic()
                    report(f"… {next_s - start_s:.0f} s")
        finally:
            if child.poll() is None:
                child.terminate()
            child.wait()
    if child.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        raise ModelError(
            f"the command ended with status {child.returncode}; its last lines:\n  " + "\n  ".join(tail) + "\n",
            path=str(log),
            cure="Read the whole log there",
        )


def main(arguments: list[str] | None = None) -> int:
    """Run `build` (build, install, try out), `check` or `features` from a command line; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m goassist_models.native", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    building = verbs.add_parser("build", help="build the library for this processor, install it and try it out")
    building.add_argument("--model", type=Path, help="a GGUF file to evaluate in the trial")
    checking = verbs.add_parser("check", help="try the installed library out")
    checking.add_argument("--model", type=Path, help="a GGUF file to evaluate in the trial")
    verbs.add_parser("features", help="print the processor's features and their key")
    asked = parser.parse_args(arguments)
    if asked.verb == "features":
        print(features_key(), *cpu_features())
        return 0
    try:
        if asked.verb == "build" and not built_here():
            state = rebuild(print, asked.model)
        else:
            state = check_build(asked.model)
            if asked.verb == "build" and not state.ok:
                state = rebuild(print, asked.model)
    except GoassistError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if state.problem is not None:
        print(f"error: {state.problem}", file=sys.stderr)
        return 2
    print(state.seen)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
