"""Moonshine's front end, from samples to frames, with statistics that run instead of waiting for the whole utterance.

Moonshine normalizes the first convolution's output over all channels and the whole utterance (a group norm of one
group), which makes it deaf to how loud a voice is. A stream knows the past only: its statistics are sums over the
frames so far, its own chunk's included, on top of a prior that stands for a second and a half of speech.

What a stream must keep is samples, not activations. A frame is made of 895 samples, of which 384 are its own: with the
512 before a chunk all that it needs can be computed anew, for 1 to 4 % more arithmetic, and zeros in the state are
silence by themselves. All rows that a chunk reads are normalized by its own statistics.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.layers import over_rows
from edge_asr.model.moonshine_config import MoonshineConfig

KERNELS = (127, 7, 3)
STRIDES = (64, 3, 2)
TAPS = 2  # strides in a window of the first convolution, whose first sample Moonshine's kernel does not read
ROWS = 6  # rows of the first convolution in a frame
TAIL_ROWS = 7  # rows of the first convolution before a chunk's own that its frames read
TAIL_SAMPLES = 512  # samples before a chunk's own that its frames read, but for the first
EPSILON = 1e-5  # of the group norm


class FrontEnd(nn.Module):
    """Three convolutions. The second and the third are `nn.Linear`s on windows of rows, which is the same arithmetic:
    they are as much work as three layers, and linears are what is quantized. The first, on samples, stays float32. Its
    kernel has one sample more than Moonshine's, in front, and so is two strides of 64 channels: a convolution of one
    channel is a depth-wise one to XNNPACK, and slow.

    The gain and the bias of the group norm are those of the second convolution, into which `moonshine_weights` folds
    them. The features of a frame have mean 0: see `moonshine_layers`.
    """

    prior: Tensor  # [1, 1, 3], statistics of what is presumed
    of_frame: Tensor  # [1, 6 W, 1], takes the mean over a frame's rows
    of_row: Tensor  # [1, W, 1], takes the mean over features

    def __init__(self, config: MoonshineConfig) -> None:
        super().__init__()
        width = config.width
        self.memory_frames = float(config.memory_frames)
        self.first = nn.Conv2d(STRIDES[0], width, (1, TAPS), bias=False)
        self.second = nn.Linear(KERNELS[1] * width, 2 * width)
        self.third = nn.Linear(KERNELS[2] * 2 * width, width)
        prior = torch.tensor([config.prior_mean, config.prior_square, 1.0]) * config.prior_frames
        self.register_buffer("prior", prior.reshape(1, 1, 3), persistent=False)
        self.register_buffer("of_frame", mean_of(ROWS * width), persistent=False)
        self.register_buffer("of_row", mean_of(width), persistent=False)

    def rows(self, samples: Tensor) -> Tensor:
        """[B, 64 R] -> the first convolution, [B, R - 1, W]."""
        return torch.tanh(over_rows(self.first, samples.reshape(samples.shape[0], -1, STRIDES[0])))

    def sums(self, rows: Tensor, valid: Tensor) -> Tensor:
        """rows [B, 6 F, W] of a chunk's own frames, valid [B, F, 1] -> statistics of its real frames [B, 1, 3]: the sum
        of their means, that of their mean squares, and how many there are."""
        batch, frames, _ = valid.shape
        flat = rows.reshape(batch, frames, ROWS * rows.shape[2])
        moments = torch.cat([row_mean(flat, self.of_frame), row_mean(flat * flat, self.of_frame), valid], dim=2)
        return torch.bmm(valid.reshape(batch, 1, frames), moments)

    def remember(self, statistics: Tensor, sums: Tensor) -> Tensor:
        """Statistics before a chunk, and its sums -> statistics with it. Where they would weigh more frames than the
        memory holds, all are scaled down: the past fades, and sums never grow beyond what float32 adds exactly."""
        total = statistics + sums
        return total * self.memory_frames / total[:, :, 2:].clamp(min=self.memory_frames)

    def running(self, sums: Tensor) -> Tensor:
        """Sums of the chunks of N utterances [N, C, 3] -> the statistics that each is normalized by, [N, C, 3]."""
        statistics, each = torch.zeros_like(sums[:, :1]), []
        for chunk in sums.split(1, dim=1):
            statistics = self.remember(statistics, chunk)
            each.append(statistics)
        return torch.cat(each, dim=1)

    def frames(self, rows: Tensor, statistics: Tensor) -> Tensor:
        """All rows that a chunk reads [B, 6 F + 7, W], normalized by statistics [B, 1, 3] -> frames [B, F, W]."""
        known = statistics + self.prior
        return self.shrink(normalized(rows, known[:, :, :1] / known[:, :, 2:], known[:, :, 1:2] / known[:, :, 2:]))

    def whole(self, samples: Tensor) -> Tensor:
        """Whole utterances [N, S] as Moonshine itself has them: statistics of all of it, and frame t begins, not ends,
        with its own samples -> [N, T, W]."""
        count = (samples.shape[1] - KERNELS[0]) // STRIDES[0] + TAPS
        rows = self.rows(functional.pad(samples, (1, count * STRIDES[0] - samples.shape[1] - 1)))
        mean, square = (value.mean(dim=(1, 2), keepdim=True) for value in (rows, rows * rows))
        return self.shrink(normalized(rows, mean, square))

    def shrink(self, rows: Tensor) -> Tensor:
        """Normalized rows of the first convolution -> frames, the mean of whose features is 0."""
        rows = functional.gelu(self.second(windows(rows, KERNELS[1], STRIDES[1])))
        rows = functional.gelu(self.third(windows(rows, KERNELS[2], STRIDES[2])))
        return rows - row_mean(rows, self.of_row)


def normalized(rows: Tensor, mean: Tensor, square: Tensor) -> Tensor:
    """By a mean and a mean square, [B, 1, 1] each. Rows are within 1 of 0, so that float32 holds the difference."""
    return (rows - mean) * torch.rsqrt(square - mean * mean + EPSILON)


def mean_of(features: int) -> Tensor:
    return torch.full((1, features, 1), 1 / features)


def row_mean(rows: Tensor, weights: Tensor) -> Tensor:
    """[B, R, W], and `mean_of` W -> [B, R, 1].

    XNNPACK takes no mean of the last axis. A product of matrices, not a linear, which would pass for a learnt one that
    was not quantized.
    """
    batch, count, width = rows.shape
    return torch.bmm(rows.reshape(1, batch * count, width), weights.to(rows.dtype)).reshape(batch, count, 1)


def windows(rows: Tensor, kernel: int, stride: int) -> Tensor:
    """What a convolution without padding reads: [B, R, C] -> [B, (R - kernel) / stride + 1, kernel * C].

    Cut into groups of `stride` rows, a window is a few groups in a row, the last of them in part: slices and views,
    which XNNPACK takes.
    """
    batch, count, channels = rows.shape
    number, parts = (count - kernel) // stride + 1, -(-kernel // stride)
    rows = functional.pad(rows, (0, 0, 0, (number + parts - 1) * stride - count))
    groups = rows.reshape(batch, number + parts - 1, stride * channels)
    read = [groups[:, part : part + number] for part in range(parts)]
    read[-1] = read[-1][:, :, : (kernel - (parts - 1) * stride) * channels]
    return torch.cat(read, dim=2)
