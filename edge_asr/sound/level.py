"""Audio at another level, as a microphone's converter would have given it."""

from __future__ import annotations

import numpy as np

FULL_SCALE = 32_768  # of 16-bit samples


def change_level(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """Float [samples] in [-1, 1], louder or quieter by so many dB -> float32, as 16 bits hold it; see `at_16_bits`."""
    return at_16_bits(samples * 10 ** (gain_db / 20))


def at_16_bits(samples: np.ndarray) -> np.ndarray:
    """Float [samples], clipped at full scale and rounded to 1 / 32768 -> float32."""
    return ((samples * FULL_SCALE).round().clip(-FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE).astype(np.float32)
