"""Eager PyTorch behind the runtime's own protocol: the reference that a `.pte` is verified against."""

from __future__ import annotations

import numpy as np
import torch

from edge_asr.backends.protocol import StepResult
from edge_asr.contract import Metadata
from edge_asr.model.gated import GatedCtc
from edge_asr_export.program import StreamingProgram


class EagerBackend:
    """`StreamingProgram` as an `edge_asr.backends.protocol.Backend`."""

    name = "eager"

    def __init__(self, encoder: GatedCtc, metadata: Metadata) -> None:
        self.metadata = metadata
        self.encoder = encoder
        self.program = StreamingProgram(encoder)
        self.starts = True

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        with torch.no_grad():
            partial, keep, final, index, waiting = self.program(
                torch.from_numpy(pcm.copy()).reshape(1, -1),
                torch.tensor([frames]),
                torch.tensor([threshold]),
                torch.tensor([int(flush)]),
                torch.tensor([int(self.starts)]),
            )
        self.starts = False
        rows = index >= 0
        return StepResult(
            partial=partial.numpy(),
            keep=keep.numpy() > 0.5,
            final=final[rows].numpy(),
            index=index[rows].numpy(),
            waiting=int(waiting),
        )

    def reset(self) -> None:
        self.starts = True
