"""Energy counters as devices keep them: they wrap, they stand still between updates, and a reset loses what was."""

from __future__ import annotations

import numpy as np

from edge_asr.errors import EdgeAsrError

HIGHEST_W = 1000.0  # no part of a device that runs a recognizer takes more


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


def longest_unambiguous_gap_s(range_j: float | None) -> float:
    """Between two readings: in a longer one the counter could have wrapped unseen."""
    return float("inf") if range_j is None else range_j / HIGHEST_W
