"""Statistics on constructed data, whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from edge_asr.profiling.statistics import (
    distribution,
    interleaved_ratio,
    mean_half_width,
    median_interval,
    relative_spread,
    student_quantile,
)


def test_percentiles_are_values_that_were_measured() -> None:
    of_hundred = distribution([float(value) for value in range(100, 0, -1)])
    assert of_hundred
    assert (of_hundred.p50_ms, of_hundred.p90_ms, of_hundred.p99_ms) == (50, 90, 99)
    assert (of_hundred.count, of_hundred.mean_ms) == (100, 50.5)
    of_five = distribution([1.0, 2.0, 3.0, 4.0, 50.0])
    assert of_five
    assert (of_five.p50_ms, of_five.p90_ms, of_five.p99_ms) == (3, 50, 50)
    assert distribution([]) is None


def test_percentiles_are_those_of_the_definition() -> None:
    """Nearest rank: the lowest value that at least so many percent do not exceed."""
    values = np.random.default_rng(1).exponential(size=317)
    found = distribution(list(values))
    assert found
    for percent, value in ((50, found.p50_ms), (90, found.p90_ms), (99, found.p99_ms)):
        assert value == min(v for v in values if np.mean(values <= v) >= percent / 100)
        assert abs(value - np.percentile(values, percent)) < 0.3


def test_spread_is_from_the_tenth_to_the_ninetieth_percentile_over_the_median() -> None:
    assert relative_spread([10.0] * 8) == 0
    assert relative_spread(np.linspace(90, 110, 101)) == pytest.approx(0.16)  # type: ignore[arg-type]


def test_what_slows_the_machine_does_not_move_the_ratio() -> None:
    """Two settings, one of which takes 0.64 of the other's time, while the machine becomes three times slower."""
    slowness = np.linspace(1, 3, 12)
    found = interleaved_ratio(0.64 * slowness, slowness)
    assert found.value == pytest.approx(0.64)
    assert found.ci95 == pytest.approx((0.64, 0.64))


def test_one_disturbed_pass_does_not_move_the_ratio() -> None:
    found = interleaved_ratio([0.5] * 4 + [9.0] + [0.5] * 5, [1.0] * 10)
    assert found.value == 0.5
    assert found.ci95
    assert found.ci95[1] < 0.6


def test_few_pairs_have_a_ratio_but_no_interval() -> None:
    found = interleaved_ratio([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert (found.value, found.ci95) == (1.0, None)
    assert mean_half_width([1.0, 2.0, 3.0]) is None


def noisy(kind: str, generator: np.random.Generator, pairs: int) -> np.ndarray:
    """Ratios with a median of 1."""
    if kind == "normal":
        return 1 + 0.05 * generator.standard_normal(pairs)
    if kind == "skewed":
        return np.exp(0.3 * generator.standard_normal(pairs))
    return 1 + 0.05 * generator.standard_t(3, pairs)  # some passes are far off


@pytest.mark.parametrize("kind", ["normal", "skewed", "outliers"])
@pytest.mark.parametrize("pairs", [6, 10, 20])
def test_intervals_cover_the_truth_at_their_nominal_rate(
    kind: str, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """95 %, or a little more: of 600 experiments, 570 are expected to cover, give or take 2 x 5.3."""
    monkeypatch.setattr("edge_asr.profiling.statistics.RESAMPLES", 1_000)
    generator = np.random.default_rng(pairs)
    covered = 0
    for experiment in range(600):
        interval = median_interval(noisy(kind, generator, pairs), seed=experiment)
        assert interval
        covered += interval[0] <= 1 <= interval[1]
    assert 560 <= covered <= 592


def test_intervals_shrink_with_the_root_of_the_passes() -> None:
    generator = np.random.default_rng(3)
    widths = []
    for pairs in (10, 160):
        intervals = [median_interval(noisy("normal", generator, pairs)) for _ in range(20)]
        widths.append(np.mean([high - low for low, high in filter(None, intervals)]))
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize(
    ("degrees", "known"), [(1, 12.706), (4, 2.7764), (5, 2.5706), (9, 2.2622), (19, 2.0930), (100, 1.9840)]
)
def test_students_t_is_that_of_the_tables(degrees: int, known: float) -> None:
    assert student_quantile(degrees) == pytest.approx(known, rel=2e-3)


def test_the_mean_of_energy_has_a_half_width() -> None:
    assert mean_half_width([1.0, 2.0] * 5) == pytest.approx(2.2622 * 0.52705 / np.sqrt(10), rel=2e-3)
