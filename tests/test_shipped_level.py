"""Level does not matter to the shipped models: what the results say of it, with the very bytes that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.demo import RECORDING, TEXT
from edge_asr.recognizer import Recognizer
from edge_asr.shipped import CHECKPOINTS
from edge_asr.sound.level import change_level
from edge_asr.terminal.model import model_or_shipped
from tests.conftest import shipped_size
from tests.outcome import Run

LEVEL_COST_LIMIT = 0.5  # points of WER on AN4 test against 0 dB, gate on, streaming

pytestmark = pytest.mark.slow


@pytest.fixture(params=CHECKPOINTS)
def size(request: pytest.FixtureRequest) -> str:
    """A size, which lies exported in the cache."""
    shipped_size(request.param)
    return request.param


def test_word_errors_are_those_of_0_db_from_far_away_to_clipping(run: Run, size: str, an4_test: Path) -> None:
    wer = {
        gain_db: run("evaluate", an4_test, "--model", size, "--gain", gain_db, "--json").json["wer"]
        for gain_db in (0, -40, -20, 20)
    }
    assert max(wer.values()) <= wer[0] + LEVEL_COST_LIMIT, wer


@pytest.mark.parametrize("before", [0.0, 0.3], ids=["digital silence", "a constant offset"])
def test_speech_after_a_minute_of_nothing_is_heard(size: str, before: float) -> None:
    nothing = np.full(60 * SAMPLE_RATE_HZ, before, np.float32)
    with Recognizer.open(model_or_shipped(Path(size))) as recognizer:
        result = recognizer.transcribe(np.concatenate([nothing, read_audio(RECORDING)]))
    assert result.text == TEXT
    assert result.words[0].start_s >= 60


@pytest.mark.parametrize("dbfs", [-84, -60, -36, -12])
def test_noise_at_no_level_is_a_word(size: str, dbfs: float) -> None:
    noise = change_level(np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE_HZ), dbfs)
    with Recognizer.open(model_or_shipped(Path(size))) as recognizer:
        result = recognizer.transcribe(noise)
    assert result.text == ""
    assert result.counters.kept_frames <= 0.05 * result.counters.frames
