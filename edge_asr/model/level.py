"""Level of the speech, followed causally, so that a far microphone and a loud one give the same features.

The level of a chunk is the mean power of its frames. It takes effect in that chunk at once where it is above the level
so far; otherwise the level so far holds, and falls slowly. So a chunk of speech is never louder than the reference for
more than its own peaks, and pauses within speech stay as quiet as they are beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.config import FrontEndConfig


class RunningLevel(nn.Module):
    """Linear power, so that digital silence is 0 and the state of a new stream is 0.

    It is written with what XNNPACK takes: it runs in the delegate of the lower stack.
    """

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.least = config.level_floor
        self.row_s = config.hop_samples / config.sample_rate_hz
        self.release_db_s = config.level_release_db_s

    def of_chunk(self, energies: Tensor, valid: Tensor) -> Tensor:
        """Mean of a chunk's real frames: energies [N, R, B] of each feature row's bands, valid [N, F, 1] of each frame,
        with R a multiple of F -> [N, 1, 1], at least the floor, also where no frame is real."""
        chunks, frames, _ = valid.shape
        rows = energies.reshape(chunks, 1, frames, energies.shape[1] // frames * energies.shape[2])
        real = valid.reshape(chunks, 1, frames, 1)
        mean = (rows * real).mean((2, 3), keepdim=True)
        share = real.mean((2, 3), keepdim=True).clamp(min=1 / (2 * frames))
        return (mean / share + self.least).reshape(chunks, 1, 1)

    def follow(self, before: Tensor, chunk: Tensor, rows: int) -> Tensor:
        """Level up to the chunk before, and the chunk's own, each [N, 1, 1] -> level of the chunk, which has so many
        feature rows."""
        fall = 10 ** (-self.release_db_s * rows * self.row_s / 10)
        return torch.maximum(before * fall, chunk)

    def over_chunks(self, chunks: Tensor, rows: int) -> Tensor:
        """Own levels of consecutive chunks [N, C] of so many feature rows each -> the level of each chunk [N, C]."""
        level = torch.zeros_like(chunks[:, 0])
        levels = []
        for own in chunks.unbind(1):
            level = self.follow(level, own, rows)
            levels.append(level)
        return torch.stack(levels, dim=1)
