"""What a source of energy figures is: one small module a kind (RAPL, hwmon, IIO, battery, Pi 5, Android, log file)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_asr.profiling.report import EnergyKind
from edge_asr.profiling.targets.protocol import Files


@dataclass(frozen=True)
class Span:
    """From one moment to another of the target's monotonic clock."""

    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Window:
    """Energy between two moments."""

    joules: float
    seconds: float
    samples: int  # that lie within
    sample_hz: float  # of them, as they came
    # half-width of the 95 % interval: from the sampling, the resolution and the clock; a meter's own calibration, which
    # only its maker knows, is not in it
    uncertainty_j: float


class Meter(Protocol):
    """Started before the passes, stopped after them; then asked for any window of time."""

    @property
    def name(self) -> str:
        """`rapl:package-0`, `hwmon:ina3221`, ...: unique on a target."""

    @property
    def kind(self) -> EnergyKind:
        """`measured`, `estimate`, or `not measured` where it only says why."""

    @property
    def covers(self) -> str:
        """What the figure is of: `the processor and its DRAM`, `the module's input (VDD_IN)`."""

    @property
    def problem(self) -> str | None:
        """Why it cannot measure, and what to do; None where it can."""

    @property
    def automatic(self) -> bool:
        """Whether it may be taken without being named. A part of another meter may not."""

    def start(self, files: Files) -> None:
        """Begin to sample. Raises EdgeAsrError where permission is missing, with what to do."""

    def stop(self) -> None:
        """Sample on past this moment, then end. Never raises: what is missing is said when a window is asked for."""

    def align(self, busy: Sequence[Span], idle: Sequence[Span]) -> None:
        """Find the target's time in a meter's own, from when the target was busy and when not. Meters that sample on
        the target need none. After `stop`, before `window`. Raises EdgeAsrError where the load cannot be recognized."""

    def window(self, begin_s: float, end_s: float) -> Window:
        """Raises EdgeAsrError where the samples do not cover it: the meter died, or had a gap."""


class MeterSource(Protocol):
    """A module of this folder: it looks for its kind of meter on a target."""

    NAME: str  # rapl, hwmon, iio, battery, pi5, android
    PREFERENCE: int  # the highest found is taken, unless the user names one
    LOOKS_FOR: str  # what it needs there, for those who wonder why it found nothing

    def find(self, files: Files) -> Sequence[Meter]:
        """Meters of this kind on the target; empty where there are none."""
