"""What tells attention of frame numbers: angles, exact at any hour."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TURN = 2**32  # parts of a full turn, where angles need not repeat after a period


def fine_steps(width: int, theta: float) -> Tensor:
    """int64 [width / 2], for `Turning` in TURN parts: the first pair turns by one radian in a frame, and pair i is
    theta^(2 i / width) times as slow.

    A step is rounded to 2^-32 of a full turn. Attention reads differences of frame numbers, so the rounding comes to
    less than 1e-6 rad over a thousand frames.
    """
    exponents = torch.arange(0, width, 2, dtype=torch.float64) / width
    return (theta**-exponents * (TURN / (2 * math.pi))).round().long()


class Turning(nn.Module):
    """Angles by which pairs of features are turned, at original frame numbers.

    A pair turns by a whole number of parts of a full turn in a frame. So the product of frame number and step is
    reduced in integers before it becomes a float32: angles are as exact in the tenth hour of a stream as in its first
    second.
    """

    steps: Tensor  # int64 [head width]

    def __init__(self, steps: Tensor, parts: int) -> None:
        """int64 [head width / 2], what each pair turns by in a frame, in so many parts of a full turn."""
        super().__init__()
        self.parts = parts
        # Of a pair of features the first turns backwards, whose cosine is the same, and whose sine has the other sign.
        self.register_buffer("steps", torch.cat([-steps, steps]), persistent=False)

    def forward(self, frame_index: Tensor) -> tuple[Tensor, Tensor]:
        """int64 [B, F] -> cos and sin, each float32 [B, F, 1, head width]: the share of each feature in itself when it
        is turned, and in it that of the other feature of its pair, which is half the width away."""
        batch, frames = frame_index.shape
        turned = torch.remainder(frame_index.reshape(batch, frames, 1, 1) * self.steps, self.parts)
        angle = turned.to(torch.float32) * (2 * math.pi / self.parts)
        return torch.cos(angle), torch.sin(angle)


class Rotary(Turning):
    """Rotary positions whose angles all repeat after a period: every step is a whole fraction of it."""

    def __init__(self, head_width: int, period_frames: int) -> None:
        fastest = period_frames / (2 * math.pi)  # one radian a frame
        steps = torch.logspace(math.log10(fastest), 0.0, head_width // 2, dtype=torch.float64).round().long()
        super().__init__(steps, period_frames)


class StreamedPositions(nn.Module):
    """Angles of a stack's positions, as `GatedCtc.streamed_positions` wants them; nothing where it need not know."""

    def __init__(self, turning: Turning | None) -> None:
        super().__init__()
        self.turning = turning

    def forward(self, index: Tensor) -> tuple[Tensor, ...]:
        """int64 [1, R] -> cos and sin."""
        return tuple(self.turning(index)) if self.turning is not None else ()
