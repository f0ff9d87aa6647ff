"""Augmentation: draws follow the seed, and stay audio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edge_asr.model.config import FrontEndConfig
from edge_asr.model.front_end import FrontEnd
from edge_asr.training.augmentation import (
    chords,
    coloured_noise,
    draw_nonspeech,
    draw_wave,
    mask_mel,
    warp_bands,
    warps,
)
from edge_asr.training.config import AugmentationConfig
from edge_asr.training.data import Example

SPEECH = AugmentationConfig(nonspeech_ratio=0.0)
LOUD = Example(waves=(np.full(16_000, 30_000, np.int16), np.full(20_000, -30_000, np.int16)), ids=(1,), text="A")


@pytest.mark.parametrize("seed", range(20))
def test_waves_stay_audio(seed: int) -> None:
    wave, spoken = draw_wave(LOUD, SPEECH, np.random.default_rng(seed))
    assert spoken
    assert wave.dtype == np.float32
    assert np.abs(wave).max() <= 1.0
    pad_samples = int((SPEECH.lead_s + SPEECH.trail_s) * 16_000)
    assert 16_000 <= len(wave) <= 20_000 + pad_samples


def test_draws_follow_the_seed() -> None:
    first, again, other = (draw_wave(LOUD, SPEECH, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:1_000], other[:1_000])


@pytest.mark.parametrize("seed", range(5))
def test_chords_are_tones_of_the_level_asked_for(seed: int) -> None:
    sound = chords(32_000, np.random.default_rng(seed))
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(1.0, abs=1e-6)
    power = np.sort(np.abs(np.fft.rfft(sound)) ** 2)[::-1]
    assert power[:800].sum() > 0.9 * power.sum()  # 5 % of the bins: noise would hold a fifth of its power in them


def test_every_speed_is_drawn() -> None:
    config = replace(SPEECH, lead_s=0.0, trail_s=0.0)
    lengths = {len(draw_wave(LOUD, config, np.random.default_rng(seed))[0]) for seed in range(30)}
    assert lengths == {16_000, 20_000}


def test_the_gain_is_in_range() -> None:
    quiet = Example(waves=(np.full(16_000, 3_000, np.int16),), ids=(), text="")
    config = replace(SPEECH, lead_s=0.0, trail_s=0.0, noise_probability=0.0)
    waves = [draw_wave(quiet, config, np.random.default_rng(seed))[0] for seed in range(60)]
    gains_db = np.array([20 * np.log10(np.mean(wave) / (3_000 / 32_768)) for wave in waves])
    assert (gains_db >= config.gain_db[0] - 0.2).all()
    assert (gains_db <= config.gain_db[1] + 0.2).all()
    assert gains_db.max() - gains_db.min() > 10


def test_an_utterance_is_clipped_and_rounded_as_16_bits_are() -> None:
    config = replace(SPEECH, gain_db=(30.0, 30.0))
    wave, _ = draw_wave(LOUD, config, np.random.default_rng(0))
    assert wave.max() <= 32_767 / 32_768
    assert np.abs(wave).max() >= 32_767 / 32_768
    assert np.array_equal(wave * 32_768, np.round(wave * 32_768))


def test_the_noise_ratio_is_in_range() -> None:
    config = replace(SPEECH, lead_s=0.0, trail_s=0.0, noise_probability=1.0, gain_db=(0.0, 0.0))
    tone = 0.1 * np.sin(np.arange(32_000) * 0.3)
    example = Example(waves=((tone * 32_768).round().astype(np.int16),), ids=(), text="")
    for seed in range(20):
        wave, _ = draw_wave(example, config, np.random.default_rng(seed))
        snr_db = 10 * np.log10(np.mean(tone**2) / np.mean((wave - tone) ** 2))
        assert config.noise_snr_db[0] - 0.5 <= snr_db <= config.noise_snr_db[1] + 0.5


def test_nonspeech_drops_the_words() -> None:
    config = replace(SPEECH, nonspeech_ratio=1.0)
    for seed in range(10):
        wave, spoken = draw_wave(LOUD, config, np.random.default_rng(seed))
        assert not spoken
        assert wave.dtype == np.float32
        assert len(wave) in (16_000, 20_000)
        assert abs(float(wave.mean())) < 0.5  # the loud example is gone


def test_nonspeech_is_sometimes_digital_silence() -> None:
    draws = [draw_nonspeech(1_000, np.random.default_rng(seed)) for seed in range(50)]
    silent = sum(not draw.any() for draw in draws)
    assert 0 < silent < 25


@pytest.mark.parametrize(("slope", "fall_db"), [(0.0, 0.0), (1.0, 20.0), (2.0, 40.0)])
def test_noise_has_its_colour(slope: float, fall_db: float) -> None:
    """Power falls by 10 x slope dB a decade: over two decades, twice that."""
    noise = coloured_noise(64_000, slope, np.random.default_rng(0))
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(1.0, abs=1e-6)
    power = np.abs(np.fft.rfft(noise)) ** 2
    fall = 10 * np.log10(power[180:220].mean() / power[18_000:22_000].mean())
    assert fall == pytest.approx(fall_db, abs=2.5)


def test_masks_are_zeros_no_wider_than_agreed() -> None:
    config = AugmentationConfig(frequency_masks=1, time_masks=1)
    for seed in range(20):
        mel = mask_mel(torch.ones(2, 400, 80), torch.tensor([400, 160]), config, np.random.default_rng(seed))
        for row, count in zip(mel, (400, 160), strict=True):
            bands, rows = (row == 0).all(dim=0), (row == 0).all(dim=1)
            assert bands.sum() <= config.frequency_width
            assert rows.sum() <= min(config.time_width, count // 8)
            assert not rows[count:].any()
            elsewhere = row[~rows][:, ~bands]
            assert (elsewhere == 1).all()


def test_masks_follow_the_seed() -> None:
    first, again, other = (
        mask_mel(torch.ones(1, 400, 80), torch.tensor([400]), AugmentationConfig(), np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first == 0).any()


def bands_of_tone(hz: float) -> torch.Tensor:
    config = FrontEndConfig()
    samples = 0.3 * torch.sin(2 * torch.pi * hz * torch.arange(16_000 + config.tail_samples) / config.sample_rate_hz)
    return FrontEnd(config)(samples[None], torch.ones(1, 25), 25)


@pytest.mark.parametrize("factor", [0.85, 0.95, 1.0, 1.1, 1.2])
@pytest.mark.parametrize("hz", [400.0, 1_500.0, 4_000.0])
def test_a_warped_tone_is_a_tone_at_the_stretched_frequency(hz: float, factor: float) -> None:
    warped = bands_of_tone(hz) @ warps(torch.tensor([factor], dtype=torch.float64), FrontEndConfig()).float()
    expected = bands_of_tone(hz * factor).mean(dim=(0, 1)).argmax()
    assert abs(int(warped.mean(dim=(0, 1)).argmax()) - int(expected)) <= 1


def test_a_warp_of_one_changes_nothing() -> None:
    identity = warps(torch.ones(2, dtype=torch.float64), FrontEndConfig())
    assert torch.allclose(identity, torch.eye(80, dtype=torch.float64).expand(2, 80, 80), atol=1e-9)


def test_each_utterance_gets_a_warp_of_its_own() -> None:
    mel = bands_of_tone(2_000.0).expand(2, -1, -1)
    one, other = warp_bands(mel, FrontEndConfig(), 0.15, np.random.default_rng(3))
    assert one.shape == mel[0].shape
    assert not torch.allclose(one, other)
