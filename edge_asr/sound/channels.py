"""One channel of several: the one that is asked for, or their mean."""

from __future__ import annotations

import numpy as np

from edge_asr.errors import EdgeAsrError

MIX = None  # in place of a number: the mean of the channels
CANCELLED_DB = 20.0  # the mix's level below the loudest channel's; one speaking channel of six is at 15.6

Channel = int | None


class Mono:
    """Makes blocks mono, and follows the levels of what it mixes."""

    def __init__(self, title: str, channels: int, channel: Channel = MIX) -> None:
        """`channel` counts from 1. Raises EdgeAsrError where there is none of that number."""
        if channel is not None and channel > channels:
            has = "1 channel" if channels == 1 else f"{channels} channels"
            raise EdgeAsrError(f"{title}: it has {has}, there is no channel {channel}: choose another --channel")
        self._channel = channel
        self._energy = np.zeros(channels)  # sum of squares of each
        self._mix_energy = 0.0

    def used(self, block: np.ndarray) -> np.ndarray:
        """Of a block [samples, channels], the channels that are listened to."""
        return block if self._channel is None else block[:, self._channel - 1 : self._channel]

    def take(self, block: np.ndarray) -> np.ndarray:
        """float32 [samples, channels] -> float32 [samples]."""
        if self._channel is not None:
            return np.ascontiguousarray(block[:, self._channel - 1])
        mono = block.mean(axis=1)
        if block.shape[1] > 1:
            self._energy += np.square(block, dtype=np.float64).sum(axis=0)
            self._mix_energy += float(np.square(mono, dtype=np.float64).sum())
        return mono

    def warnings(self) -> list[str]:
        """What is wrong with the mix so far, without the name of the input."""
        loudest = int(self._energy.argmax())
        if self._mix_energy * 10 ** (CANCELLED_DB / 10) >= self._energy[loudest]:
            return []
        return [f"channels cancel out in the mix: try --channel {loudest + 1}"]
