"""Energy of a window: exact where it can be, refused where samples are missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.counters import HIGHEST_W
from edge_asr.profiling.meters.integrate import integrate_counter, integrate_power

GAP_S = 10.0
TIMES_S = np.arange(0, 10.05, 0.1)

powers = st.lists(st.floats(0, 100), min_size=101, max_size=101).map(np.array)
moments = st.floats(0, 10)


def test_constant_power_is_power_times_time():
    window = integrate_power(TIMES_S, np.full(101, 5.0), 1.23, 8.77, max_gap_s=GAP_S)
    assert window.joules == pytest.approx(5 * (8.77 - 1.23))
    assert window.seconds == pytest.approx(7.54)
    assert window.sample_hz == pytest.approx(10)
    assert window.samples == 75  # 1.3, 1.4, ... 8.7


def test_a_ramp_is_cut_between_samples():
    window = integrate_power(TIMES_S, 2 * TIMES_S, 0.55, 9.05, max_gap_s=GAP_S)
    assert window.joules == pytest.approx(9.05**2 - 0.55**2)


def test_a_counter_is_cut_between_readings():
    window = integrate_counter(TIMES_S, 3 * TIMES_S + 1000, 0.55, 9.05, highest_w=HIGHEST_W)
    assert window.joules == pytest.approx(3 * 8.5)


@given(powers, moments, moments, moments)
def test_parts_of_a_window_add_up(watts: np.ndarray, a: float, b: float, c: float):
    first_s, cut_s, last_s = sorted([a, b, c])
    if min(cut_s - first_s, last_s - cut_s) < 0.25:  # too few samples
        return
    whole, left, right = (
        integrate_power(TIMES_S, watts, begin_s, end_s, max_gap_s=GAP_S)
        for begin_s, end_s in ((first_s, last_s), (first_s, cut_s), (cut_s, last_s))
    )
    assert left.joules + right.joules == pytest.approx(whole.joules, abs=1e-9)
    assert left.samples + right.samples == whole.samples


@given(powers, moments, moments)
def test_parts_of_a_counter_add_up(rises: np.ndarray, a: float, b: float):
    joules = np.cumsum(rises)
    first_s, last_s = sorted([a, b])
    if last_s - first_s < 0.6:
        return
    cut_s = (first_s + last_s) / 2
    parts = integrate_counter(TIMES_S, joules, first_s, cut_s, highest_w=HIGHEST_W).joules
    parts += integrate_counter(TIMES_S, joules, cut_s, last_s, highest_w=HIGHEST_W).joules
    assert parts == pytest.approx(
        integrate_counter(TIMES_S, joules, first_s, last_s, highest_w=HIGHEST_W).joules, abs=1e-9
    )


@given(powers, st.sampled_from([1e-6, 1e-3, 1e3]))
def test_units_do_not_matter(watts: np.ndarray, scale: float):
    """Energy and its uncertainty scale as the readings do."""
    plain = integrate_power(TIMES_S, watts, 1, 9, max_gap_s=GAP_S)
    scaled = integrate_power(TIMES_S, watts * scale, 1, 9, max_gap_s=GAP_S)
    assert scaled.joules == pytest.approx(plain.joules * scale, rel=1e-9)
    assert scaled.uncertainty_j == pytest.approx(plain.uncertainty_j * scale, rel=1e-6)


def test_the_interval_of_noisy_samples_covers_the_truth_at_its_rate():
    """White noise of 1 W on 5 W, a thousand runs: 95 of 100 intervals hold the true 40 J."""
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(1000):
        watts = 5 + random.normal(0, 1, len(TIMES_S))
        window = integrate_power(TIMES_S, watts, 1, 9, max_gap_s=GAP_S, clock_s=0)
        covered += abs(window.joules - 40) <= window.uncertainty_j
    assert covered == pytest.approx(950, abs=25)


def test_a_step_seen_between_two_samples_is_within_the_uncertainty():
    """Load from 1 W to 6 W somewhere between samples: wherever it was, the interval holds the truth."""
    for step_s in np.linspace(3.0, 3.1, 11)[1:-1]:
        watts = np.where(step_s > TIMES_S, 1.0, 6.0)
        window = integrate_power(TIMES_S, watts, 1, 9, max_gap_s=GAP_S)
        truth = (step_s - 1) * 1 + (9 - step_s) * 6
        assert abs(window.joules - truth) <= window.uncertainty_j < 1.0


def test_a_gauge_that_repeats_itself_is_less_certain():
    """A value every 5 s, read every 0.1 s: power may have moved long before the reading did."""
    watts = np.where(TIMES_S < 5, 1.0, 3.0)
    fresh = integrate_power(TIMES_S, watts, 0, 10, max_gap_s=GAP_S)
    stale = integrate_power(TIMES_S, watts, 0, 10, max_gap_s=GAP_S, repeats=True)
    assert stale.joules == fresh.joules
    assert stale.uncertainty_j > 10 * fresh.uncertainty_j


def test_coarse_readings_are_less_certain():
    """Readings that are cut off to whole steps of 0.5 W: half a step too low on average, and the interval says so."""
    watts = 5 + 3 * np.sin(TIMES_S) + np.random.default_rng(1).normal(0, 0.01, 101)
    fine = integrate_power(TIMES_S, watts, 0, 10, max_gap_s=GAP_S)
    coarse = integrate_power(TIMES_S, np.floor(2 * watts) / 2, 0, 10, max_gap_s=GAP_S)
    assert coarse.joules == pytest.approx(fine.joules - 2.5, abs=0.3)
    assert fine.uncertainty_j < 0.5
    assert abs(coarse.joules - fine.joules) <= coarse.uncertainty_j


@pytest.mark.parametrize(
    ("begin_s", "end_s", "said"),
    [
        (-1.0, 5.0, "samples begin 1.00 s after the window does"),
        (5.0, 11.0, "samples end 1.00 s before the window does"),
        (5.0, 5.0, "a window must end after it begins"),
        (5.01, 5.09, "0 samples in a window of 0.080 s are too few"),
    ],
)
def test_what_is_not_covered_is_refused(begin_s: float, end_s: float, said: str):
    with pytest.raises(EdgeAsrError, match=said):
        integrate_counter(TIMES_S, np.ones(101), begin_s, end_s, highest_w=HIGHEST_W)
    with pytest.raises(EdgeAsrError, match=said):
        integrate_power(TIMES_S, np.ones(101), begin_s, end_s, max_gap_s=GAP_S)


def test_no_samples_at_all():
    with pytest.raises(EdgeAsrError, match="there are no samples"):
        integrate_power(np.array([]), np.array([]), 0, 1, max_gap_s=GAP_S)


def test_a_gap_is_refused_beyond_the_limit_and_only_where_it_is():
    times_s = np.concatenate([np.arange(0, 4, 0.1), np.arange(6, 10.05, 0.1)])
    watts = np.ones(len(times_s))
    with pytest.raises(EdgeAsrError, match=r"a gap of 2\.10 s between samples; at most 1\.00 s"):
        integrate_power(times_s, watts, 1, 9, max_gap_s=1.0)
    with pytest.raises(EdgeAsrError, match=r"a gap of 2\.10 s"):
        integrate_power(times_s, watts, 1, 5, max_gap_s=1.0)  # it ends within the gap
    assert integrate_power(times_s, watts, 6, 9, max_gap_s=1.0).joules == pytest.approx(3)
    assert integrate_power(times_s, watts, 1, 9, max_gap_s=3.0).joules == pytest.approx(8)


def test_a_counter_loses_nothing_in_a_gap():
    times_s = np.concatenate([np.arange(0, 4, 0.1), np.arange(6, 10.05, 0.1)])
    assert integrate_counter(times_s, 7 * times_s, 1, 9, highest_w=HIGHEST_W).joules == pytest.approx(56)


def test_a_counter_cut_within_a_long_interval_says_how_uncertain_that_is():
    """1 W until 5 s, 11 W from then on, read every 2 s: a window from 5 s cuts an interval in half."""
    times_s = np.array([0.0, 2, 4, 6, 8, 10])
    joules = np.interp(times_s, [0, 5, 10], [0, 5, 60])
    window = integrate_counter(times_s, joules, 5, 10, highest_w=HIGHEST_W)
    assert abs(window.joules - 55) > 1
    assert abs(window.joules - 55) <= window.uncertainty_j


def test_a_window_may_reach_a_little_beyond_the_samples():
    window = integrate_power(TIMES_S, np.full(101, 2.0), -0.02, 10.02, max_gap_s=GAP_S, slack_s=0.02)
    assert window.joules == pytest.approx(2 * 10.04)


def test_a_rise_that_no_device_can_make_spoils_the_windows_it_touches_and_no_others():
    joules = 3 * TIMES_S + np.where(TIMES_S > 5.05, 1e4, 0)
    with pytest.raises(EdgeAsrError, match=r"rose by 1e\+04 J in 0.1 s, more than the 1000 W that are possible"):
        integrate_counter(TIMES_S, joules, 1, 5.06, highest_w=HIGHEST_W)
    assert integrate_counter(TIMES_S, joules, 1, 4.95, highest_w=HIGHEST_W).joules == pytest.approx(3 * 3.95)
    assert integrate_counter(TIMES_S, joules, 5.15, 9, highest_w=HIGHEST_W).joules == pytest.approx(3 * 3.85)


@given(powers, moments, moments)
def test_no_counter_gives_more_than_is_possible(watts: np.ndarray, a: float, b: float):
    """But for what a late reading brings."""
    begin_s, end_s = sorted([a, b])
    if end_s - begin_s < 0.3:
        return
    joules = np.cumsum(watts)
    try:
        window = integrate_counter(TIMES_S, joules, begin_s, end_s, highest_w=50.0)
    except EdgeAsrError:
        assert np.diff(joules).max() > 50 * 1.1
    else:
        assert window.joules <= 50 * 1.1 * (window.samples + 1) + 1e-6
