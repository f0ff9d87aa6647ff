"""PCM to log-mel frames at one level. It runs inside the `.pte`, so nobody ports feature code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edge_asr.model.config import FrontEndConfig
from edge_asr.model.layers import joined
from edge_asr.model.level import RunningLevel


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


def first_band_of_level(config: FrontEndConfig) -> int:
    """The level is taken of the bands from here on, those above `level_low_hz`: hum and rumble below say nothing of the
    speech."""
    return int((to_hz(band_corners(config)[:-2]) < config.level_low_hz).sum())


class Bands(nn.Module):
    """Power spectrum to the energies of the mel bands.

    Most weights of the filters are zero. So neighbouring bands are taken together, from the bins that any of them
    hears: the same sums, in half of the time.
    """

    TOGETHER = 16  # a tile of the kernels that multiply matrices; fewer bands leave some of it idle

    def __init__(self, filters_of_all: Tensor) -> None:
        """float32 [mels, bins], what each band takes of each bin."""
        super().__init__()
        self.groups: list[tuple[str, int, int]] = []  # name of its filters, and the bins that they hear
        for number, filters in enumerate(filters_of_all.split(self.TOGETHER)):
            heard = filters.sum(dim=0).nonzero().flatten().tolist() or [0]  # narrow bands may lie between two bins
            first, end = heard[0], heard[-1] + 1
            # Each filter twice: it sums squares of real and imaginary parts, which lie side by side.
            twice = filters[:, first:end].repeat_interleave(2, dim=1)
            self.register_buffer(f"filters_{number}", twice, persistent=False)
            self.groups.append((f"filters_{number}", 2 * first, 2 * end))

    def forward(self, squares: Tensor) -> Tensor:
        """Squares of real and imaginary parts [N, R, fft_size + 2] -> [N, R, mels]."""
        bands = [
            nn.functional.linear(squares[:, :, first:end], getattr(self, name)) for name, first, end in self.groups
        ]
        return joined(bands, dim=2)


def windowed_spectrum(samples: Tensor, window: Tensor, hop: int, fft_size: int) -> Tensor:
    """Samples [N, window - hop + R * hop], with windows of at most three hops -> the spectrum of the window that ends
    with each hop, [N, R, fft_size + 2], real and imaginary parts side by side.

    Windows are cut as three neighbouring hops, which needs no gather.
    """
    size = window.shape[0]
    frames = (samples.shape[1] - size + hop) // hop
    hops = torch.nn.functional.pad(samples, (0, 3 * hop - size)).reshape(samples.shape[0], frames + 2, hop)
    windows = torch.cat([hops[:, :frames], hops[:, 1 : frames + 1], hops[:, 2 : frames + 2]], dim=2)
    return torch.view_as_real(torch.fft.rfft(windows[:, :, :size] * window, n=fft_size)).flatten(2)


class FrontEnd(nn.Module):
    """Framing, Hann window, power spectrum without its mean, mel filters, running level, log, fixed scaling."""

    window: Tensor
    constant: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        if config.window_samples > 3 * config.hop_samples:
            raise ValueError("a window spans at most three hops")
        self.config = config
        self.level = RunningLevel(config)
        self.first_band_of_level = first_band_of_level(config)
        self.bands = Bands(mel_filterbank(config))
        window = torch.hann_window(config.window_samples)
        of_constant = torch.view_as_real(torch.fft.rfft(window / window.sum(), n=config.fft_size))
        for name, value in {
            "window": window,
            # The spectrum of a constant signal whose bin 0 is 1.
            "constant": of_constant.reshape(1, 1, -1),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, samples: Tensor, valid: Tensor, chunk_frames: int) -> Tensor:
        """Whole streams in chunks: samples [N, tail_samples + R * hop_samples], float32 in [-1, 1], and which of their
        frames are real [N, T], T a multiple of `chunk_frames` -> normalized log-mel [N, R, mels].

        Row t covers the window that ends with hop t.
        """
        energies, heard = self.energies(self.spectrum(samples))
        streams, rows, mels = energies.shape
        chunk_rows = rows // valid.shape[1] * chunk_frames
        own = self.level.of_chunk(heard.reshape(-1, chunk_rows, heard.shape[2]), valid.reshape(-1, chunk_frames, 1))
        levels = self.level.over_chunks(own.reshape(streams, -1), chunk_rows)
        chunks = energies.reshape(streams, -1, chunk_rows, mels)
        return self.log_of(chunks, levels[:, :, None, None]).reshape(streams, rows, mels)

    def spectrum(self, samples: Tensor) -> Tensor:
        """Samples as in `forward` -> [N, n, fft_size + 2], real and imaginary parts side by side.

        It is apart from `log_mel` because no delegate takes a Fourier transform.
        """
        return windowed_spectrum(samples, self.window, self.config.hop_samples, self.config.fft_size)

    def log_mel(self, spectrum: Tensor, valid: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """One chunk: spectrum [N, R, fft_size + 2], real frames [N, F, 1], and the level so far [N, 1, 1]
        -> normalized log-mel [N, R, mels], and the level."""
        energies, heard = self.energies(spectrum)
        level = self.level.follow(level, self.level.of_chunk(heard, valid), spectrum.shape[1])
        return self.log_of(energies, level), level

    def energies(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """-> energy of each band [N, R, mels], and of those that the level is taken of [N, R, B].

        Each window's weighted mean is taken off first, in the spectrum: a constant offset is no sound.
        """
        spectrum = spectrum - spectrum[:, :, :1] * self.constant
        energies = self.bands(spectrum * spectrum)
        return energies, energies[:, :, self.first_band_of_level :]

    def log_of(self, energies: Tensor, level: Tensor) -> Tensor:
        """Energies at the reference level, as normalized logarithms."""
        scaled = energies / (level * (1.0 / self.config.level_reference))  # no reciprocal: XNNPACK has none
        return (torch.log(scaled + self.config.energy_floor) - self.config.mel_mean) * (1.0 / self.config.mel_std)
