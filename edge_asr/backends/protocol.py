"""What a runtime offers to the recognizer: open a file, step, reset. One small module a runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge_asr.contract import Metadata


@dataclass(frozen=True)
class StepResult:
    """Outputs of one step (see `edge_asr.contract`). The arrays belong to the caller."""

    partial: np.ndarray  # float32 [chunk_frames, vocabulary], log probabilities
    keep: np.ndarray  # bool [chunk_frames]
    final: np.ndarray  # float32 [rows, vocabulary], only those computed: block_frames at most, 0 where nothing ran
    index: np.ndarray  # int64 [rows], frame of each row of `final`
    waiting: int  # kept frames not yet through the upper stack


class Backend(Protocol):
    """One loaded program. It holds the state of one stream."""

    name: str  # shown to the user: "executorch-python", "native"
    metadata: Metadata

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        """Run one chunk: pcm float32 [chunk_samples], which the caller will use again. Raises EdgeAsrError."""

    def reset(self) -> None:
        """The next step is the first of a new stream, as the first step after loading is. It cannot fail."""
