"""What happens to a training utterance: speed, gain, noise, room around it, SpecAugment, non-speech."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.model.config import FrontEndConfig
from edge_asr.model.front_end import band_corners, to_hz, to_mel
from edge_asr.sound.level import at_16_bits, change_level
from edge_asr.training.config import AugmentationConfig
from edge_asr.training.data import Example


def coloured_noise(samples: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency^-slope (0 white, 1 pink, 2 brown), scaled to RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** (-slope / 2)
    noise = np.fft.irfft(spectrum, samples)
    return noise / max(float(np.sqrt(np.mean(noise**2))), 1e-9)


def chords(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Music-like sound scaled to RMS 1: notes of a few partials that begin, fade and follow one another."""
    sound = np.zeros(samples)
    start = 0
    while start < samples:
        count = min(samples - start, int(rng.uniform(0.1, 1.5) * SAMPLE_RATE_HZ))
        time_s = np.arange(count) / SAMPLE_RATE_HZ
        fade = np.exp(-time_s * rng.uniform(0, 6)) * np.minimum(1, time_s / rng.uniform(0.002, 0.1))
        for _ in range(rng.integers(1, 5)):
            pitch_hz = 55 * 2 ** rng.uniform(0, 5)
            for partial in range(1, int(rng.integers(2, 8))):
                phase = rng.uniform(0, 2 * np.pi)
                note = np.sin(2 * np.pi * partial * pitch_hz * time_s + phase) / partial ** rng.uniform(0.5, 2)
                sound[start : start + count] += fade * note * (partial * pitch_hz < SAMPLE_RATE_HZ / 2)
        start += count
    return sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9)


def draw_nonspeech(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Silence, steady noise of any colour, or music-like tones, from barely audible to loud."""
    kind = rng.random()
    if kind < 0.15:
        return np.zeros(samples, np.float32)
    level = 10 ** (rng.uniform(-80, -15) / 20)
    sound = chords(samples, rng) if kind < 0.5 else coloured_noise(samples, rng.uniform(0, 2), rng)
    return at_16_bits(level * sound)


def draw_wave(example: Example, config: AugmentationConfig, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """-> float32 samples and whether they still hold the example's speech."""
    wave = example.waves[rng.integers(len(example.waves))].astype(np.float32) / 32_768
    if rng.random() < config.nonspeech_ratio:
        return draw_nonspeech(len(wave), rng), False
    lead, trail = (int(rng.uniform(0, s) * SAMPLE_RATE_HZ) for s in (config.lead_s, config.trail_s))
    wave = np.pad(wave, (lead, trail))
    room = 10 ** (rng.uniform(-90, -55) / 20)
    wave = wave + room * rng.standard_normal(len(wave), dtype=np.float32)
    if rng.random() < config.noise_probability:
        power = float(np.mean(wave**2)) * 10 ** (-rng.uniform(*config.noise_snr_db) / 10)
        wave = wave + np.sqrt(power) * coloured_noise(len(wave), rng.uniform(0, 2), rng)
    return change_level(wave, rng.uniform(*config.gain_db)), True


def warp_bands(mel: Tensor, front_end: FrontEndConfig, largest: float, rng: np.random.Generator) -> Tensor:
    """Another vocal tract for each utterance (VTLP, Jaitly and Hinton 2013): [N, T, mels] with the frequency axis of
    each stretched by a factor drawn from 1 - largest to 1 + largest, at the same tempo."""
    factors = torch.from_numpy(rng.uniform(1 - largest, 1 + largest, len(mel)))
    return torch.bmm(mel, warps(factors, front_end).to(mel))


def warps(factors: Tensor, front_end: FrontEndConfig) -> Tensor:
    """float64 [N] -> [N, mels, mels], by which rows of bands are multiplied: a band then holds what was at its
    frequency over the factor, interpolated between bands; past the last band that is the last band."""
    centres = band_corners(front_end)[1:-1]
    spacing = centres[1] - centres[0]
    source = (to_mel(to_hz(centres) / factors[:, None]) - centres[0]) / spacing
    source = source.clamp(0, front_end.mels - 1)
    band = torch.arange(front_end.mels, dtype=torch.float64)
    return (1 - (source[:, None, :] - band[:, None]).abs()).clamp(min=0)


def mask_mel(mel: Tensor, frames: Tensor, config: AugmentationConfig, rng: np.random.Generator) -> Tensor:
    """SpecAugment in place on [N, T, mels]; `frames` are the mel frames of each utterance. Masks hold 0, the mean."""
    for row, count in zip(mel, frames.tolist(), strict=True):
        for _ in range(config.frequency_masks):
            width = int(rng.integers(0, config.frequency_width + 1))
            start = int(rng.integers(0, mel.shape[2] - width + 1))
            row[:, start : start + width] = 0.0
        for _ in range(config.time_masks):
            width = int(rng.integers(0, min(config.time_width, count // 8) + 1))
            start = int(rng.integers(0, max(count - width, 0) + 1))
            row[start : start + width] = 0.0
    return mel
