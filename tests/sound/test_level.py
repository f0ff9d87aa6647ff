"""A change of level is what a microphone's converter would have given."""

from __future__ import annotations

import numpy as np
import pytest

from edge_asr.sound.level import at_16_bits, change_level


def test_samples_are_multiples_of_the_least_step_within_full_scale() -> None:
    samples = at_16_bits(np.linspace(-3, 3, 10_001))
    assert samples.dtype == np.float32
    assert (samples.min(), samples.max()) == (-1, 32_767 / 32_768)
    assert np.array_equal(samples * 32_768, np.round(samples * 32_768))


@pytest.mark.parametrize("gain_db", [-20.0, 0.0, 6.0])
def test_a_level_changes_by_its_decibels(gain_db: float) -> None:
    tone = 0.3 * np.sin(np.arange(16_000) * 0.1)
    changed = change_level(tone, gain_db)
    assert 20 * np.log10(changed.std() / tone.std()) == pytest.approx(gain_db, abs=0.01)


def test_what_is_below_half_a_step_is_silence() -> None:
    assert not change_level(np.full(10, 0.5), -100).any()
