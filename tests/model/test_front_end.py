"""The front end against a log-mel written anew in float64 numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from edge_asr.model.config import FrontEndConfig
from edge_asr.model.front_end import FrontEnd

CONFIG = FrontEndConfig()
RATE_HZ, HOP, WINDOW, FFT, MELS = 16_000, 160, 400, 512, 80
FRAME_ROWS = 4
CHUNK_FRAMES = 5  # of the streams below
CHUNK = CHUNK_FRAMES * FRAME_ROWS * HOP


def reference(samples: np.ndarray) -> np.ndarray:
    """float [tail + n * chunk] -> [rows, mels]."""
    samples = samples.astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    edges_hz = 700 * (10 ** (np.linspace(*(2595 * np.log10(1 + hz / 700) for hz in (20, 7_600)), MELS + 2) / 2595) - 1)
    bins_mel, edges_mel = (2595 * np.log10(1 + hz / 700) for hz in (np.arange(FFT // 2 + 1) * RATE_HZ / FFT, edges_hz))
    filters = np.array([np.interp(bins_mel, edges_mel[i : i + 3], [0, 1, 0]) for i in range(MELS)])
    power = []
    for start in range(0, len(samples) - WINDOW + 1, HOP):
        piece = samples[start : start + WINDOW]
        piece = piece - (piece * window).sum() / window.sum()
        power.append(np.abs(np.fft.rfft(piece * window, FFT)) ** 2)
    energies = np.array(power) @ filters.T
    level, rows = 0.0, []
    for chunk in np.split(energies, len(energies) // (CHUNK_FRAMES * FRAME_ROWS)):
        level = max(level * 10 ** (-0.3 * len(chunk) / 100), 1e-8 + chunk[:, edges_hz[:MELS] >= 100].mean())
        rows.append(np.log(chunk * 0.4 / level + 1e-6))
    return (np.concatenate(rows) + 7.0) / 3.5


def features(samples: Tensor, chunk_frames: int = CHUNK_FRAMES) -> Tensor:
    """float32 [tail + rows * hop], all of them real -> [rows, mels]."""
    frames = (len(samples) - CONFIG.tail_samples) // (FRAME_ROWS * HOP)
    return FrontEnd(CONFIG)(samples[None], torch.ones(1, frames), chunk_frames)[0]


def signals() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    time_s = np.arange(CONFIG.tail_samples + 4 * CHUNK) / RATE_HZ
    return {
        "noise": 0.1 * rng.standard_normal(len(time_s)),
        "full-scale tone": np.sin(2 * np.pi * 997 * time_s),
        "chirp": 0.5 * np.sin(2 * np.pi * (100 + 4_000 * time_s) * time_s),
        "barely audible": 1e-5 * rng.standard_normal(len(time_s)),
        "fading": 10 ** (-2 * time_s) * rng.standard_normal(len(time_s)),
        "on an offset": 0.3 + 0.01 * rng.standard_normal(len(time_s)),
    }


@pytest.mark.parametrize("name", signals())
def test_equals_a_float64_reference(name: str) -> None:
    samples = signals()[name].astype(np.float32)
    mel = features(torch.from_numpy(samples))
    assert mel.shape == (4 * CHUNK_FRAMES * FRAME_ROWS, MELS)
    np.testing.assert_allclose(mel.numpy(), reference(samples), atol=2e-3)  # float32 far below a full-scale tone


def test_digital_silence_is_the_energy_floor() -> None:
    mel = features(torch.zeros(CONFIG.tail_samples + CHUNK))
    assert torch.allclose(mel, torch.full((CHUNK_FRAMES * FRAME_ROWS, MELS), (np.log(1e-6) + 7.0) / 3.5))


def test_a_constant_offset_is_no_sound() -> None:
    """Of any level, in the same stream as speech."""
    noise = 0.01 * torch.randn(CONFIG.tail_samples + 2 * CHUNK)
    assert torch.allclose(features(noise + 0.3), features(noise), atol=5e-3)


@pytest.mark.parametrize("gain_db", [-40.0, -20.0, 20.0])
def test_level_does_not_matter(gain_db: float) -> None:
    noise = 0.05 * torch.randn(CONFIG.tail_samples + 3 * CHUNK)
    changed = features(noise * 10 ** (gain_db / 20))
    assert (changed - features(noise)).abs().max() < 0.02  # the floor of the level is 76 dB below the reference


def test_level_takes_effect_in_the_chunk_that_is_louder() -> None:
    quiet, loud = 0.001 * torch.randn(CONFIG.tail_samples + CHUNK), 0.1 * torch.randn(CHUNK)
    mel = features(torch.cat([quiet, loud]))
    alone = features(torch.cat([quiet[-CONFIG.tail_samples :], loud]))
    assert torch.equal(mel[CHUNK_FRAMES * FRAME_ROWS :], alone)


def test_level_falls_slowly_after_loud_speech() -> None:
    """3 dB a second: a pause stays as quiet as it is beside the speech, and a far speaker is heard a little later."""
    noise = torch.randn(CHUNK)
    stream = torch.cat([torch.zeros(CONFIG.tail_samples), 0.1 * noise, 0.01 * noise.repeat(20)])
    mel = features(stream).reshape(-1, CHUNK_FRAMES * FRAME_ROWS, MELS).mean(dim=(1, 2))
    rise_db = (mel[3:] - mel[2:-1]) * CONFIG.mel_std * 10 / np.log(10)  # of each chunk over the one before
    assert torch.allclose(rise_db, torch.full_like(rise_db, 3 * 0.2), atol=0.02)


def test_hum_does_not_count_for_the_level() -> None:
    time_s = torch.arange(CONFIG.tail_samples + 2 * CHUNK) / RATE_HZ
    noise = 0.01 * torch.randn(len(time_s))
    hum = 0.3 * torch.sin(2 * torch.pi * 50 * time_s)
    above = slice(20, MELS)
    change = features(noise + hum)[:, above] - features(noise)[:, above]
    assert change.mean().abs() < 0.1  # in units of the features' spread; counted, the hum would take 1.7


def test_rows_that_are_not_real_do_not_count_for_the_level() -> None:
    real = torch.tensor([[1.0, 1, 0, 0, 0]])
    samples = 0.1 * torch.randn(1, CONFIG.tail_samples + CHUNK)
    other = samples.clone()
    other[:, CONFIG.tail_samples + 2 * FRAME_ROWS * HOP :] = 0.0
    rows = slice(0, 2 * FRAME_ROWS)
    first, second = (FrontEnd(CONFIG)(part, real, CHUNK_FRAMES)[:, rows] for part in (samples, other))
    assert torch.equal(first, second)


def test_a_chunk_reads_nothing_of_the_next() -> None:
    samples = torch.randn(CONFIG.tail_samples + 2 * CHUNK)
    other = samples.clone()
    other[CONFIG.tail_samples + CHUNK :] = 1.0
    rows = CHUNK_FRAMES * FRAME_ROWS
    assert torch.equal(features(samples)[:rows], features(other)[:rows])


def test_chunk_by_chunk_equals_the_whole() -> None:
    samples = torch.cat([0.001 * torch.randn(CHUNK), torch.randn(CHUNK), 0.01 * torch.randn(2 * CHUNK)])
    samples = torch.nn.functional.pad(samples, (CONFIG.tail_samples, 0))
    front_end, level, parts = FrontEnd(CONFIG), torch.zeros(1, 1, 1), []
    for start in range(0, 4 * CHUNK, CHUNK):
        spectrum = front_end.spectrum(samples[None, start : start + CONFIG.tail_samples + CHUNK])
        mel, level = front_end.log_mel(spectrum, torch.ones(1, CHUNK_FRAMES, 1), level)
        parts.append(mel[0])
    assert torch.allclose(torch.cat(parts), features(samples), atol=1e-5)


def test_a_window_wider_than_three_hops_is_refused() -> None:
    with pytest.raises(ValueError, match="three hops"):
        FrontEnd(FrontEndConfig(window_samples=481))
