"""What happens to a training utterance: speed, gain, noise, room around it, SpecAugment, non-speech."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from edge_asr.audio import SAMPLE_RATE_HZ
from edge_asr.training.config import AugmentationConfig
from edge_asr.training.data import Example


def coloured_noise(samples: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency^-slope (0 white, 1 pink, 2 brown), scaled to RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** (-slope / 2)
    noise = np.fft.irfft(spectrum, samples)
    return noise / max(float(np.sqrt(np.mean(noise**2))), 1e-9)


def draw_nonspeech(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Silence, or steady noise of any colour, from barely audible to loud."""
    if rng.random() < 0.2:
        return np.zeros(samples, np.float32)
    level = 10 ** (rng.uniform(-80, -15) / 20)
    return (level * coloured_noise(samples, rng.uniform(0, 2), rng)).astype(np.float32)


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
    wave = wave * 10 ** (rng.uniform(*config.gain_db) / 20)
    return wave.clip(-1, 1).astype(np.float32), True


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
