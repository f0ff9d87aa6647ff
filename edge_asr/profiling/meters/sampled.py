"""Meters that are read by repeating a line of shell on the target: any device with `sh` can be sampled so.

Where it can, the line is `cat FILE...`: targets read files without starting a program for each sample, which would cost
more than the reading does.
"""

from __future__ import annotations

import shlex
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.counters import longest_unambiguous_gap_s, undo_wraps
from edge_asr.profiling.meters.integrate import CLOCK_RESOLUTION_S, integrate_counter, integrate_power, widest_gap_s
from edge_asr.profiling.meters.protocol import Span, Window
from edge_asr.profiling.report import EnergyKind
from edge_asr.profiling.targets.protocol import Files, Sample, Sampler

FIRST_SAMPLE_WITHIN_S = 5.0  # after starting; a remote shell takes its time
LAST_SAMPLE_WITHIN_S = 2.0  # of one more interval, after stopping
SAMPLES_AFTER = 2  # the first to arrive after `stop` may have been taken before it
POLL_S = 0.02
SHORTEST_GAP_LIMIT_S = 1.0
GAP_LIMIT_INTERVALS = 5
SLACK_S = 2 * CLOCK_RESOLUTION_S  # a window begins right after the first sample, on a clock of hundredths


@dataclass(frozen=True)
class Trouble:
    """A sample that says that power cannot be told now: the charger was plugged in."""

    reason: str


@dataclass(frozen=True)
class Description:
    """Of a sampled meter."""

    name: str
    covers: str
    shell_line: str  # prints one reading
    interval_s: float
    problem: str | None = None
    automatic: bool = True
    kind: EnergyKind = "measured"


Reading = TypeVar("Reading")


class SampledMeter(ABC, Generic[Reading]):
    """What meters of power and of energy have in common. `parse`: a sample's text -> what was read; None where nothing
    could be."""

    def __init__(self, description: Description, parse: Callable[[str], Reading | None]) -> None:
        self._is = description
        self._parse = parse
        self._sampler: Sampler | None = None
        self._samples: list[Sample] = []
        self._parsed = 0  # samples, of which the readings are:
        self._readings: list[tuple[float, Reading]] = []

    @property
    def name(self) -> str:
        return self._is.name

    @property
    def kind(self) -> EnergyKind:
        return self._is.kind

    @property
    def covers(self) -> str:
        return self._is.covers

    @property
    def problem(self) -> str | None:
        return self._is.problem

    @property
    def automatic(self) -> bool:
        return self._is.automatic

    def start(self, files: Files) -> None:
        if self.problem:
            raise EdgeAsrError(f"{self.name} cannot measure: {self.problem}")
        self._samples, self._parsed, self._readings = [], 0, []
        self._sampler = files.sample(self._is.shell_line, self._is.interval_s)
        self._sampler.__enter__()
        if not self._wait_for(lambda: bool(self._read()), FIRST_SAMPLE_WITHIN_S):
            self._end()
            raise EdgeAsrError(f"{self.name} gave no reading in {FIRST_SAMPLE_WITHIN_S:g} s")

    def stop(self) -> None:
        if self._sampler is not None:
            enough = len(self._taken()) + SAMPLES_AFTER
            limit_s = LAST_SAMPLE_WITHIN_S + SAMPLES_AFTER * self._is.interval_s
            self._wait_for(lambda: len(self._taken()) >= enough, limit_s)
            self._end()

    def align(self, busy: Sequence[Span], idle: Sequence[Span]) -> None:
        """Nothing to do: the samples have the target's time."""

    def window(self, begin_s: float, end_s: float) -> Window:
        try:
            return self._integrate(begin_s, end_s)
        except EdgeAsrError as error:
            raise EdgeAsrError(f"{self.name}: {error}") from None

    @abstractmethod
    def _integrate(self, begin_s: float, end_s: float) -> Window: ...

    def _read(self) -> list[tuple[float, Reading]]:
        """Times and readings so far."""
        taken = self._taken()
        for sample in taken[self._parsed :]:
            reading = self._parse(sample.text)
            if reading is not None:
                self._readings.append((sample.time_s, reading))
        self._parsed = len(taken)
        return self._readings

    @staticmethod
    def _wait_for(arrived: Callable[[], bool], limit_s: float) -> bool:
        until_s = time.monotonic() + limit_s
        while not arrived():
            if time.monotonic() > until_s:
                return False
            time.sleep(POLL_S)
        return True

    def _end(self) -> None:
        assert self._sampler
        self._sampler.__exit__(None, None, None)
        self._samples = self._sampler.samples()
        self._sampler = None

    def _taken(self) -> Sequence[Sample]:
        return self._samples if self._sampler is None else self._sampler.samples()


class PowerMeter(SampledMeter[Reading | Trouble]):
    """Of a source that tells W, or what makes up W once all readings of a run are known (`watts_of`: W, float64).
    `repeats`: it gives its last value again until it has another."""

    def __init__(
        self,
        description: Description,
        reading_of: Callable[[str], Reading | Trouble | None],
        watts_of: Callable[[Sequence[Reading]], np.ndarray] = np.asarray,
        *,
        repeats: bool = False,
    ) -> None:
        super().__init__(description, reading_of)
        self._watts_of = watts_of
        self._repeats = repeats

    def _integrate(self, begin_s: float, end_s: float) -> Window:
        taken: list[tuple[float, Reading]] = []
        for time_s, reading in self._read():
            if not isinstance(reading, Trouble):
                taken.append((time_s, reading))
            elif begin_s <= time_s <= end_s:
                raise EdgeAsrError(reading.reason)
        times_s, watts = in_order([time_s for time_s, _ in taken], self._watts_of([reading for _, reading in taken]))
        limit_s = max(GAP_LIMIT_INTERVALS * self._is.interval_s, SHORTEST_GAP_LIMIT_S)
        return integrate_power(
            times_s, watts, begin_s, end_s, max_gap_s=limit_s, slack_s=SLACK_S, repeats=self._repeats
        )


class CounterMeter(SampledMeter[tuple[float, ...]]):
    """Of a source that counts energy, in one part or several. `wraps_at`: of each part, in counts; None where it never
    wraps. `highest_w`: what each part can take; a steeper rise is a reset."""

    def __init__(
        self,
        description: Description,
        counts_of: Callable[[str], tuple[float, ...] | None],
        *,
        joules_per_count: float,
        wraps_at: Sequence[float | None],
        highest_w: Sequence[float],
        resolution_j: float,
    ) -> None:
        super().__init__(description, counts_of)
        self._joules_per_count = joules_per_count
        self._wraps_at = wraps_at
        self._highest_w = highest_w
        self._resolution_j = resolution_j

    def _integrate(self, begin_s: float, end_s: float) -> Window:
        taken = self._read()
        times_s, counts = in_order([time_s for time_s, _ in taken], np.array([counts for _, counts in taken]))
        joules = np.zeros(len(times_s))
        for part, wraps_at in enumerate(self._wraps_at if len(times_s) else ()):
            self._refuse_unseen_wraps(times_s, part, begin_s, end_s)
            joules += self._joules_per_count * undo_wraps(counts[:, part], wraps_at)
        return integrate_counter(
            times_s,
            joules,
            begin_s,
            end_s,
            highest_w=sum(self._highest_w),
            resolution_j=self._resolution_j,
            slack_s=SLACK_S,
        )

    def _refuse_unseen_wraps(self, times_s: np.ndarray, part: int, begin_s: float, end_s: float) -> None:
        wraps_at = self._wraps_at[part]
        range_j = None if wraps_at is None else wraps_at * self._joules_per_count
        limit_s = longest_unambiguous_gap_s(range_j, self._highest_w[part])
        gap_s = widest_gap_s(times_s, begin_s, end_s)
        if gap_s > limit_s:
            raise EdgeAsrError(f"a gap of {gap_s:.0f} s between readings: the counter may have wrapped unseen")


def in_order(times_s: Sequence[float], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float64 (samples), each time once: a clock of hundredths may give two samples the same."""
    times = np.asarray(times_s, dtype=np.float64)
    later = np.concatenate([[True], times[1:] > np.maximum.accumulate(times)[:-1]])[: len(times)]
    return times[later], np.asarray(values, dtype=np.float64)[later]


def reading_line(paths: Sequence[str]) -> str:
    """Shell that prints files of one line each; a line less for one that cannot be read."""
    return "cat " + " ".join(map(shlex.quote, paths))


def numbers_of(text: str, count: int) -> tuple[float, ...] | None:
    """What `reading_line` printed of `count` files; None where one could not be read."""
    lines = text.split()
    try:
        return tuple(float(line) for line in lines) if len(lines) == count else None
    except ValueError:
        return None
