"""Rotary positions: exact however far into a stream, and only differences matter."""

from __future__ import annotations

import math

import pytest
import torch

from edge_asr.model.layers import rotate, rotation
from edge_asr.model.positions import Rotary

TEN_HOURS = 10 * 3_600 * 25  # frames


@pytest.fixture(scope="module")
def rotary() -> Rotary:
    return Rotary(head_width=16, period_frames=2_048)


def test_angles_are_exact_after_ten_hours(rotary: Rotary) -> None:
    frames = torch.arange(TEN_HOURS, TEN_HOURS + 50)
    cos, sin = rotary(frames[None])
    assert cos.shape == sin.shape == (1, 50, 1, 16)
    for row, frame in enumerate(frames.tolist()):
        for column, step in enumerate(rotary.steps.tolist()):
            angle = 2 * math.pi * (frame * step % 2_048) / 2_048
            assert cos[0, row, 0, column].item() == pytest.approx(math.cos(angle), abs=1e-6)
            assert sin[0, row, 0, column].item() == pytest.approx(math.sin(angle), abs=1e-6)


def test_the_slowest_angle_tells_all_frames_of_a_period_apart(rotary: Rotary) -> None:
    cos, sin = rotary(torch.arange(2_048)[None])
    pairs = torch.stack([cos[0, :, 0, -1], sin[0, :, 0, -1]], dim=1)
    assert torch.pdist(pairs.double()).min() > 1e-3


def test_scores_depend_on_the_distance_only(rotary: Rotary) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 20, 16)

    def scores(query_start: int, key_start: int) -> torch.Tensor:
        rows = torch.arange(20)[None]
        turned_query = rotate(query, *rotation(*rotary(rows + query_start)))[0]
        return turned_query @ rotate(key, *rotation(*rotary(rows + key_start)))[0].T

    near, far = scores(5, 0), scores(TEN_HOURS + 5, TEN_HOURS)
    assert torch.allclose(near, far, atol=1e-5)
    assert not torch.allclose(near, scores(6, 0), atol=1e-2)


def test_what_is_turned_by_nothing_is_scaled_only(rotary: Rotary) -> None:
    """Products of queries and keys come out divided by the root of the head's width, as attention wants its scores."""
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 16)
    start = rotation(*rotary(torch.zeros(1, 1, dtype=torch.int64)))
    product = rotate(query, *start) @ rotate(key, *start).mT
    assert product.item() == pytest.approx((query @ key.mT).item() / 4, abs=1e-6)
