"""What a checkpoint hears of a recording in PyTorch, in fp32: as a stream, or with all of it in sight."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from edge_asr.ctc import collapse
from edge_asr.model.checkpoint import Checkpoint


def heard_as_stream(checkpoint: Checkpoint, samples: np.ndarray, threshold: float, chunk_frames: int) -> str:
    """Text of float32 [samples] at the model's rate, as its `.pte` with this chunk and threshold decodes it."""
    return heard(checkpoint, samples, threshold, chunk_frames)


def heard_at_full_context(checkpoint: Checkpoint, samples: np.ndarray) -> str:
    """The same where every frame sees the whole recording and none is skipped: what a pretrained encoder was made for.
    Memory grows with the square of its length."""
    return heard(checkpoint, samples, None, None)


def heard(checkpoint: Checkpoint, samples: np.ndarray, threshold: float | None, chunk_frames: int | None) -> str:
    """A `threshold` of None skips nothing; a chunk of None is the whole recording."""
    model = checkpoint.model
    frames = -(-len(samples) // model.spec.frame_samples)
    if not frames:
        return ""
    chunk = chunk_frames or max(frames, model.shortest_chunk())
    missing = -(-frames // chunk) * chunk * model.spec.frame_samples - len(samples)
    wave, count = functional.pad(torch.from_numpy(samples), (0, missing))[None], torch.tensor([frames])
    with torch.no_grad():
        features = model.features(wave, count, chunk)
        output = model(features, count, torch.tensor([threshold or 0.0]), chunk, gate=threshold is not None)
    best = output.final[0, :frames].argmax(dim=-1).tolist()
    return checkpoint.tokens.to_text(collapse(best, checkpoint.tokens.blank_id))
