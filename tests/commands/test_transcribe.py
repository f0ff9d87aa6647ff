"""`edge-asr transcribe`: speech in, text out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.audio import read_audio
from tests.beep_program import lines, transcribe
from tests.outcome import Run


def test_piped_text_is_one_line_a_file(run: Run, beep_model: Path, beeps: Path) -> None:
    outcome = run("transcribe", beeps, beeps, "--model", beep_model)
    assert (outcome.code, outcome.out, outcome.err) == (0, "BEEP BEEP\nBEEP BEEP\n", "")


def test_words_have_times_and_confidence(run: Run, beep_model: Path, beeps: Path) -> None:
    outcome = run("transcribe", beeps, "--words", "--model", beep_model)
    text, *words = outcome.out.splitlines()
    assert text == "BEEP BEEP"
    assert [line.split() for line in words] == [["0.20", "0.40", "0.99", "BEEP"], ["0.80", "1.00", "0.99", "BEEP"]]


def test_json_is_one_object_a_file_with_words_and_counters(run: Run, beep_model: Path, beeps: Path) -> None:
    answer = run("transcribe", beeps, "--json", "--model", beep_model).json
    assert answer["audio"] == str(beeps)
    assert answer["text"] == "BEEP BEEP"
    assert answer["words"][1] == {"text": "BEEP", "start_s": 0.8, "end_s": 1.0, "confidence": 0.99}
    assert answer["frames"] == 30
    assert answer["kept_frames"] == 10
    assert answer["audio_s"] == pytest.approx(1.2)
    assert answer["compute_s"] > 0


def test_threshold_off_keeps_every_frame_and_zero_keeps_none(run: Run, beep_model: Path, beeps: Path) -> None:
    off = run("transcribe", beeps, "--json", "--threshold", "off", "--model", beep_model).json
    none = run("transcribe", beeps, "--json", "--threshold", "0", "--model", beep_model).json
    assert (off["kept_frames"], off["text"]) == (off["frames"], "BEEP BEEP")
    assert (none["kept_frames"], none["text"]) == (0, "")


def test_raw_pcm_from_stdin_gives_what_the_file_gives(beeps: Path) -> None:
    done = transcribe("-", input=(read_audio(beeps) * 32_767).astype("<i2").tobytes() + b"\x00")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"BEEP BEEP\n", b"")


@pytest.mark.parametrize("data", [b"", b"\x00"])
def test_an_empty_stdin_is_an_error(data: bytes) -> None:
    done = transcribe("-", input=data)
    assert (done.returncode, done.stdout) == (1, b"")
    assert lines(done.stderr) == [
        "edge-asr: stdin: no samples in this audio (raw 16-bit PCM is expected): record it again"
    ]


def test_a_wav_file_on_stdin_is_not_taken_for_samples(beeps: Path) -> None:
    done = transcribe("-", input=beeps.read_bytes())
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = lines(done.stderr)
    assert line == "edge-asr: stdin: this is a WAV file, not raw PCM: pass its name, or /dev/stdin in place of -"


def nan_wav(path: Path) -> None:
    soundfile.write(path, np.array([0.0, np.nan] * 800, np.float32), 16_000, subtype="FLOAT")


def headless(path: Path) -> None:
    path.write_bytes(b"this is no audio")


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 16_000)


@pytest.mark.parametrize("make", [nan_wav, headless, no_samples, Path.touch, Path.mkdir, lambda path: None])
def test_audio_that_cannot_be_used_is_named_in_one_line(
    run: Run, beep_model: Path, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "bad.wav"
    make(path)
    run("transcribe", path, "--model", beep_model).assert_fails("bad.wav")


def test_unreadable_audio_is_told_before_any_model_is_loaded(run: Run, tmp_path: Path) -> None:
    run("transcribe", tmp_path / "none.wav", "--model", tmp_path / "none.pte").assert_fails("none.wav")


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan", "on", ""])
def test_a_threshold_out_of_range_is_wrong_usage(run: Run, beeps: Path, value: str) -> None:
    run("transcribe", beeps, "--threshold", value).assert_fails("--threshold", "'off'", "0 to 1", code=2)


def test_no_audio_is_wrong_usage(run: Run) -> None:
    run("transcribe").assert_fails("AUDIO", "--help", code=2)


def test_json_of_many_files_is_one_line_each(run: Run, beep_model: Path, beeps: Path) -> None:
    lines = run("transcribe", beeps, beeps, "--json", "--model", beep_model).out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["BEEP BEEP"] * 2
