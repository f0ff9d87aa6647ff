"""What the README promises of the shipped model, on real speech, with the very bytes that ship."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from edge_asr.demo import RECORDING, TEXT
from edge_asr.file_hash import file_sha256
from edge_asr.manifest import read_manifest
from edge_asr.recognizer import Recognizer, Result
from edge_asr.shipped import CHECKPOINTS, model_card, shipped_checkpoint
from edge_asr.terminal.model import model_or_shipped
from tests.conftest import shipped_size
from tests.outcome import Run

WER_LIMIT = 7.4  # percent, AN4 test, streaming, gate on
GATE_COST_LIMIT = 0.3  # points of WER that the gate may cost on the same file
KEPT_LIMIT = 0.35  # share of frames that may go through the upper stack
PTE_LIMIT_BYTES = {"base": 8_000_000, "small": 4_000_000}
CHECKPOINT_LIMIT_BYTES = 16_000_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recognizer(shipped_pte: Path) -> Recognizer:
    return Recognizer.open(shipped_pte)


@pytest.fixture(params=CHECKPOINTS)
def size(request: pytest.FixtureRequest) -> str:
    """A size, which lies exported in the cache."""
    shipped_size(request.param)
    return request.param


@pytest.fixture(scope="module")
def speech(data_folder: Path) -> np.ndarray:
    """Three AN4 test utterances with pauses between them, float32 at 16 kHz."""
    utterances = read_manifest(data_folder / "an4" / "test.jsonl")[10:13]
    pause = np.zeros(SAMPLE_RATE_HZ, np.float32)
    return np.concatenate([part for u in utterances for part in (read_audio(u.audio), pause)])


def answers(result: Result) -> tuple[object, ...]:
    """All that a stream answered, but the time it took."""
    return result.text, result.words, result.counters.frames, result.counters.kept_frames, result.counters.upper_runs


def test_word_errors_on_an4_test_with_the_gate_on_and_off(run: Run, size: str, an4_test: Path) -> None:
    gated = run("evaluate", an4_test, "--model", size, "--json").json
    never = run("evaluate", an4_test, "--model", size, "--threshold", "off", "--json").json
    assert (gated["utterances"], gated["words"]) == (130, 773)
    assert gated["wer"] <= WER_LIMIT
    assert gated["wer"] - never["wer"] <= GATE_COST_LIMIT
    assert gated["kept_frame_ratio"] <= KEPT_LIMIT
    assert never["kept_frame_ratio"] == 1.0
    assert gated["upper_runs"] < never["upper_runs"]


def test_files_are_as_small_as_promised_and_have_a_model_card(size: str) -> None:
    checkpoint = shipped_checkpoint(size)
    assert model_or_shipped(Path(size)).stat().st_size <= PTE_LIMIT_BYTES[size]
    assert checkpoint.stat().st_size <= CHECKPOINT_LIMIT_BYTES
    assert file_sha256(checkpoint) in model_card(checkpoint).read_text("utf-8")


def test_the_bundled_recording_is_understood(recognizer: Recognizer) -> None:
    assert recognizer.transcribe(RECORDING).text == TEXT


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(min_value=1, max_value=20_000), min_size=1, max_size=30))
def test_any_way_of_cutting_the_pcm_gives_the_same_answer(
    recognizer: Recognizer, speech: np.ndarray, cuts: list[int]
) -> None:
    with recognizer.stream() as stream:
        for part in np.split(speech, np.cumsum(cuts)):
            stream.accept(part)
        cut = stream.finish()
    assert answers(cut) == answers(recognizer.transcribe(speech))


def test_a_stream_after_another_answers_what_a_fresh_program_answers(
    recognizer: Recognizer, shipped_pte: Path, speech: np.ndarray
) -> None:
    recognizer.transcribe(speech[::-1].copy(), 0.5)
    assert answers(recognizer.transcribe(speech)) == answers(Recognizer.open(shipped_pte).transcribe(speech))


def test_two_streams_at_once_answer_what_each_answers_alone(recognizer: Recognizer, speech: np.ndarray) -> None:
    first, second = recognizer.stream(), recognizer.stream("off")
    for start in range(0, len(speech), 5_000):
        first.accept(speech[start : start + 5_000])
        second.accept(speech[start : start + 5_000])
    assert answers(first.finish()) == answers(recognizer.transcribe(speech))
    assert answers(second.finish()) == answers(recognizer.transcribe(speech, "off"))


def test_digital_silence_has_no_words_and_skips_nearly_all(recognizer: Recognizer) -> None:
    result = recognizer.transcribe(np.zeros(60 * SAMPLE_RATE_HZ, np.float32))
    assert result.text == ""
    assert result.counters.kept_frames <= 0.05 * result.counters.frames


def test_fp32_equals_eager_pytorch_over_whole_streams(tmp_path: Path) -> None:
    """The small one; the README's commands export the other, which is refused where this does not hold."""
    from edge_asr_export.build import build

    report = build(shipped_checkpoint("small"), tmp_path / "fp32.pte", precision="fp32")
    differences = [value for name, value in report.checks.items() if name.startswith("max difference")]
    assert len(differences) == 3
    assert all(isinstance(value, float) and value <= 1e-4 for value in differences)


def test_metadata_names_the_checkpoint_and_the_run(recognizer: Recognizer) -> None:
    training = recognizer.metadata.training
    assert set(training) >= {"checkpoint_sha256", "config_sha256", "git_commit", "step"}
    dev = json.loads(training["dev"])
    assert f"{recognizer.metadata.default_threshold:g}" in dev
