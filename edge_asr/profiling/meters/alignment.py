"""Where in an external meter's log the run is: the meter has a clock of its own, but it saw the same load.

The times when the target was known to compute, and known to rest, are slid along the log until busy and rest differ
most. Uncertain or ambiguous matches are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.protocol import Span

GRID_S = 0.01  # of the first search
FINE_STEPS = 20  # of the second, in a step of the first
LEAST_LIKENESS = 0.5  # correlation of power with the run's pattern
AMBIGUOUS = 0.98  # of the best match's likeness: another one as like
LEAST_PATTERN_S = 0.5  # of busy time, and of rest
NOT_RECOGNIZED = "the run's load cannot be recognized in it"
REMEDY = "give the log's time when the profiler began to measure (begin=SECONDS)"


@dataclass(frozen=True)
class Alignment:
    offset_s: float  # the target's time less the log's
    resolution_s: float


def recognize(times_s: np.ndarray, joules: np.ndarray, busy: Sequence[Span], idle: Sequence[Span]) -> Alignment:
    """times_s, joules: float64 (samples) of a log, its energy counted; spans in the target's time.

    Raises EdgeAsrError.
    """
    if min(total_s(busy), total_s(idle)) < LEAST_PATTERN_S:
        raise EdgeAsrError(f"{NOT_RECOGNIZED}: too little of it is known to be busy and idle; {REMEDY}")
    sample_s = float(np.median(np.diff(times_s)))
    grid_s = max(GRID_S, sample_s)
    begin_s, end_s = min(span.begin_s for span in (*busy, *idle)), max(span.end_s for span in (*busy, *idle))
    if times_s[-1] - times_s[0] < end_s - begin_s:
        length = f"{times_s[-1] - times_s[0]:.1f} s, the run {end_s - begin_s:.1f} s"
        raise EdgeAsrError(
            f"it does not hold the whole run (it has {length}): log from before the start to after the end"
        )
    likeness = likeness_by_lag(times_s, joules, busy, idle, begin_s, end_s, grid_s)
    best = int(np.argmax(likeness))
    if likeness[best] < LEAST_LIKENESS:
        raise EdgeAsrError(f"{NOT_RECOGNIZED}: is the meter wired to this device? Else {REMEDY}")
    refuse_ambiguity(likeness, best, min(span.end_s - span.begin_s for span in busy) / 2 / grid_s)
    near_s = begin_s - (times_s[0] + best * grid_s)
    return Alignment(refined(times_s, joules, busy, idle, near_s, grid_s), max(sample_s, grid_s / FINE_STEPS))


def contrast_w(times_s: np.ndarray, joules: np.ndarray, busy: Sequence[Span], idle: Sequence[Span]) -> float:
    """Mean power when busy less that at rest; spans in the log's time."""
    return float(mean_w(times_s, joules, busy, np.zeros(1))[0] - mean_w(times_s, joules, idle, np.zeros(1))[0])


def likeness_by_lag(
    times_s: np.ndarray,
    joules: np.ndarray,
    busy: Sequence[Span],
    idle: Sequence[Span],
    begin_s: float,
    end_s: float,
    grid_s: float,
) -> np.ndarray:
    """Correlation, -1 to 1, of power with the pattern of busy and idle, if it began so many cells after the log."""
    edges_s = np.arange(times_s[0], times_s[-1], grid_s)
    watts = np.diff(np.interp(edges_s, times_s, joules)) / grid_s
    cells = int((end_s - begin_s) / grid_s)
    is_busy = covered_share(busy, begin_s, cells, grid_s)
    known = np.minimum(is_busy + covered_share(idle, begin_s, cells, grid_s), 1.0)
    pattern = known * (is_busy - np.sum(known * is_busy) / np.sum(known))
    if len(watts) < cells:
        return np.array([-1.0])
    watts = watts - watts.mean()
    mean = correlate(watts, known) / known.sum()
    spread = np.maximum(correlate(watts**2, known) - known.sum() * mean**2, 1e-12 * np.sum(watts**2) + 1e-300)
    return np.asarray(correlate(watts, pattern) / np.sqrt(spread * np.sum(pattern**2)))


def covered_share(spans: Sequence[Span], begin_s: float, cells: int, grid_s: float) -> np.ndarray:
    """float64 (cells): how much of each lies in a span."""
    edges_s = begin_s + grid_s * np.arange(cells + 1)
    share = np.zeros(cells)
    for span in spans:
        share += np.diff(np.clip(edges_s, span.begin_s, span.end_s)) / grid_s
    return share


def correlate(signal: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """`np.correlate(signal, pattern, "valid")`, by way of frequencies."""
    size = 1 << (len(signal) + len(pattern) - 1).bit_length()
    product = np.fft.rfft(signal, size) * np.conj(np.fft.rfft(pattern, size))
    return np.fft.irfft(product, size)[: len(signal) - len(pattern) + 1]


def refuse_ambiguity(likeness: np.ndarray, best: int, apart: float) -> None:
    """Raises EdgeAsrError where the run is as like another part of the log, more than `apart` cells away."""
    elsewhere = np.abs(np.arange(len(likeness)) - best) > apart
    if elsewhere.any() and likeness[elsewhere].max() > AMBIGUOUS * likeness[best]:
        raise EdgeAsrError(f"{NOT_RECOGNIZED} for certain: another part of it is as like; {REMEDY}")


def refined(
    times_s: np.ndarray,
    joules: np.ndarray,
    busy: Sequence[Span],
    idle: Sequence[Span],
    near_s: float,
    grid_s: float,
) -> float:
    """The offset at which busy and idle differ most, around one that is known to a cell."""
    offsets_s = near_s + np.linspace(-2 * grid_s, 2 * grid_s, 4 * FINE_STEPS + 1)
    differences_w = mean_w(times_s, joules, busy, offsets_s) - mean_w(times_s, joules, idle, offsets_s)
    top = differences_w >= differences_w.max() - 1e-3 * np.ptp(differences_w)
    return float(np.mean(offsets_s[top]))  # the middle of a plateau


def mean_w(times_s: np.ndarray, joules: np.ndarray, spans: Sequence[Span], offsets_s: np.ndarray) -> np.ndarray:
    """float64 (offsets): W over all spans together."""
    begins_s, ends_s = np.array([[span.begin_s, span.end_s] for span in spans]).T
    until_end_j = np.interp(ends_s - offsets_s[:, None], times_s, joules)
    until_begin_j = np.interp(begins_s - offsets_s[:, None], times_s, joules)
    return np.asarray((until_end_j - until_begin_j).sum(axis=1) / total_s(spans))


def total_s(spans: Sequence[Span]) -> float:
    return sum(span.end_s - span.begin_s for span in spans)
