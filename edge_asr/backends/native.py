"""The native library (`edge_asr/native`) through its C ABI: no torch, a few MB, and loaded in milliseconds.

It decodes its steps itself: see `edge_asr.decoder`.
"""

from __future__ import annotations

import ctypes
import functools
import math
import sys
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from edge_asr.backends import thread_pool
from edge_asr.backends.protocol import StepResult
from edge_asr.backends.runtime_log import quiet_stderr
from edge_asr.contract import Metadata
from edge_asr.ctc import Word
from edge_asr.decoder import GateResult
from edge_asr.errors import EdgeAsrError
from edge_asr.native.library import find_library

NAME = "native"
PREFERENCE = 10

ABI_VERSION = 2  # EDGE_ASR_ABI_VERSION of edge_asr.h, whose structures follow
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
    _fields_ = (  # pointers as addresses: what is behind them is copied where somebody asks for it
        ("partial", c_void_p),
        ("keep", c_void_p),
        ("final", c_void_p),
        ("index", c_void_p),
        ("rows", c_int32),
        ("waiting", c_int64),
    )


class CWord(ctypes.Structure):
    _fields_ = (("text", c_char_p), ("start_s", c_double), ("end_s", c_double), ("confidence", c_double))


class CWords(ctypes.Structure):
    _fields_ = (("words", POINTER(CWord)), ("count", c_size_t))


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
    "edge_asr_decoder_open": (c_int32, c_void_p, POINTER(c_void_p), POINTER(CError)),
    "edge_asr_decoder_add": (c_int32, c_void_p, POINTER(CStep), c_int32, POINTER(CWords), POINTER(CError)),
    "edge_asr_decoder_partial_words": (c_int32, c_void_p, POINTER(CWords), POINTER(CError)),
    "edge_asr_decoder_finish": (c_int32, c_void_p, POINTER(CWords), POINTER(CError)),
    "edge_asr_decoder_restart": (c_int32, c_void_p, POINTER(CError)),
    "edge_asr_decoder_close": (None, c_void_p),
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
    model, decoder, program = c_void_p(), c_void_p(), c_void_p()
    call(functions.edge_asr_model_open, str(path).encode("utf-8", "surrogateescape"), byref(model))
    try:
        described = CMetadata()
        functions.edge_asr_model_metadata(model, byref(described))
        metadata = Metadata.from_json(described.json)
        call(functions.edge_asr_decoder_open, model, byref(decoder))
        call(functions.edge_asr_program_load, model, byref(program))
    except EdgeAsrError as error:
        functions.edge_asr_decoder_close(decoder)
        line = str(error)
        raise EdgeAsrError(line if line.startswith(f"{path}: ") else f"{path}: {line}") from None
    finally:
        functions.edge_asr_model_close(model)  # the program and the decoder keep what they need of it
    return Native(metadata, functions, program, decoder)


class Native:
    """One loaded program, and the decoder of its stream.

    See `edge_asr.backends.protocol.Backend`, and `edge_asr.decoder.Decoder`, which copies no log probabilities.
    """

    name = NAME

    def __init__(self, metadata: Metadata, functions: ctypes.CDLL, program: c_void_p, decoder: c_void_p) -> None:
        self.metadata = metadata
        self._functions = functions
        self._program = program
        self._decoder = decoder
        weakref.finalize(self, functions.edge_asr_program_close, program)
        weakref.finalize(self, functions.edge_asr_decoder_close, decoder)
        self._result = CStep()

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        """Run one chunk: pcm float32 [chunk_samples]."""
        result = self._run(pcm, frames, threshold, flush)
        frames, vocabulary = self.metadata.chunk_frames, len(self.metadata.pieces)
        return StepResult(
            partial=copied(result.partial, np.float32, frames, vocabulary),
            keep=copied(result.keep, np.float32, frames) > 0.5,
            final=copied(result.final, np.float32, result.rows, vocabulary),
            index=copied(result.index, np.int64, result.rows),
            waiting=result.waiting,
        )

    def advance(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> GateResult:
        """Run one chunk: pcm float32 [chunk_samples]."""
        result = self._run(pcm, frames, threshold, flush)
        keep = (c_float * frames).from_address(result.keep)
        return GateResult(tuple(kept > 0.5 for kept in keep), upper_ran=result.rows > 0, waiting=result.waiting)

    def decode(self, samples: int) -> list[Word]:
        """The words that the chunk just run made final."""
        return self._words(self._functions.edge_asr_decoder_add, byref(self._result), samples)

    def partial_words(self) -> list[Word]:
        """The words that follow the final ones and may change."""
        return self._words(self._functions.edge_asr_decoder_partial_words)

    def finish(self) -> list[Word]:
        """The last word of a stream that has ended."""
        return self._words(self._functions.edge_asr_decoder_finish)

    def reset(self) -> None:
        """The next step is the first of a new stream."""
        call(self._functions.edge_asr_program_reset, self._program)
        call(self._functions.edge_asr_decoder_restart, self._decoder)

    def _run(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> CStep:
        if pcm.shape != (self.metadata.chunk_samples,):
            raise EdgeAsrError(f"a step takes {self.metadata.chunk_samples} samples, not {list(pcm.shape)}")
        samples = np.ascontiguousarray(pcm, np.float32)  # no copy where it is that already
        result, step = self._result, self._functions.edge_asr_program_step
        call(step, self._program, samples.ctypes.data, frames, threshold, flush, byref(result))
        return result

    def _words(self, function: Callable[..., int], *arguments: object) -> list[Word]:
        found = CWords()
        call(function, self._decoder, *arguments, byref(found))
        words = (found.words[position] for position in range(found.count))
        return [Word(word.text.decode(), word.start_s, word.end_s, word.confidence) for word in words]


def copied(address: int, dtype: type[np.generic], *shape: int) -> np.ndarray:
    """An array of the library's, which lives until the next call, as one that belongs to the caller."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    behind = memoryview((c_char * size).from_address(address)).cast("B")
    return np.frombuffer(behind, dtype).reshape(shape).copy()
