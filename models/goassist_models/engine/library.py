"""Loads the native llama.cpp library once, with the environment it needs, and keeps its log out of the way.

The only place that imports llama_cpp; everything above takes the module as a value.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import sys
import threading
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from goassist_index.errors import ModelError
from goassist_models.engine.memory import hold_less

_log = logging.getLogger(__name__)
_ALL_LAYERS = -1  # as llama_model_params.n_gpu_layers has it
_lock = threading.Lock()
_library: Any = None
_log_callback: Any = None  # native code holds the pointer: it must live as long as the process
# ggml_log_level (3 warn, 4 error) -> logging; all else is DEBUG. Its warnings concern nobody but developers.
_LEVELS = {3: logging.INFO, 4: logging.WARNING}
# How it reports a decode that was ended by its abort callback, which is no error but a key.
_GIVEN_UP = ("failed with error 1", "compute status: 1", "ret = 2")


def waiting(environment: Mapping[str, str]) -> dict[str, str]:
    """How OpenMP's threads wait for one another, as variables of the environment; what the user has set there stands.

    Threads that spin collapse when another process wants the cores (one token 25 -> 1,000 ms); those that sleep at once
    wake some hundred times a token. So they spin for as long as the others take where all have a core, then sleep.
    """
    if "OMP_WAIT_POLICY" in environment:
        return {}
    return {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": environment.get("GOMP_SPINCOUNT", "3000")}


def load_library() -> Any:
    """Import llama_cpp's native functions and return their module; later calls return the same.

    Raises ModelError when it is absent or was built for another machine's libraries.
    """
    global _library, _log_callback
    with _lock:
        if _library is not None:
            return _library
        # Read by the OpenMP runtime when it is loaded, so it must be set before.
        os.environ.update(waiting(os.environ))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                library = _native_functions()
        except (ImportError, OSError, RuntimeError) as error:
            raise ModelError(
                f"the native llama.cpp library cannot be loaded ({error})",
                cure="Build it for this machine with `goassist-lsp doctor --fix`",
            ) from error

        def on_log(level: int, text: bytes, _user_data: object) -> None:
            line = text.decode("utf-8", "replace").rstrip()
            if line.strip(" ."):
                known = logging.DEBUG if line.endswith(_GIVEN_UP) else _LEVELS.get(level, logging.DEBUG)
                _log.log(known, "%s", line)

        hold_less()
        _log_callback = library.llama_log_callback(on_log)
        library.llama_log_set(_log_callback, None)
        library.llama_backend_init()
        _library = library
        return library


def _native_functions() -> Any:
    """llama_cpp's module of native functions, without the package around it: that brings templates and caches along.

    They are of no use here, and take a third of a second and some megabytes.
    """
    spec = importlib.util.find_spec("llama_cpp")
    if "llama_cpp" not in sys.modules and spec is not None:
        package = types.ModuleType("llama_cpp")
        package.__spec__ = spec
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules["llama_cpp"] = package
    return importlib.import_module("llama_cpp.llama_cpp")


def load_ggml() -> Any:
    """Return the library that llama.cpp computes with; load_library() must have been called."""
    return importlib.import_module("llama_cpp._ggml").libggml


def load_model(library: Any, path: Path, gpu_layers: int | None = None, *, vocab_only: bool = False) -> Any:
    """Map the GGUF file at `path` (checked before: see gguf_header) and return the model pointer.

    `gpu_layers` go to a graphics processor, None: all; a library that was built without support for any ignores it.
    A decode that runs there is not ended in its middle by a cancel, but at its end. `vocab_only` leaves the weights.
    Raises ModelError when the library does not take the file.
    """
    parameters = library.llama_model_default_params()
    parameters.load_mode = library.LLAMA_LOAD_MODE_MMAP
    parameters.vocab_only = vocab_only
    if library.llama_supports_gpu_offload():
        parameters.n_gpu_layers = _ALL_LAYERS if gpu_layers is None else gpu_layers
    model = library.llama_model_load_from_file(str(path).encode(), parameters)
    if not model:
        raise ModelError(
            "llama.cpp cannot load this model (its log at level DEBUG says why)",
            path=str(path),
            cure="Check it with `goassist-lsp model verify` or use another model",
        )
    return model


def use_adapter(library: Any, model: Any, context: Any, path: Path) -> None:
    """Have `context` evaluate with the LoRA adapter at `path`; the native library frees it with the model.

    Raises ModelError when it is no adapter, or one of another base.
    """
    adapter = library.llama_adapter_lora_init(model, str(path).encode())
    scales = (ctypes.c_float * 1)(1.0)
    adapters = (library.llama_adapter_lora_p_ctypes * 1)(adapter)
    if not adapter or library.llama_set_adapters_lora(context, adapters, 1, scales) != 0:
        raise ModelError(
            "the adapter does not fit the model (the native library's log at level DEBUG says why)",
            path=str(path),
            cure="Use it with the base that it was trained on",
        )
