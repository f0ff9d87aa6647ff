"""Energy of a window of time, from samples of power or of an energy counter.

Between two samples power is taken to be linear, and so is a counter; windows may begin and end between samples. What
is not covered is refused, not guessed. Uncertainties are half-widths of 95 % intervals.
"""

from __future__ import annotations

import math

import numpy as np

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.counters import refuse_impossible_rise
from edge_asr.profiling.meters.protocol import Window

FEWEST_SAMPLES = 2  # within a window
FEWEST_LEVELS = 8  # different values, to tell a source's resolution from
CLOCK_RESOLUTION_S = 0.01  # of a target's time stamps: /proc/uptime counts hundredths
TWO_SIDED_95 = 1.96  # standard deviations of a normal distribution
UNIFORM_SD = 1 / math.sqrt(12)  # of a quantity known to lie within a step of 1


def integrate_power(
    times_s: np.ndarray,
    watts: np.ndarray,
    begin_s: float,
    end_s: float,
    *,
    max_gap_s: float,
    slack_s: float = 0.0,
    clock_s: float = CLOCK_RESOLUTION_S,
    repeats: bool = False,
) -> Window:
    """Trapezoids.

    times_s, watts: float64 (samples), times increasing. `slack_s`: how far a window may reach beyond the first or last
    sample, which is then held. `clock_s`: how exactly the samples' times are known. `repeats`: the source gives its
    last value again until it has another, so that power may have moved any time since.
    Raises EdgeAsrError where samples are missing.
    """
    inside = samples_inside(times_s, begin_s, end_s, slack_s)
    gap_s = widest_gap_s(times_s, begin_s, end_s)
    if gap_s > max_gap_s:
        raise EdgeAsrError(f"a gap of {gap_s:.2f} s between samples; at most {max_gap_s:.2f} s can be bridged")
    edges_w = np.abs(np.interp([begin_s, end_s], times_s, watts))
    fresh = changes(watts) if repeats else slice(None)
    variance = (
        sampling_variance(times_s[fresh], watts[fresh], begin_s, end_s)
        + (UNIFORM_SD * resolution_of(watts) * (end_s - begin_s)) ** 2
        + float(np.sum((UNIFORM_SD * clock_s * edges_w) ** 2))
    )
    joules = trapezoids(times_s, watts, begin_s, end_s)
    return window_of(joules, begin_s, end_s, times_s[inside], math.sqrt(variance))


def integrate_counter(
    times_s: np.ndarray,
    joules: np.ndarray,
    begin_s: float,
    end_s: float,
    *,
    highest_w: float,
    resolution_j: float = 0.0,
    slack_s: float = 0.0,
    clock_s: float = CLOCK_RESOLUTION_S,
) -> Window:
    """Differences of a counter that only rises (its wraps are undone already). A gap within the window loses nothing.

    times_s, joules: float64 (samples), times increasing. `highest_w`: what the counted part can take. Raises
    EdgeAsrError where samples are missing, or the counter rises by more than that: it was reset.
    """
    inside = samples_inside(times_s, begin_s, end_s, slack_s)
    touched = samples_around(times_s, begin_s, end_s)
    refuse_impossible_rise(times_s[touched], joules[touched], highest_w)
    at_begin_j, at_end_j = np.interp([begin_s, end_s], times_s, joules)
    variance = 2 * (UNIFORM_SD * resolution_j) ** 2
    for edge_s in (begin_s, end_s):
        share_j, edge_w = edge_uncertainty(times_s, joules, edge_s)
        variance += share_j**2 + (UNIFORM_SD * clock_s * edge_w) ** 2
    return window_of(float(at_end_j - at_begin_j), begin_s, end_s, times_s[inside], math.sqrt(variance))


def samples_inside(times_s: np.ndarray, begin_s: float, end_s: float, slack_s: float) -> slice:
    """Raises EdgeAsrError where they do not cover the window."""
    if not begin_s < end_s:
        raise EdgeAsrError(f"a window must end after it begins: {begin_s:.2f} s to {end_s:.2f} s")
    if len(times_s) == 0:
        raise EdgeAsrError("there are no samples")
    if begin_s < times_s[0] - slack_s:
        raise EdgeAsrError(f"samples begin {times_s[0] - begin_s:.2f} s after the window does")
    if end_s > times_s[-1] + slack_s:
        raise EdgeAsrError(f"samples end {end_s - times_s[-1]:.2f} s before the window does")
    first, after = np.searchsorted(times_s, [begin_s, end_s], side="left")
    if after - first < FEWEST_SAMPLES:
        raise EdgeAsrError(f"{after - first} samples in a window of {end_s - begin_s:.3f} s are too few")
    return slice(int(first), int(after))


def samples_around(times_s: np.ndarray, begin_s: float, end_s: float) -> slice:
    """Those within a window, and the next ones before and after it."""
    first = max(int(np.searchsorted(times_s, begin_s, side="right")) - 1, 0)
    return slice(first, int(np.searchsorted(times_s, end_s, side="left")) + 1)


def widest_gap_s(times_s: np.ndarray, begin_s: float, end_s: float) -> float:
    """Between two samples, of which a part lies in the window."""
    gaps_s = np.diff(times_s[samples_around(times_s, begin_s, end_s)])
    return float(gaps_s.max()) if len(gaps_s) else 0.0


def trapezoids(times_s: np.ndarray, watts: np.ndarray, begin_s: float, end_s: float) -> float:
    """Before the first sample and after the last, power is held."""
    inside = slice(*np.searchsorted(times_s, [begin_s, end_s]))
    knots_s = np.concatenate([[begin_s], times_s[inside], [end_s]])
    return float(np.trapezoid(np.interp(knots_s, times_s, watts), knots_s))


def changes(values: np.ndarray) -> np.ndarray:
    """bool (samples): where a value differs from the one before; the first and the last always."""
    return np.concatenate([[True], np.diff(values) != 0])[: len(values)] | (np.arange(len(values)) == len(values) - 1)


def sampling_variance(times_s: np.ndarray, watts: np.ndarray, begin_s: float, end_s: float) -> float:
    """Of the integral, J². Samples that differ from their neighbours tell how much power moved unseen between them: as
    in von Neumann's estimate, half the mean square of successive differences is the variance of one sample."""
    begins_s, ends_s = np.clip(times_s[:-1], begin_s, end_s), np.clip(times_s[1:], begin_s, end_s)
    return float(np.sum((np.diff(watts) * (ends_s - begins_s)) ** 2)) / 2


def resolution_of(values: np.ndarray) -> float:
    """The smallest step between any two of them; 0 where they are too few different ones to tell steps of the source
    from steps of the power."""
    distinct = np.unique(values)
    return float(np.diff(distinct).min()) if len(distinct) >= FEWEST_LEVELS else 0.0


def edge_uncertainty(times_s: np.ndarray, joules: np.ndarray, edge_s: float) -> tuple[float, float]:
    """Where a window begins or ends between two readings of a counter: J that may lie on the other side if power
    stepped just there from what it was in the interval before to what it was in the one after; and W around it."""
    after = int(np.clip(np.searchsorted(times_s, edge_s, side="right"), 1, len(times_s) - 1))
    watts = np.diff(joules[max(after - 2, 0) : after + 2]) / np.diff(times_s[max(after - 2, 0) : after + 2])
    length_s = times_s[after] - times_s[after - 1]
    share = float(np.clip((edge_s - times_s[after - 1]) / length_s, 0, 1))
    return share * (1 - share) * length_s * float(np.ptp(watts)), float(np.abs(watts).max())


def window_of(joules: float, begin_s: float, end_s: float, inside_s: np.ndarray, sd_j: float) -> Window:
    return Window(
        joules=joules,
        seconds=end_s - begin_s,
        samples=len(inside_s),
        sample_hz=float((len(inside_s) - 1) / (inside_s[-1] - inside_s[0])),
        uncertainty_j=TWO_SIDED_95 * sd_j,
    )
