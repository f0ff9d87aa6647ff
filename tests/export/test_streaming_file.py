"""A `.pte` does, step by step, what eager PyTorch does; the threshold is an input; reset makes a fresh stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_asr.backends.choose import open_backend
from edge_asr.backends.protocol import Backend, StepResult
from edge_asr.contract import NEVER_SKIP
from edge_asr.model.encoder import GatedEncoder
from edge_asr_export.eager import EagerBackend
from edge_asr_export.inspect import inspect_pte
from edge_asr_export.structure import check_structure
from edge_asr_export.verify import stream_steps
from tests.export.conftest import CONFIG, describe

TOLERANCE = 1e-4
MIDDLE = 0.45  # about half of the frames are blank at this threshold
THRESHOLDS = (MIDDLE, NEVER_SKIP, 0.0, MIDDLE)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def eager(small_encoder: GatedEncoder) -> EagerBackend:
    return EagerBackend(small_encoder, describe(CONFIG, "fp32"))


@pytest.fixture(scope="module")
def fp32(fp32_pte: Path) -> Backend:
    return open_backend(fp32_pte)


@pytest.fixture(scope="module")
def int8(int8_pte: Path) -> Backend:
    return open_backend(int8_pte)


def run(backend: Backend, pcm: np.ndarray, threshold: float) -> list[tuple[int, StepResult]]:
    backend.reset()
    return list(stream_steps(backend, pcm, threshold))


def kept_frames(steps: list[tuple[int, StepResult]]) -> int:
    return sum(int(result.keep[:frames].sum()) for frames, result in steps)


def final_frames(steps: list[tuple[int, StepResult]]) -> list[int]:
    return [int(frame) for _, result in steps for frame in result.index]


def assert_equal_over_streams(tested: Backend, reference: EagerBackend, pcm: np.ndarray) -> None:
    for threshold in THRESHOLDS:
        found, expected = run(tested, pcm, threshold), run(reference, pcm, threshold)
        assert len(found) == len(expected) >= 14
        for (frames, ours), (_, theirs) in zip(found, expected, strict=True):
            assert ours.keep[:frames].tolist() == theirs.keep[:frames].tolist()
            assert ours.index.tolist() == theirs.index.tolist()
            assert ours.waiting == theirs.waiting
            np.testing.assert_allclose(ours.partial[:frames], theirs.partial[:frames], atol=TOLERANCE)
            np.testing.assert_allclose(ours.final, theirs.final, atol=TOLERANCE)


def test_fp32_equals_eager_over_streams(fp32: Backend, eager: EagerBackend, small_pcm: np.ndarray) -> None:
    assert_equal_over_streams(fp32, eager, small_pcm)


def test_a_factorized_file_equals_eager_over_streams(
    factorized_fp32_pte: Path, factorized_encoder: GatedEncoder, small_pcm: np.ndarray
) -> None:
    tested, reference = open_backend(factorized_fp32_pte), EagerBackend(factorized_encoder, describe(CONFIG, "fp32"))
    assert_equal_over_streams(tested, reference, small_pcm)
    frames = -(-len(small_pcm) // CONFIG.frame_samples)
    assert 0.2 * frames < kept_frames(run(tested, small_pcm, MIDDLE)) < 0.9 * frames


def test_a_file_with_a_learned_gate_equals_eager_over_streams(
    learned_fp32_pte: Path, learned_encoder: GatedEncoder, fp32: Backend, small_pcm: np.ndarray
) -> None:
    """It is one more head in the lower stack's delegate: same partial text, another choice of frames."""
    tested, reference = open_backend(learned_fp32_pte), EagerBackend(learned_encoder, describe(CONFIG, "fp32"))
    assert_equal_over_streams(tested, reference, small_pcm)
    check_structure(inspect_pte(learned_fp32_pte), "fp32")
    learned, usual = run(tested, small_pcm, MIDDLE), run(fp32, small_pcm, MIDDLE)
    frames = -(-len(small_pcm) // CONFIG.frame_samples)
    assert 0.2 * frames < kept_frames(learned) < 0.9 * frames
    steps = [(count, ours, theirs) for (count, ours), (_, theirs) in zip(learned, usual, strict=False) if count]
    for count, ours, theirs in steps:
        np.testing.assert_allclose(ours.partial[:count], theirs.partial[:count], atol=TOLERANCE)
    assert any(ours.keep[:count].tolist() != theirs.keep[:count].tolist() for count, ours, theirs in steps)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_one_file_serves_every_threshold(precision: str, small_pcm: np.ndarray, request: pytest.FixtureRequest) -> None:
    backend: Backend = request.getfixturevalue(precision)
    frames = -(-len(small_pcm) // CONFIG.frame_samples)
    all_kept, half, none = (run(backend, small_pcm, threshold) for threshold in (NEVER_SKIP, MIDDLE, 0.0))
    assert kept_frames(all_kept) == frames
    assert final_frames(all_kept) == list(range(frames))
    assert 0.2 * frames < kept_frames(half) < 0.9 * frames
    assert len(final_frames(half)) == kept_frames(half)
    assert kept_frames(none) == 0
    assert final_frames(none) == []


def test_the_end_of_a_stream_leaves_nothing_waiting(fp32: Backend, small_pcm: np.ndarray) -> None:
    for length in (1, 640, 8 * 640, 8 * 640 + 1, 30_000):
        steps = run(fp32, small_pcm[:length], MIDDLE)
        assert steps[-1][1].waiting == 0
        assert len(final_frames(steps)) == kept_frames(steps)


def test_after_a_reset_nothing_is_left_of_the_stream_before(fp32: Backend, small_pcm: np.ndarray) -> None:
    """Even where that stream was abandoned with frames waiting."""
    expected = run(fp32, small_pcm[20_000:], MIDDLE)
    for start in range(0, len(small_pcm), 8 * 640):
        chunk = small_pcm[start : start + 8 * 640]
        if len(chunk) == 8 * 640 and fp32.step(chunk, 8, MIDDLE, flush=False).waiting:
            break
    else:
        pytest.fail("no step left frames waiting")
    found = run(fp32, small_pcm[20_000:], MIDDLE)
    assert len(found) == len(expected)
    for (_, ours), (_, theirs) in zip(found, expected, strict=True):
        for name in ("partial", "keep", "final", "index", "waiting"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("kind", ["", "factorized_"])
def test_int8_stays_near_eager(kind: str, small_pcm: np.ndarray, request: pytest.FixtureRequest) -> None:
    int8 = open_backend(request.getfixturevalue(f"{kind}int8_pte"))
    eager = EagerBackend(request.getfixturevalue(f"{kind or 'small_'}encoder"), describe(CONFIG, "fp32"))
    found, expected = run(int8, small_pcm, NEVER_SKIP), run(eager, small_pcm, NEVER_SKIP)
    ours, theirs = (np.concatenate([result.final for _, result in steps]) for steps in (found, expected))
    assert np.abs(ours - theirs).max() < 0.5
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() > 0.9
    assert np.abs(ours - theirs).max() > 1e-4  # else it is not quantized


def test_the_metadata_travels(int8: Backend) -> None:
    assert int8.metadata == describe(CONFIG, "int8")
