"""ExecuTorch's own Python runtime. It needs torch: import nothing of either outside a function."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np

from edge_asr.backends import thread_pool
from edge_asr.backends.program_file import read_program_file
from edge_asr.backends.protocol import StepResult
from edge_asr.backends.runtime_log import quiet_stderr
from edge_asr.contract import METADATA, STEP, STEP_INPUTS, STEP_OUTPUTS, Metadata
from edge_asr.errors import EdgeAsrError
from edge_asr.extras import how_to_install

NAME = "executorch-python"
PREFERENCE = 0  # it costs 350 MB of memory and seconds of import: anything else is better on a device


def missing() -> str | None:
    """What to install first, in one line, or None."""
    absent = any(importlib.util.find_spec(name) is None for name in ("torch", "executorch"))
    return how_to_install("export") if absent else None


def load(path: Path, threads: int) -> ExecuTorchPython:
    """Load the methods of the file, from memory: what was checked is what runs, whatever happens to the file.

    Raises EdgeAsrError where the file is damaged, is not ours, or is of another contract, and where loaded programs
    run on another number of threads.
    """
    content = read_program_file(path).content
    with quiet_stderr() as captured:
        portable_lib, runtime = _import_runtime()
        # the bindings print through `sys.stderr` as well; not while torch is imported, as its log keeps that object
        with redirect_stderr(captured), thread_pool.loading(threads, portable_lib._unsafe_reset_threadpool) as loaded:
            return loaded(_load(runtime, path, content))


def _load(runtime: Any, path: Path, content: bytes) -> ExecuTorchPython:
    try:
        program = runtime.load_program(content)
    except RuntimeError:
        raise EdgeAsrError(f"{path}: damaged, not a whole ExecuTorch program: copy or export it again") from None
    absent = {STEP, METADATA} - program.method_names
    if absent:
        raise EdgeAsrError(
            f"{path}: not a model made by edge-asr (it has no {', '.join(sorted(absent))}): export it with edge-asr"
        )
    try:
        step = program.load_method(STEP).execute
        text = bytes(program.load_method(METADATA).execute([])[0].numpy().tobytes())
        signature = program.metadata(STEP)
        inputs, outputs = signature.num_inputs(), signature.num_outputs()
        tensors = [signature.input_tensor_meta(0), *(signature.output_tensor_meta(i) for i in range(outputs))]
        shapes = [tuple(tensor.sizes()) for tensor in tensors]
    except (RuntimeError, AttributeError, IndexError) as error:
        raise EdgeAsrError(
            f"{path}: this ExecuTorch cannot load it ({_first_line(error)}): "
            "export it again with the version installed here"
        ) from None
    try:
        metadata = Metadata.from_json(text)
    except EdgeAsrError as error:
        raise EdgeAsrError(f"{path}: {error}") from None
    if (inputs, outputs) != (len(STEP_INPUTS), len(STEP_OUTPUTS)) or shapes != step_shapes(metadata):
        raise EdgeAsrError(f"{path}: its step method does not follow its metadata: export it again")
    return ExecuTorchPython(metadata, step, program)


def step_shapes(metadata: Metadata) -> list[tuple[int, ...]]:
    """Of `pcm`, then of the outputs of a step."""
    chunk, block, vocabulary = metadata.chunk_frames, metadata.block_frames, len(metadata.pieces)
    return [(1, metadata.chunk_samples), (chunk, vocabulary), (chunk,), (block, vocabulary), (block,), (1,)]


class ExecuTorchPython:
    """One loaded program; see `edge_asr.backends.protocol.Backend`."""

    name = NAME

    def __init__(self, metadata: Metadata, step: Callable[[Any], Any], program: object) -> None:
        import torch

        self.metadata = metadata
        self._execute_step = step
        self._program = program  # the method points into it: it crashes where the program is collected before it
        # Inputs are made once and written through numpy: making them anew takes 5 % of a step in which all is skipped.
        self._pcm = np.zeros((1, metadata.chunk_samples), np.float32)
        self._frames = np.zeros(1, np.int64)
        self._threshold = np.zeros(1, np.float32)
        self._flush = np.zeros(1, np.int64)
        self._reset = np.ones(1, np.int64)
        inputs = (self._pcm, self._frames, self._threshold, self._flush, self._reset)
        self._inputs = tuple(torch.from_numpy(array) for array in inputs)

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        """Run one chunk: pcm float32 [chunk_samples]."""
        self._pcm[0], self._frames[0], self._threshold[0], self._flush[0] = pcm, frames, threshold, flush
        try:
            outputs = self._execute_step(self._inputs)
        except RuntimeError as error:
            raise EdgeAsrError(f"the model failed in a step ({_first_line(error)}): export it again") from None
        self._reset[0] = 0
        partial, keep, final, index, waiting = (output.numpy() for output in outputs)
        rows = int((index >= 0).sum())  # those that were computed come first
        return StepResult(
            partial=partial, keep=keep > 0.5, final=final[:rows], index=index[:rows], waiting=int(waiting[0])
        )

    def reset(self) -> None:
        """The next step is the first of a new stream."""
        self._reset[0] = 1


def _import_runtime() -> tuple[Any, Any]:
    """ExecuTorch's bindings and its runtime."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns on import that it is experimental
        try:
            portable_lib = importlib.import_module("executorch.extension.pybindings.portable_lib")
            runtime = importlib.import_module("executorch.runtime").Runtime.get()
        except ImportError as error:
            raise EdgeAsrError(f"ExecuTorch cannot be imported ({_first_line(error)}): install it again") from None
    return portable_lib, runtime


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
