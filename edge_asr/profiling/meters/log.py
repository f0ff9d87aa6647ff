"""An external meter: it logs by itself, and its file is read once the run is over.

The log's clock is brought to the target's by what it saw: the load of the passes. Where that cannot be recognized, by
its time stamps, if they are times of day; or by the moment that the user gives.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.alignment import Alignment, contrast_w, recognize
from edge_asr.profiling.meters.counters import HIGHEST_W
from edge_asr.profiling.meters.integrate import CLOCK_RESOLUTION_S, integrate_counter, integrate_power
from edge_asr.profiling.meters.log_file import Log, LogOptions, read_log
from edge_asr.profiling.meters.protocol import Span, Window
from edge_asr.profiling.report import EnergyKind
from edge_asr.profiling.targets.protocol import Files

NAME = "log"
GAP_LIMIT_SAMPLES = 10
SHORTEST_GAP_LIMIT_S = 0.1
TWO_CLOCKS_RESOLUTION_S = 0.1  # how exactly two computers' clocks may be thought to agree
CLOCK_WITHIN_S = 5.0
CLOCK_LINE = "date +%s.%N"


class LogMeter:
    kind: EnergyKind = "measured"
    covers = "what the external meter is wired to"
    problem: str | None = None
    automatic = True

    def __init__(self, path: Path, options: LogOptions | None = None) -> None:
        self.name = f"{NAME}:{path.name}"
        self._path = path
        self._options = options or LogOptions()
        self._log: Log | None = None
        self._trouble = "the run is not over"
        self._alignment: Alignment | None = None
        self._begun_s: float | None = None  # the target's time at `start`
        self._unix_less_target_s: float | None = None

    def start(self, files: Files) -> None:
        """Nothing is sampled; only the target's clocks are compared."""
        with files.sample(CLOCK_LINE, 1.0) as sampler:
            until_s = time.monotonic() + CLOCK_WITHIN_S
            while not sampler.samples() and time.monotonic() < until_s:
                time.sleep(0.01)
            samples = sampler.samples()
        if samples:
            self._begun_s = samples[0].time_s
            found = re.match(r"\d+(\.\d+)?", samples[0].text)
            self._unix_less_target_s = float(found[0]) - samples[0].time_s if found else None

    def stop(self) -> None:
        try:
            self._log = read_log(self._path, self._options)
        except EdgeAsrError as error:
            self._trouble = str(error)

    def align(self, busy: Sequence[Span], idle: Sequence[Span]) -> None:
        log = self._read()
        if self._options.begin_s is not None:
            if self._begun_s is None:
                raise EdgeAsrError(f"{self._path}: the target's clock could not be read when the run began")
            resolution_s = float(np.median(np.diff(log.times_s)))
            self._alignment = Alignment(self._begun_s - self._options.begin_s, resolution_s)
            return
        try:
            self._alignment = recognize(log.times_s, log.joules, busy, idle)
        except EdgeAsrError as error:
            self._alignment = self._by_time_of_day(log, busy, idle)
            if self._alignment is None:
                raise EdgeAsrError(f"{self._path}: {error}") from None

    def window(self, begin_s: float, end_s: float) -> Window:
        log = self._read()
        if self._alignment is None:
            raise EdgeAsrError(f"{self._path}: its time is not known to be the target's yet")
        offset_s, clock_s = self._alignment.offset_s, self._alignment.resolution_s
        try:
            return integrate_log(log, begin_s - offset_s, end_s - offset_s, clock_s)
        except EdgeAsrError as error:
            raise EdgeAsrError(f"{self._path}: {error}") from None

    def _read(self) -> Log:
        if self._log is None:
            raise EdgeAsrError(self._trouble)
        return self._log

    def _by_time_of_day(self, log: Log, busy: Sequence[Span], idle: Sequence[Span]) -> Alignment | None:
        """None where the log tells no time of day, or where its load then does not fit the run."""
        if not log.absolute or self._unix_less_target_s is None or not busy or not idle:
            return None
        offset_s = -self._unix_less_target_s
        shifted = log.times_s + offset_s
        inside = shifted[0] <= busy[0].begin_s and busy[-1].end_s <= shifted[-1]
        fits = inside and contrast_w(shifted, log.joules, busy, idle) > 0
        return Alignment(offset_s, TWO_CLOCKS_RESOLUTION_S) if fits else None


def integrate_log(log: Log, begin_s: float, end_s: float, clock_s: float = 0.0) -> Window:
    """Between two moments of the log's own time. Raises EdgeAsrError where it does not cover them."""
    if log.watts is None:
        return integrate_counter(log.times_s, log.joules, begin_s, end_s, highest_w=HIGHEST_W, clock_s=clock_s)
    gap_limit_s = max(GAP_LIMIT_SAMPLES * float(np.median(np.diff(log.times_s))), SHORTEST_GAP_LIMIT_S)
    return integrate_power(
        log.times_s, log.watts, begin_s, end_s, max_gap_s=gap_limit_s, slack_s=CLOCK_RESOLUTION_S, clock_s=clock_s
    )
