"""A model that teaches another what it hears with the whole utterance in sight."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr.model.gated import GatedCtc
from edge_asr.tokens import Tokens
from edge_asr.training.batches import Batch


class Teacher:
    """The final head of a checkpoint, at full context and with nothing skipped. It learns nothing."""

    def __init__(self, path: Path, student: GatedCtc, tokens: Tokens, device: torch.device) -> None:
        """Raises EdgeAsrError where it speaks of other pieces or frames than the student."""
        checkpoint = load_checkpoint(path)
        if checkpoint.tokens != tokens:
            raise EdgeAsrError(f"{path}: its pieces are not those of the model that it should teach")
        ours, theirs = student.spec, checkpoint.model.spec
        if (ours.frame_samples, ours.sample_rate_hz) != (theirs.frame_samples, theirs.sample_rate_hz):
            raise EdgeAsrError(
                f"{path}: its frames are of {theirs.frame_ms:g} ms, the student's of {ours.frame_ms:g} ms"
            )
        self._model = checkpoint.model.requires_grad_(False).to(device)
        self._device = device

    def final(self, batch: Batch) -> Tensor:
        """Log probabilities float32 [N, T, vocabulary] of a batch, as it is without masks."""
        samples, frames = batch.samples.to(self._device), batch.frames.to(self._device)
        whole = samples.shape[1] // self._model.spec.frame_samples
        never = torch.ones(len(frames), device=self._device)
        with torch.no_grad(), torch.autocast(self._device.type, torch.bfloat16):
            features = self._model.features(samples, frames, whole)
            return self._model(features, frames, never, whole, gate=False).final
