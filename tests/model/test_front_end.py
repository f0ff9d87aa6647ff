"""The front end against a log-mel written anew in float64 numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge_asr.model.config import FrontEndConfig
from edge_asr.model.front_end import FrontEnd

CONFIG = FrontEndConfig()
RATE_HZ, HOP, WINDOW, FFT, MELS = 16_000, 160, 400, 512, 80


def reference(samples: np.ndarray) -> np.ndarray:
    """float [tail + n * hop] -> [n, mels]."""
    samples = samples.astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    edges_mel = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 7_600 / 700), MELS + 2)
    bins_mel = 2595 * np.log10(1 + np.arange(FFT // 2 + 1) * RATE_HZ / FFT / 700)
    filters = np.array([np.interp(bins_mel, edges_mel[i : i + 3], [0, 1, 0]) for i in range(MELS)])
    frames = [samples[start : start + WINDOW] * window for start in range(0, len(samples) - WINDOW + 1, HOP)]
    power = np.abs(np.fft.rfft(frames, FFT)) ** 2
    return (np.log(power @ filters.T + 1e-6) + 7.0) / 3.5


def signals() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    time_s = np.arange(CONFIG.tail_samples + 20 * HOP) / RATE_HZ
    return {
        "noise": 0.1 * rng.standard_normal(len(time_s)),
        "full-scale tone": np.sin(2 * np.pi * 997 * time_s),
        "chirp": 0.5 * np.sin(2 * np.pi * (100 + 9_000 * time_s) * time_s),
        "barely audible": 1e-5 * rng.standard_normal(len(time_s)),
    }


@pytest.mark.parametrize("name", signals())
def test_equals_a_float64_reference(name: str) -> None:
    samples = signals()[name].astype(np.float32)
    mel = FrontEnd(CONFIG)(torch.from_numpy(samples)[None])
    assert mel.shape == (1, 20, MELS)
    np.testing.assert_allclose(mel[0].numpy(), reference(samples), atol=5e-4)  # float32 far below a full-scale tone


def test_digital_silence_is_the_energy_floor() -> None:
    mel = FrontEnd(CONFIG)(torch.zeros(1, CONFIG.tail_samples + 3 * HOP))
    assert torch.allclose(mel, torch.full((1, 3, MELS), (np.log(1e-6) + 7.0) / 3.5))


def test_a_frame_reads_nothing_after_its_hop() -> None:
    samples = torch.randn(1, CONFIG.tail_samples + 10 * HOP)
    other = samples.clone()
    other[:, CONFIG.tail_samples + 4 * HOP :] = 1.0
    before, after = FrontEnd(CONFIG)(samples), FrontEnd(CONFIG)(other)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4], after[:, 4])


def test_cutting_the_samples_changes_nothing() -> None:
    samples = torch.randn(1, CONFIG.tail_samples + 12 * HOP)
    front_end = FrontEnd(CONFIG)
    first, second = samples[:, : CONFIG.tail_samples + 5 * HOP], samples[:, 5 * HOP :]
    joined = torch.cat([front_end(first), front_end(second)], dim=1)
    assert torch.allclose(joined, front_end(samples), atol=1e-5)


def test_a_window_wider_than_three_hops_is_refused() -> None:
    with pytest.raises(ValueError, match="three hops"):
        FrontEnd(FrontEndConfig(window_samples=481))
