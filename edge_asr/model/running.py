"""Sums that run over the chunks of a stream, and fade."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sums_of_frames(values: Tensor, valid: Tensor) -> Tensor:
    """Values [N, C, F, n] of a chunk's frames and which of them are real [N, 1, F, 1] -> the mean of each real frame,
    summed over them, [N, C, 1, 1]."""
    return (values * valid).mean((2, 3), keepdim=True) * float(values.shape[2])  # an integer would be cast outside


def faded(before: Tensor, chunk: Tensor, chunk_frames: int, fade_frames: float) -> Tensor:
    """A running sum and a chunk's own -> the running sum with it."""
    return before * math.exp(-chunk_frames / fade_frames) + chunk


def over_chunks(own: Tensor, chunk_frames: int, fade_frames: float) -> Tensor:
    """Own sums of consecutive chunks [N, C, ...] -> the running sum at each."""
    total = torch.zeros_like(own[:, 0])
    totals = []
    for chunk in own.unbind(1):
        total = faded(total, chunk, chunk_frames, fade_frames)
        totals.append(total)
    return torch.stack(totals, dim=1)
