"""Levels at which nobody should expect words: digital silence, clipping, and too few of the 16 bits."""

from __future__ import annotations

import math

import numpy as np

FULL_SCALE = 32_767 / 32_768
CLIPPED_SHARE = 0.001  # of the samples of a channel, from which on it is worth a warning
QUIET_PEAK = 16 / 32_768


class InputChecks:
    """Follows the samples of an input, before they are mixed and resampled."""

    def __init__(self, channels: int) -> None:
        self._samples = 0  # of each channel
        self._clipped = np.zeros(channels, np.int64)
        self._peak = 0.0

    def take(self, block: np.ndarray) -> None:
        """float32 [samples, channels]."""
        levels = np.abs(block)
        self._samples += len(block)
        self._clipped += np.count_nonzero(levels >= FULL_SCALE, axis=0)
        self._peak = max(self._peak, float(levels.max(initial=0.0)))

    def warnings(self) -> list[str]:
        """What is wrong so far, without the name of the input."""
        if not self._samples:
            return []
        if self._peak == 0:
            return ["digital silence: every sample is 0; check the microphone or --channel"]
        if self._peak < QUIET_PEAK:
            return [f"too quiet: the peak is {20 * math.log10(self._peak):.0f} dBFS; raise the input gain"]
        clipped = self._clipped.max() / self._samples
        if clipped < CLIPPED_SHARE:
            return []
        return [f"clipped: {100 * clipped:.1f} % of the samples are at full scale; lower the input gain"]
