"""What the streamed modules of an encoder are given, in its shapes: to trace them, and to count what they cost."""

from __future__ import annotations

import torch
from torch import Tensor

from edge_asr.model.gate import block_sizes
from edge_asr.model.gated import GatedCtc


def lower_example(encoder: GatedCtc) -> tuple[Tensor, ...]:
    """Inputs of the lower stack's block in their shapes."""
    spec = encoder.spec
    pcm = torch.zeros(1, spec.chunk_frames * spec.frame_samples)
    inputs, _ = encoder.streamed_outside()(pcm, torch.arange(spec.chunk_frames), *encoder.outside_state().values())
    return (*inputs, torch.ones(1, spec.chunk_frames, 1), *encoder.lower_state().values())


def upper_example(encoder: GatedCtc) -> tuple[Tensor, ...]:
    """Inputs of the upper stack's blocks in their shapes."""
    spec, rows = encoder.spec, block_sizes(encoder.spec.chunk_frames)[-1]
    block = (torch.zeros(1, rows, spec.handed_width), torch.ones(1, rows, 1))
    return (*block, *example_positions(encoder), *encoder.upper_state().values())


def example_positions(encoder: GatedCtc) -> tuple[Tensor, ...]:
    """What tells the upper stack of frame numbers, in the shapes of the largest block."""
    rows = block_sizes(encoder.spec.chunk_frames)[-1]
    positions: tuple[Tensor, ...] = encoder.streamed_positions()(torch.arange(rows).reshape(1, -1))
    return positions
