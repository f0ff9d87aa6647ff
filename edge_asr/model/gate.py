"""The blank gate: which frames are kept for the upper stack, and how kept frames fill its blocks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edge_asr.contract import BLOCK_CHUNKS
from edge_asr.model.config import GateConfig


def find_spikes(blank_probability: Tensor, threshold: Tensor | float) -> Tensor:
    """1.0 where a frame is not surely blank, else 0.0.

    A frame is blank where its blank probability is above the threshold; a threshold of 1 therefore skips nothing
    (the clamp guards against a softmax that rounds to more than 1).
    """
    return 1.0 - (threshold < blank_probability.clamp(max=1.0)).to(blank_probability.dtype)


def extend_spikes(spikes: Tensor, carry: Tensor, config: GateConfig) -> Tensor:
    """Keep the neighbours of spikes too ("spike extension").

    spikes [B, F]; carry [B, spike_right], the last spikes of the chunk before. Returns the frames to keep, [B, F],
    as 0.0 or 1.0. Frames before a spike are kept inside the chunk only: the chunk before has been decided already.
    """
    frames = spikes.shape[1]
    padded = functional.pad(torch.cat([carry, spikes], dim=1), (0, config.spike_left))
    keep = padded[:, :frames]
    for shift in range(1, config.spike_left + config.spike_right + 1):
        keep = torch.maximum(keep, padded[:, shift : shift + frames])
    return keep


def plan_blocks(kept_per_chunk: list[list[int]], chunk_frames: int, max_wait_chunks: int) -> list[list[int]]:
    """Simulate the streaming program's blocks over one utterance.

    kept_per_chunk: for each chunk, the indices of the frames it keeps. Returns the blocks in order, each a list of
    frame indices. A block runs when as many frames wait as a chunk has, when a chunk keeps nothing while frames wait,
    when the oldest waiting frame has waited `max_wait_chunks` chunks, and at the end of the utterance. It takes all
    that wait, which are less than two chunks. This is the specification of what the exported program does;
    `tests/model/test_streaming.py` holds the two together.
    """
    blocks: list[list[int]] = []
    waiting: list[int] = []
    for chunk, kept in enumerate(kept_per_chunk):
        waiting = waiting + kept
        end = (chunk + 1) * chunk_frames
        overdue = bool(waiting) and waiting[0] + max_wait_chunks * chunk_frames < end
        if len(waiting) >= chunk_frames or (waiting and not kept) or overdue:
            blocks.append(waiting)
            waiting = []
    if waiting:
        blocks.append(waiting)
    return blocks


def block_sizes(chunk_frames: int) -> tuple[int, ...]:
    """The numbers of rows that a block may have, ascending: it has the least that hold its frames, and what is left of
    them is empty. A half, one, one and a quarter, and two chunks. Without the gate every block is one chunk; with it,
    what runs a block is that a chunk of frames waits, and it takes along the few more that are there by then.
    """
    half, quarter = (max(1, chunk_frames // parts) for parts in (2, 4))
    return tuple(sorted({half, chunk_frames, chunk_frames + quarter, BLOCK_CHUNKS * chunk_frames}))


def size_of_block(frames: int, chunk_frames: int) -> int:
    """Rows of a block that holds so many frames."""
    return next(size for size in block_sizes(chunk_frames) if frames <= size)
