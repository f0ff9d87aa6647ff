"""What a quantized file is refused for: probabilities that are not those of fp32, not words that a last bit decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_asr.backends.protocol import StepResult
from edge_asr.errors import EdgeAsrError
from edge_asr.model.checkpoint import load_checkpoint
from edge_asr_export.build import describe
from edge_asr_export.eager import EagerBackend
from edge_asr_export.verify import distance_of, verify_quantized
from tests.test_contract import METADATA


class Constant:
    """A backend that gives every frame the same probabilities."""

    name = "constant"
    metadata = METADATA

    def __init__(self, probabilities: list[float]) -> None:
        self._row = np.log(np.array(probabilities, np.float32))
        self._frames = 0

    def step(self, pcm: np.ndarray, frames: int, threshold: float, flush: bool) -> StepResult:
        rows = np.tile(self._row, (frames, 1))
        index = np.arange(self._frames, self._frames + frames)
        self._frames += frames
        return StepResult(rows, np.ones(frames, bool), rows, index, 0)

    def reset(self) -> None:
        self._frames = 0


SAMPLES = np.zeros(5 * METADATA.chunk_samples, np.float32)


@pytest.mark.parametrize(
    ("ours", "theirs", "distance"),
    [
        ([0.2, 0.5, 0.3], [0.2, 0.5, 0.3], 0.0),
        ([0.2, 0.4, 0.4], [0.2, 0.5, 0.3], 0.1),  # another word is the likeliest, or nearly
        ([0.2, 0.3, 0.5], [0.2, 0.5, 0.3], 0.2),
        ([0.0001, 0.9998, 0.0001], [0.0001, 0.0001, 0.9998], 0.9997),
        ([0.5, 0.4, 0.1], [0.98, 0.01, 0.01], 0.0),  # blank for sure: not asked
    ],
)
def test_the_distance_is_the_share_of_probability_that_lies_elsewhere(
    ours: list[float], theirs: list[float], distance: float
) -> None:
    assert METADATA.blank_id == 0
    assert distance_of(Constant(ours), Constant(theirs), SAMPLES) == pytest.approx(distance, abs=1e-6)


@pytest.mark.slow
def test_a_file_of_other_weights_is_refused(family_file: Callable[[str], Path]) -> None:
    path = family_file("wav2vec2-layer")
    checkpoint = load_checkpoint(path.with_suffix(".safetensors"))
    metadata = describe(checkpoint, path.with_suffix(".safetensors"), "int8")
    checks = verify_quantized(path, EagerBackend(checkpoint.model, metadata))
    assert checks["distance of probabilities from eager fp32"] < 1e-4
    checkpoint.model.upper.head.weight.data.neg_()  # type: ignore[union-attr]
    with pytest.raises(EdgeAsrError, match=r"probabilities are .* away from eager fp32"):
        verify_quantized(path, EagerBackend(checkpoint.model, metadata))
