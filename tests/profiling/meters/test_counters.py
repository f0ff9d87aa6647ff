"""Counters that wrap, stand still, and are reset."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.counters import HIGHEST_W, longest_unambiguous_gap_s, undo_wraps


@given(st.lists(st.integers(0, 999), min_size=1, max_size=50), st.integers(0, 999))
def test_a_counter_modulo_its_range_gives_what_was_counted(rises: list[int], begin: int):
    counted = begin + np.cumsum([0, *rises])
    assert undo_wraps(counted % 1000, wraps_at=1000) == pytest.approx(counted - begin)


def test_a_counter_that_stands_still_counts_nothing():
    assert undo_wraps(np.array([5, 5, 5]), wraps_at=10).tolist() == [0, 0, 0]


def test_a_reset_is_refused():
    with pytest.raises(EdgeAsrError, match="it was reset during the run"):
        undo_wraps(np.array([5, 9, 2]), wraps_at=None)


def test_a_fall_by_more_than_the_range_is_refused():
    with pytest.raises(EdgeAsrError, match="fell by more than its range of 10"):
        undo_wraps(np.array([500, 3]), wraps_at=10)


def test_readings_too_far_apart_could_hide_a_wrap():
    assert longest_unambiguous_gap_s(65_536.0, HIGHEST_W) == pytest.approx(65.5, abs=0.1)  # at 1 kW
    assert longest_unambiguous_gap_s(None, HIGHEST_W) == float("inf")
