"""Batches of padded waves and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edge_asr.training.augmentation import draw_wave
from edge_asr.training.config import SHAPE_FRAMES, AugmentationConfig
from edge_asr.training.data import Example


@dataclass
class Batch:
    """Padded waves and targets."""

    samples: Tensor  # float32 [N, S], S a multiple of SHAPE_FRAMES frames
    frames: Tensor  # int64 [N], encoder frames of each utterance
    targets: Tensor  # int64 [N, U]
    lengths: Tensor  # int64 [N], tokens of each utterance
    phones: Tensor  # int64 [N, P]
    phone_lengths: Tensor  # int64 [N], phones of each utterance

    def twice(self) -> Batch:
        """The same utterances again, after themselves."""
        return Batch(*(torch.cat([part, part]) for part in vars(self).values()))


def collate(
    streams: Sequence[Sequence[Example]],
    augmentation: AugmentationConfig,
    frame_samples: int,
    rng: np.random.Generator,
) -> Batch:
    """Augment each utterance, join those of a stream, then pad with silence."""
    waves, ids, phones = [], [], []
    for examples in streams:
        drawn = [draw_wave(example, augmentation, rng) for example in examples]
        said = [example for example, (_, spoken) in zip(examples, drawn, strict=True) if spoken]
        waves.append(np.concatenate([wave for wave, _ in drawn]))
        ids.append([i for example in said for i in example.ids])
        phones.append([i for example in said for i in example.phones])
    return pad(waves, ids, frame_samples, phones)


def pad(
    waves: Sequence[np.ndarray],
    ids: Sequence[Sequence[int]],
    frame_samples: int,
    phones: Sequence[Sequence[int]] | None = None,
) -> Batch:
    """Stack waves and targets; the time axis is a multiple of SHAPE_FRAMES frames of so many samples."""
    frames = [-(-len(wave) // frame_samples) for wave in waves]
    granule = SHAPE_FRAMES * frame_samples
    longest = -(-max(len(wave) for wave in waves) // granule) * granule
    samples = torch.zeros(len(waves), longest)
    for row, wave in enumerate(waves):
        samples[row, : len(wave)] = torch.from_numpy(wave)
    return Batch(samples, torch.tensor(frames), *pad_ids(ids), *pad_ids(phones or [()] * len(waves)))


def pad_ids(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """-> int64 [N, U], zeros at the end, and the length of each, int64 [N]."""
    padded = torch.zeros(len(ids), max(1, max(len(row) for row in ids)), dtype=torch.int64)
    for number, row in enumerate(ids):
        padded[number, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return padded, torch.tensor([len(row) for row in ids])
