"""PCM to normalized log-mel frames. It runs inside the `.pte`, so nobody ports feature code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.config import FrontEndConfig


def to_mel(hz: Tensor) -> Tensor:
    """Frequencies on HTK's mel scale."""
    return 2595.0 * torch.log10(1.0 + hz / 700.0)


def to_hz(mel: Tensor) -> Tensor:
    """Inverse of `to_mel`."""
    return 700.0 * (10 ** (mel / 2595.0) - 1.0)


def band_corners(config: FrontEndConfig) -> Tensor:
    """Where mel bands begin and end, float64 [mels + 2] in mel: band i peaks at i + 1 and reaches its neighbours."""
    low, high = to_mel(torch.tensor([config.low_hz, config.high_hz], dtype=torch.float64)).tolist()
    return torch.linspace(low, high, config.mels + 2, dtype=torch.float64)


def mel_filterbank(config: FrontEndConfig) -> Tensor:
    """Triangular filters on the HTK mel scale, [mels, fft_size / 2 + 1], each with peak 1."""
    corners_mel = band_corners(config)
    bins_hz = torch.linspace(0, config.sample_rate_hz / 2, config.fft_size // 2 + 1, dtype=torch.float64)
    bins_mel = to_mel(bins_hz)[None, :]
    left, centre, right = (corners_mel[i : i + config.mels, None] for i in range(3))
    rising = (bins_mel - left) / (centre - left)
    falling = (right - bins_mel) / (right - centre)
    return torch.minimum(rising, falling).clamp(min=0).float()


class FrontEnd(nn.Module):
    """Framing, Hann window, power spectrum, mel filters, log, fixed normalization."""

    window: Tensor
    filters: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        if config.window_samples > 3 * config.hop_samples:
            raise ValueError("a window spans at most three hops")
        self.config = config
        self.register_buffer("window", torch.hann_window(config.window_samples), persistent=False)
        # Each filter twice: it sums squares of real and imaginary parts, which lie side by side.
        self.register_buffer("filters", mel_filterbank(config).repeat_interleave(2, dim=1), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples [N, tail_samples + n * hop_samples], float32 in [-1, 1] -> normalized log-mel [N, n, mels].

        Frame t covers the window that ends with hop t.
        """
        return self.log_mel(self.spectrum(samples))

    def spectrum(self, samples: Tensor) -> Tensor:
        """Samples as in `forward` -> [N, n, fft_size + 2], real and imaginary parts side by side.

        It is apart from `log_mel` because no delegate takes a Fourier transform. Windows are cut as three neighbouring
        hops, which needs no gather.
        """
        hop, window = self.config.hop_samples, self.config.window_samples
        frames = (samples.shape[1] - self.config.tail_samples) // hop
        hops = torch.nn.functional.pad(samples, (0, 3 * hop - window)).reshape(samples.shape[0], frames + 2, hop)
        windows = torch.cat([hops[:, :frames], hops[:, 1 : frames + 1], hops[:, 2 : frames + 2]], dim=2)
        windows = windows[:, :, :window] * self.window
        return torch.view_as_real(torch.fft.rfft(windows, n=self.config.fft_size)).flatten(2)

    def log_mel(self, spectrum: Tensor) -> Tensor:
        """Spectrum [N, n, fft_size + 2] -> normalized log-mel [N, n, mels]."""
        energies = torch.nn.functional.linear(spectrum * spectrum, self.filters)
        log_mel = torch.log(energies + self.config.energy_floor)
        return (log_mel - self.config.mel_mean) * (1.0 / self.config.mel_std)
