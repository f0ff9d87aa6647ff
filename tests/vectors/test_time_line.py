"""Python's time line makes the words of `time_line.jsonl`, from which C++ and Kotlin are tested too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_asr.backends.protocol import StepResult
from edge_asr.ctc import Clock, TimeLine, Word
from edge_asr.errors import EdgeAsrError
from edge_asr.tokens import Tokens
from tests.vectors import time_line
from tests.vectors.replay import differences, read_vectors

VECTORS = read_vectors(time_line.FILE)


def test_the_file_is_what_its_generator_writes() -> None:
    assert time_line.FILE.read_text(encoding="utf-8") == time_line.text(), "run python -m tests.vectors.time_line"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_python_hears_as_the_vector_says(vector: dict[str, Any]) -> None:
    assert differences(vector, heard(vector)) == []


def heard(vector: dict[str, Any]) -> dict[str, Any]:
    """What Python's time line makes of the steps of a vector."""
    tokens = Tokens(tuple(vector["pieces"]), vector["blank_id"])
    line = TimeLine(tokens, Clock(vector["frame_samples"], vector["sample_rate_hz"]))
    answers: list[dict[str, Any]] = []
    for step in vector["steps"]:
        try:
            words = line.add(result_of(step, len(tokens.pieces)), step["samples"])
        except EdgeAsrError as refusal:
            return {"steps": [*answers, {"refused": str(refusal)}]}
        answers.append({"words": listed(words), "partial_words": listed(line.partial_words())})
    return {"steps": answers, "finish": listed(line.finish())}


def result_of(step: dict[str, Any], pieces: int) -> StepResult:
    """With a row more than the step has frames, which must not count."""
    nobody = np.full((1, pieces), np.nan, np.float32)
    return StepResult(
        partial=np.concatenate([rows(step["partial"], pieces), nobody]),
        keep=np.array([*step["keep"], 1], bool),
        final=rows(step["final"], pieces),
        index=np.array(step["index"], np.int64),
        waiting=step["waiting"],
    )


def rows(numbers: list[list[Any]], pieces: int) -> np.ndarray:
    return np.array([[float(number) for number in row] for row in numbers], np.float32).reshape(-1, pieces)


def listed(words: list[Word]) -> list[list[Any]]:
    return [[word.text, word.start_s, word.end_s, word.confidence] for word in words]
