"""Ten minutes of sound that is no speech: always the same, at the levels it says."""

from __future__ import annotations

import numpy as np
import pytest

from edge_asr.profiling.nonspeech import LEVELS_DBFS, MUSIC_DBFS, RECORDING_S, recordings


def test_ten_minutes_hold_silence_noise_at_three_levels_and_music() -> None:
    seconds: dict[str, float] = {}
    for kind, samples in recordings(10):
        assert samples.dtype == np.float32
        assert np.abs(samples).max() <= 1
        seconds[kind] = seconds.get(kind, 0.0) + len(samples) / 16_000
    noises = {f"noise {dbfs} dBFS": 120.0 for dbfs in LEVELS_DBFS}
    assert seconds == {"silence": 60.0, **noises, f"music {MUSIC_DBFS} dBFS": 180.0}


def test_it_is_as_loud_as_it_says() -> None:
    for kind, samples in recordings(1):
        rms = np.sqrt(np.mean(samples.astype(np.float64) ** 2))
        if kind == "silence":
            assert rms == 0
        else:
            dbfs = float(kind.split()[1])
            assert 20 * np.log10(rms) == pytest.approx(dbfs, abs=0.5)


def test_it_is_the_same_every_time() -> None:
    for (_, first), (_, again) in zip(recordings(1), recordings(1), strict=True):
        assert np.array_equal(first, again)


def test_music_is_tones_not_noise() -> None:
    (music,) = [samples for kind, samples in recordings(0.4) if kind.startswith("music")]
    assert len(music) == RECORDING_S * 16_000
    power = np.sort(np.abs(np.fft.rfft(music)) ** 2)[::-1]
    assert power[: len(power) // 50].sum() > 0.7 * power.sum()  # noise would hold a tenth of its power there
