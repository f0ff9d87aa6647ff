"""Energy counters as devices keep them: they wrap, they stand still between updates, and a reset loses what was.

A counter that begins again at 0 looks like one that wraps. Only power tells them apart: a reset taken for a wrap is a
rise that no device can make.
"""

from __future__ import annotations

import numpy as np

from edge_asr.errors import EdgeAsrError

HIGHEST_W = 1000.0  # of one counter: no part of a device that runs a recognizer takes more
LATE_READING_S = 1.0  # a counter is read so long after its time stamp at most, on a device that is busy


def undo_wraps(counts: np.ndarray, wraps_at: float | None) -> np.ndarray:
    """float64 (samples), from 0 on, of a counter that begins again at 0 once it has reached `wraps_at`; None where it
    never does. Raises EdgeAsrError where it falls all the same: what it counted before is lost."""
    rises = np.diff(counts.astype(np.float64))
    fell = rises < 0
    if fell.any() and wraps_at is None:
        raise EdgeAsrError("the energy counter fell: it was reset during the run")
    if wraps_at is not None:
        rises[fell] += wraps_at
        if (rises < 0).any():
            raise EdgeAsrError(f"the energy counter fell by more than its range of {wraps_at:g}")
    return np.concatenate([[0.0], np.cumsum(rises)])


def refuse_impossible_rise(times_s: np.ndarray, joules: np.ndarray, highest_w: float) -> None:
    """times_s, joules: float64 (samples), times increasing, wraps undone. Raises EdgeAsrError where joules rise by more
    than `highest_w` makes in the time between two readings, and in the time by which a reading may be late."""
    rises_j, gaps_s = np.diff(joules), np.diff(times_s)
    excess_j = rises_j - highest_w * (gaps_s + LATE_READING_S)
    if (excess_j > 0).any():
        worst = int(np.argmax(excess_j))
        raise EdgeAsrError(
            f"the energy counter rose by {rises_j[worst]:.3g} J in {gaps_s[worst]:.2g} s, more than the "
            f"{highest_w:g} W that are possible: it was reset; measure again"
        )


def longest_unambiguous_gap_s(range_j: float | None, highest_w: float) -> float:
    """Between two readings: in a longer one the counter could have wrapped unseen."""
    return float("inf") if range_j is None else range_j / highest_w
