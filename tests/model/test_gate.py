"""The gate by itself: spikes, their extension over chunk borders, and how kept frames fill blocks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asr.model.config import GateConfig
from edge_asr.model.gate import block_sizes, extend_spikes, find_spikes, plan_blocks, size_of_block


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(1.0, [1, 1, 1, 1, 1]), (0.9, [1, 1, 1, 0, 0]), (0.5, [1, 1, 0, 0, 0]), (0.0, [1, 0, 0, 0, 0])],
)
def test_a_frame_is_a_spike_up_to_the_threshold(threshold: float, expected: list[int]) -> None:
    probability = torch.tensor([[0.0, 0.5, 0.75, 0.95, 1.0]])
    assert find_spikes(probability, threshold).tolist() == [expected]


def test_a_softmax_that_rounds_above_one_is_not_skipped_at_one() -> None:
    assert find_spikes(torch.tensor([[1.0 + 1e-6]]), 1.0).tolist() == [[1.0]]


def test_each_utterance_may_have_its_threshold() -> None:
    spikes = find_spikes(torch.full((2, 1), 0.5), torch.tensor([[0.4], [0.6]]))
    assert spikes.tolist() == [[0.0], [1.0]]


def test_the_spike_before_the_border_keeps_the_first_frame() -> None:
    spikes = torch.zeros(1, 4)
    assert extend_spikes(spikes, torch.tensor([[1.0]]), GateConfig()).tolist() == [[1, 0, 0, 0]]
    assert extend_spikes(spikes, torch.tensor([[0.0]]), GateConfig()).tolist() == [[0, 0, 0, 0]]


@settings(deadline=None)
@given(
    spikes=st.lists(st.booleans(), min_size=1, max_size=40),
    chunk=st.integers(1, 8),
    left=st.integers(0, 3),
    right=st.integers(0, 3),
)
def test_chunk_by_chunk_extension_keeps_neighbours(spikes: list[bool], chunk: int, left: int, right: int) -> None:
    """A frame is kept if a spike lies up to `right` before it, or up to `left` after it inside its own chunk."""
    right = min(right, chunk)  # the carry comes from one chunk
    spikes = spikes + [False] * (-len(spikes) % chunk)
    config = GateConfig(spike_left=left, spike_right=right)
    found: list[float] = []
    carry = torch.zeros(1, right)
    for start in range(0, len(spikes), chunk):
        row = torch.tensor([spikes[start : start + chunk]], dtype=torch.float32)
        found += extend_spikes(row, carry, config)[0].tolist()
        carry = row[:, chunk - right :]
    for frame, kept in enumerate(found):
        chunk_end = (frame // chunk + 1) * chunk
        assert kept == any(spikes[max(frame - right, 0) : min(frame + left + 1, chunk_end)])


@st.composite
def kept_frames(draw: st.DrawFn) -> tuple[list[list[int]], int, int]:
    """Kept frames of each chunk, frames of a chunk, and chunks that a frame may wait."""
    size = draw(st.integers(1, 6))
    chunks = draw(st.lists(st.sets(st.integers(0, size - 1)), max_size=20))
    kept = [sorted(frame + number * size for frame in chunk) for number, chunk in enumerate(chunks)]
    return kept, size, draw(st.integers(1, 5))


@settings(deadline=None)
@given(kept_frames())
def test_blocks_hold_every_kept_frame_once_and_in_order(case: tuple[list[list[int]], int, int]) -> None:
    kept, size, wait = case
    blocks = plan_blocks(kept, size, wait)
    assert [frame for block in blocks for frame in block] == [frame for chunk in kept for frame in chunk]
    assert all(1 <= len(block) < 2 * size for block in blocks)


@settings(deadline=None)
@given(kept_frames())
def test_no_frame_waits_longer_than_agreed(case: tuple[list[list[int]], int, int]) -> None:
    """A block runs no earlier than its newest frame, so that frame bounds from below how long the oldest waited."""
    kept, size, wait = case
    for block in plan_blocks(kept, size, wait):
        assert block[-1] // size - block[0] // size <= wait


@pytest.mark.parametrize(
    ("kept", "blocks"),
    [
        (
            [[0, 1, 2], [4, 5], [8]],
            [[0, 1, 2, 4, 5], [8]],
        ),  # a chunk's worth waits: all of it runs; the rest at the end
        ([[0], [], [8]], [[0], [8]]),  # a chunk without kept frames releases those that wait
        ([[0], [4], [8], [], [16, 17]], [[0, 4, 8], [16, 17]]),
        ([[3], [4], [8], [12]], [[3, 4, 8], [12]]),  # overdue: frame 3 has waited two chunks
        ([[0, 1, 2, 3], [4, 5, 6, 7]], [[0, 1, 2, 3], [4, 5, 6, 7]]),
        ([[], []], []),
        ([], []),
    ],
)
def test_when_blocks_run(kept: list[list[int]], blocks: list[list[int]]) -> None:
    assert plan_blocks(kept, chunk_frames=4, max_wait_chunks=2) == blocks


@given(st.integers(1, 40), st.data())
def test_a_block_has_the_least_rows_that_hold_its_frames(chunk: int, data: st.DataObject) -> None:
    sizes = block_sizes(chunk)
    assert list(sizes) == sorted(set(sizes))
    assert chunk in sizes
    assert sizes[-1] == 2 * chunk
    frames = data.draw(st.integers(1, 2 * chunk - 1))
    size = size_of_block(frames, chunk)
    assert size in sizes
    assert frames <= size
    assert all(other >= size for other in sizes if other >= frames)
