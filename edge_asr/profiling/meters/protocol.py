"""What a source of energy figures is: one small module a kind (RAPL, hwmon, IIO, battery, Pi 5, Android, log file)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_asr.profiling.targets.protocol import Files


@dataclass(frozen=True)
class PowerSample:
    time_s: float  # the target's monotonic clock
    joules: float | None  # counted so far, by sources that count energy; wraps are undone already
    watts: float | None  # now, by sources that tell power


@dataclass(frozen=True)
class Window:
    """Energy between two moments."""

    joules: float
    seconds: float
    samples: int
    sample_hz: float
    uncertainty_j: float  # from the sampling: gaps, resolution


class Meter(Protocol):
    """Started before the passes, stopped after them; then asked for any window of time."""

    name: str  # rapl:package-0, hwmon:ina219, ...

    def start(self, files: Files) -> None:
        """Begin to sample. Raises EdgeAsrError where permission is missing, with what to do."""

    def stop(self) -> None: ...

    def window(self, begin_s: float, end_s: float) -> Window:
        """Raises EdgeAsrError where the samples do not cover it: the meter died, or had a gap."""


class MeterSource(Protocol):
    """A module of this folder: it looks for its kind of meter on a target."""

    NAME: str  # rapl, hwmon, iio, battery, pi5, android, log
    PREFERENCE: int  # the highest found is taken, unless the user names one

    def find(self, files: Files) -> list[Meter]:
        """Meters of this kind on the target; empty where there are none."""
