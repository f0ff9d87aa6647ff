"""Percentiles, spread, and ratios of interleaved passes with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from edge_asr.profiling.report import Distribution

RESAMPLES = 10_000
CONFIDENCE = 0.95
FEWEST_FOR_INTERVAL = 6  # of five values, even the lowest to the highest covers the median in only 94 %
STUDENT_OF_FEW = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764}  # upper 2.5 %, by degrees of freedom


@dataclass(frozen=True)
class Estimate:
    """A median and where it may lie."""

    value: float
    ci95: tuple[float, float] | None  # None of fewer than FEWEST_FOR_INTERVAL values


def distribution(values_ms: Sequence[float]) -> Distribution | None:
    """None of nothing.

    Percentiles are by nearest rank (the lowest value that at least so many percent do not exceed; definition 1 of
    Hyndman & Fan 1996), so that each is a time that was measured. Of few values, p90 and p99 are the highest.
    """
    if not values_ms:
        return None
    p50, p90, p99 = np.percentile(values_ms, [50, 90, 99], method="inverted_cdf")
    return Distribution(len(values_ms), float(np.mean(values_ms)), float(p50), float(p90), float(p99))


def relative_spread(values: Sequence[float]) -> float:
    """From the 10th to the 90th percentile (interpolated), over the median: 0.05 says that four passes in five lie
    within 5 % of each other."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return float((high - low) / middle)


def interleaved_ratio(numerators: Sequence[float], denominators: Sequence[float], seed: int = 0) -> Estimate:
    """Median over the pairs of passes that followed one another, so that what slows the machine slows both of a pair.

    Both are positive and of the same length.
    """
    pairs = np.asarray(numerators, float) / np.asarray(denominators, float)
    return Estimate(float(np.median(pairs)), median_interval(pairs, seed))


def median_interval(values: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, float] | None:
    """95 % interval of the median, by bootstrap. The same seed gives the same interval.

    The plain percentile bootstrap is too narrow for few values, as the variance of a sample is that of n - 1 and not of
    n. So its percentiles are moved out as Student's t is to the normal distribution (Hesterberg 2015, "expanded
    percentile interval"), after which its coverage is at least nominal down to six values.
    """
    count = len(values)
    if count < FEWEST_FOR_INTERVAL:
        return None
    drawn = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    medians = np.median(np.asarray(values, float)[drawn], axis=1)
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * student_quantile(count - 1))
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def mean_half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % interval of a mean (Student's t); None of fewer than FEWEST_FOR_INTERVAL values."""
    count = len(values)
    if count < FEWEST_FOR_INTERVAL:
        return None
    return float(student_quantile(count - 1) * np.std(values, ddof=1) / math.sqrt(count))


def student_quantile(degrees: int) -> float:
    """Where the upper 2.5 % of Student's t begin, to 0.2 %: from five degrees on, Cornish and Fisher's series."""
    if degrees in STUDENT_OF_FEW:
        return STUDENT_OF_FEW[degrees]
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    )
