"""Parakeet's front end, from samples to frames, with statistics that run instead of waiting for the whole utterance.

Parakeet's feature extractor centres its windows: mel row t is made of the samples from 160 t - 200 to 160 t + 199. So
the last row of a frame would read 40 samples of the next frame. In a stream row t is the window that ends with hop t,
which is what Parakeet's would be if the audio came 40 samples, or 2.5 ms, later.

Each mel band is normalized by the mean and the standard deviation of what was heard so far, the chunk itself included.
They start from nothing: in the first chunk they are those of the chunk, and a chunk that is the whole utterance is
normalized as Parakeet's extractor does it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_asr.model.front_end import Bands, windowed_spectrum
from edge_asr.model.parakeet_config import ParakeetConfig
from edge_asr.model.running import sums_of_frames

LEAST_ENERGY = 2.0**-24  # added to the energy of a band before the logarithm
LEAST_DEVIATION = 1e-5  # added to the standard deviation
LEAST_COUNT = 1e-6  # frames; keeps a division from 0 where nothing was heard

# Slaney's mel scale is linear up to 1 kHz, and logarithmic above.
LINEAR_HZ = 1_000.0
MELS_PER_HZ = 3 / 200
MELS_PER_NEPER = 27 / math.log(6.4)


def slaney_filterbank(mels: int, fft_size: int, sample_rate_hz: int) -> Tensor:
    """Triangular filters of equal area on Slaney's mel scale, from 0 Hz to half the rate: float32 [mels, bins]."""
    highest = LINEAR_HZ * MELS_PER_HZ + MELS_PER_NEPER * math.log(sample_rate_hz / 2 / LINEAR_HZ)
    corners_mel = torch.linspace(0.0, highest, mels + 2, dtype=torch.float64)
    above = corners_mel - LINEAR_HZ * MELS_PER_HZ
    corners_hz = torch.where(above < 0, corners_mel / MELS_PER_HZ, LINEAR_HZ * torch.exp(above / MELS_PER_NEPER))
    bins_hz = torch.linspace(0, sample_rate_hz / 2, fft_size // 2 + 1, dtype=torch.float64)[None]
    left, centre, right = (corners_hz[i : i + mels, None] for i in range(3))
    triangles = torch.minimum((bins_hz - left) / (centre - left), (right - bins_hz) / (right - centre))
    return (triangles.clamp(min=0) * 2 / (right - left)).float()


class Moments(NamedTuple):
    """Statistics of the mel bands over real frames. Zeros where nothing was heard."""

    frames: Tensor  # [N, 1, 1, 1], how many; older ones count for less
    mean: Tensor  # [N, M, 1, 1], of each band
    spread: Tensor  # [N, M, 1, 1], sum over frames of the mean square of their rows' distance from the mean


class FrontEnd(nn.Module):
    """Samples to normalized log-mel."""

    window: Tensor  # [400]

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        self.config = config
        self.bands = Bands(slaney_filterbank(config.mels, config.FFT_SIZE, config.SAMPLE_RATE_HZ))
        self.register_buffer("window", torch.hann_window(config.WINDOW_SAMPLES, periodic=False), persistent=False)

    def spectrum(self, samples: Tensor) -> Tensor:
        """[N, tail_samples + S] -> the spectrum of the window that ends with each hop [N, S / 160, 514], real and
        imaginary parts side by side."""
        emphasized = samples[:, 1:] - samples[:, : samples.shape[1] - 1] * self.config.PREEMPHASIS
        return windowed_spectrum(emphasized, self.window, self.config.HOP_SAMPLES, self.config.FFT_SIZE)

    def log_mel(self, spectrum: Tensor) -> Tensor:
        """-> [N, R, M], not yet normalized."""
        return torch.log(self.bands(spectrum * spectrum) + LEAST_ENERGY)

    def of_chunk(self, mel: Tensor, valid: Tensor) -> Moments:
        """Those of a chunk: mel [N, R, M], and which of its frames are real [N, F, 1]."""
        chunks, frames, _ = valid.shape
        framed = mel.permute(0, 2, 1).reshape(chunks, mel.shape[2], frames, self.config.subsampling)
        real = valid.reshape(chunks, 1, frames, 1)
        count = sums_of_frames(real, real)
        mean = sums_of_frames(framed, real) / count.clamp(min=LEAST_COUNT)
        apart = framed - mean
        return Moments(count, mean, sums_of_frames(apart * apart, real))

    def with_chunk(self, before: Moments, own: Moments, chunk_frames: int) -> Moments:
        """Those up to the chunk before, and a chunk's own -> those up to the chunk (Chan et al. 1979). Sums of squares
        of what lies far from 0 would lose the variance in rounding; these do not."""
        fade = math.exp(-chunk_frames / self.config.fade_frames)
        older = before.frames * fade
        count = older + own.frames
        share = own.frames / count.clamp(min=LEAST_COUNT)
        moved = own.mean - before.mean
        spread = before.spread * fade + own.spread + moved * moved * (older * share)
        return Moments(count, before.mean + moved * share, spread)

    def over_chunks(self, own: Moments, utterances: int, chunk_frames: int) -> Moments:
        """Each chunk's own, of N utterances of C chunks, [N * C, ...] -> those up to each chunk."""
        chunks = [
            Moments(*each)
            for each in zip(*(part.reshape(utterances, -1, *part.shape[1:]).unbind(1) for part in own), strict=True)
        ]
        running = Moments(*(torch.zeros_like(part) for part in chunks[0]))
        each = []
        for chunk in chunks:
            running = self.with_chunk(running, chunk, chunk_frames)
            each.append(running)
        return Moments(*(torch.stack(parts, dim=1).flatten(0, 1) for parts in zip(*each, strict=True)))

    def normalized(self, mel: Tensor, moments: Moments) -> Tensor:
        """[N, R, M] by statistics of as many chunks. The variance is the unbiased one, of rows."""
        rows = float(self.config.subsampling)
        variance = moments.spread * rows / (moments.frames * rows - 1.0).clamp(min=1.0)
        mean, deviation = (part.reshape(mel.shape[0], 1, mel.shape[2]) for part in (moments.mean, torch.sqrt(variance)))
        return (mel - mean) / (deviation + LEAST_DEVIATION)

    def forward(self, samples: Tensor, valid: Tensor, chunk_frames: int) -> Tensor:
        """Whole streams in chunks: samples [N, tail_samples + S], which of their frames are real [N, T], T a multiple
        of `chunk_frames` -> normalized log-mel [N, R, M]."""
        mel = self.log_mel(self.spectrum(samples))
        chunks = mel.reshape(-1, chunk_frames * self.config.subsampling, mel.shape[2])
        own = self.of_chunk(chunks, valid.reshape(-1, chunk_frames, 1))
        return self.normalized(chunks, self.over_chunks(own, mel.shape[0], chunk_frames)).reshape(mel.shape)


def strided(convolution: nn.Module, image: Tensor) -> Tensor:
    """[N, R, M, C] -> [N, R', M', C']: channels lie last in memory, which is how XNNPACK wants them."""
    return convolution(image.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Subsampling(nn.Module):
    """Mel rows to frames, by stride-2 convolutions; all but the first are depth-wise, and a linear mixes their
    channels. A convolution reads one row before its own: the last one of the chunk before, or zeros."""

    def __init__(self, config: ParakeetConfig) -> None:
        super().__init__()
        channels, self.stages = config.subsampling_channels, config.subsampling.bit_length() - 1
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=(0, 1))
        self.depthwise = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, stride=2, padding=(0, 1), groups=channels) for _ in range(self.stages - 1)
        )
        self.mix = nn.ModuleList(nn.Linear(channels, channels) for _ in range(self.stages - 1))
        self.out = nn.Linear(config.mels // config.subsampling * channels, config.width)

    def tails(self, utterances: int) -> list[Tensor]:
        """Zeros in place of the chunk before: the row [N, 1, M, C] that each convolution reads of it."""
        bands, channels = self.out.in_features // self.first.out_channels, self.first.out_channels
        inputs = [1] + [channels] * (self.stages - 1)
        return [
            torch.zeros(utterances, 1, bands << (self.stages - stage), inputs[stage]) for stage in range(self.stages)
        ]

    def forward(self, mel: Tensor, tails: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """mel [N, R, M] and the tails of the chunk before -> features [N, F, width], and the new tails."""
        image, newest = mel.reshape(*mel.shape, 1), []
        for stage, tail in enumerate(tails):
            newest.append(image[:, image.shape[1] - 1 :])
            image = torch.cat([tail, image], dim=1)
            if stage:
                image = strided(self.depthwise[stage - 1], image)
                batch, rows, bands, channels = image.shape
                image = self.mix[stage - 1](image.reshape(batch, rows * bands, channels)).reshape(image.shape)
            else:
                image = strided(self.first, image)
            image = functional.relu(image)
        return self.out(image.reshape(image.shape[0], image.shape[1], -1)), newest
