"""The native library (`edge_asr/native`) through its C ABI: no torch, a few MB, and loaded in milliseconds."""

from __future__ import annotations

import ctypes
import functools
import math
import sys
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from ctypes import POINTER, byref, c_char, c_char_p, c_float, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from edge_asr.backends import thread_pool
from edge_asr.backends.protocol import StepResult
from edge_asr.backends.runtime_log import quiet_stderr
from edge_asr.contract import Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.native.library import find_library

NAME = "native"
PREFERENCE = 10

ABI_VERSION = 1  # EDGE_ASR_ABI_VERSION of edge_asr.h, whose structures follow
MESSAGE_BYTES = 512


class CError(ctypes.Structure):
    _fields_ = (("message", c_char * MESSAGE_BYTES),)


class CMetadata(ctypes.Structure):
    _fields_ = (
        ("contract_version", c_int32),
        ("sample_rate_hz", c_int32),
        ("chunk_samples", c_int32),
        ("chunk_frames", c_int32),
        ("frame_samples", c_int32),
        ("vocabulary", c_int32),
        ("blank_id", c_int32),
        ("default_threshold", c_float),
        ("json", c_char_p),
    )


class CStep(ctypes.Structure):
    _fields_ = (  # pointers as addresses: what is behind them is copied
        ("partial", c_void_p),
        ("keep", c_void_p),
        ("final", c_void_p),
        ("index", c_void_p),
        ("rows", c_int32),
        ("waiting", c_int64),
    )


SIGNATURES: dict[str, tuple[Any, ...]] = {  # result, arguments
    "edge_asr_abi_version": (c_int32,),
    "edge_asr_set_threads": (c_int32, c_int32, POINTER(c_int32), c_size_t, POINTER(CError)),
    "edge_asr_model_open": (c_int32, c_char_p, POINTER(c_void_p), POINTER(CError)),
    "edge_asr_model_metadata": (None, c_void_p, POINTER(CMetadata)),
    "edge_asr_model_close": (None, c_void_p),
    "edge_asr_program_load": (c_int32, c_void_p, POINTER(c_void_p), POINTER(CError)),
    "edge_asr_program_step": (
        c_int32,
        c_void_p,
        c_void_p,
        c_int32,
        c_float,
        c_int32,
        POINTER(CStep),
        POINTER(CError),
    ),
    "edge_asr_program_reset": (c_int32, c_void_p, POINTER(CError)),
    "edge_asr_program_close": (None, c_void_p),
}


def missing() -> str | None:
    """What to do first, in one line, or None."""
    try:
        return None if find_library() else "edge-asr native build"
    except EdgeAsrError as error:
        return str(error)


def load(path: Path, threads: int) -> Native:
    """Map a checked file and load its program.

    Raises EdgeAsrError where the library or the file is unfit, and where loaded programs run on another number of
    threads.
    """
    library = find_library()
    if library is None:
        raise EdgeAsrError("the native runtime is not built: edge-asr native build")
    functions = open_library(library.path)

    def resize(count: int) -> None:
        call(functions.edge_asr_set_threads, count, None, 0)

    # the library keeps ExecuTorch's log to itself, until ExecuTorch's Python bindings are imported and take it over
    bindings = "executorch.extension.pybindings.portable_lib" in sys.modules
    with quiet_stderr() if bindings else nullcontext(), thread_pool.loading(threads, resize) as loaded:
        return loaded(load_program(functions, path))


@functools.cache
def open_library(path: Path) -> ctypes.CDLL:
    """Raises EdgeAsrError where it is for another machine, or of another version."""
    try:
        functions = ctypes.CDLL(str(path))
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(functions, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise EdgeAsrError(f"{path}: cannot be loaded ({error}): edge-asr native build --force") from None
    version = functions.edge_asr_abi_version()
    if version != ABI_VERSION:
        raise EdgeAsrError(f"{path}: speaks version {version}, expected {ABI_VERSION}: edge-asr native build --force")
    return functions


def call(function: Callable[..., int], *arguments: object) -> None:
    """Raises EdgeAsrError with the library's own line."""
    error = CError()
    if function(*arguments, byref(error)):
        raise EdgeAsrError(error.message.decode("utf-8", "replace"))


def load_program(functions: ctypes.CDLL, path: Path) -> Native:
    model, program = c_void_p(), c_void_p()
    call(functions.edge_asr_model_open, str(path).encode("utf-8", "surrogateescape"), byref(model))
    try:
        described = CMetadata()
        functions.edge_asr_model_metadata(model, byref(described))
        metadata = Metadata.from_json(described.json)
        call(functions.edge_asr_program_load, model, byref(program))
    except EdgeAsrError as error:
        line = str(error)
        raise EdgeAsrError(line if line.startswith(f"{path}: ") else f"{path}: {line}") from None
    finally:
        functions.edge_asr_model_close(model)  # the program keeps what it needs of it
    return Native(metadata, functions, program)


class Native:
    """One loaded program; see `edge_asr.backends.protocol.Backend`."""

    name = NAME

    def __init__(self, metadata: Metadata, functions: ctypes.CDLL, program: c_void_p) -> None:
        self.metadata = metadata
        self._program = program
        self._step = functions.edge_asr_program_step
        self._reset = functions.edge_asr_program_reset
        weakref.finalize(self, functions.edge_asr_program_close, program)
        self._result = CStep()

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        """Run one chunk: pcm float32 [chunk_samples]."""
        if pcm.shape != (self.metadata.chunk_samples,):
            raise EdgeAsrError(f"a step takes {self.metadata.chunk_samples} samples, not {list(pcm.shape)}")
        samples = np.ascontiguousarray(pcm, np.float32)  # no copy where it is that already
        result = self._result
        call(self._step, self._program, samples.ctypes.data, frames, threshold, flush, byref(result))
        frames, vocabulary = self.metadata.chunk_frames, len(self.metadata.pieces)
        return StepResult(
            partial=copied(result.partial, np.float32, frames, vocabulary),
            keep=copied(result.keep, np.float32, frames) > 0.5,
            final=copied(result.final, np.float32, result.rows, vocabulary),
            index=copied(result.index, np.int64, result.rows),
            waiting=result.waiting,
        )

    def reset(self) -> None:
        """The next step is the first of a new stream."""
        call(self._reset, self._program)


def copied(address: int, dtype: type[np.generic], *shape: int) -> np.ndarray:
    """An array of the library's, which lives until the next call, as one that belongs to the caller."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    behind = memoryview((c_char * size).from_address(address)).cast("B")
    return np.frombuffer(behind, dtype).reshape(shape).copy()
