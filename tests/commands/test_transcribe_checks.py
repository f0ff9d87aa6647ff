"""Warnings about the input, channels, and raw PCM of any rate."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.beep_program import lines, transcribe
from tests.beeps import beep_pcm, beep_samples, write_beeps
from tests.outcome import Run

SPEECH = beep_samples(".x..x.")
SILENCE = np.zeros_like(SPEECH)


def wave(path: Path, *channels: np.ndarray, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, np.stack(channels, 1), 16_000, subtype=subtype)
    return path


def clipped(share: float) -> np.ndarray:
    """Of 10,000 samples."""
    samples = np.full(10_000, 0.1)
    samples[: round(share * len(samples))] = -32_767 / 32_768
    return samples


@pytest.mark.parametrize(
    ("samples", "warning"),
    [
        (SILENCE, "digital silence: every sample is 0; check the microphone or --channel"),
        (clipped(0.023), "clipped: 2.3 % of the samples are at full scale; lower the input gain"),
        (clipped(0.001), "clipped: 0.1 % of the samples are at full scale; lower the input gain"),
        (clipped(0.0009), None),
        (SPEECH * 15 / 16_384, f"too quiet: the peak is {20 * math.log10(15 / 32_768):.0f} dBFS; raise the input gain"),
        (SPEECH * 17 / 16_384, None),
        (SPEECH, None),
    ],
)
def test_levels_are_told_once_at_the_end(
    run: Run, beep_model: Path, tmp_path: Path, samples: np.ndarray, warning: str | None
) -> None:
    path = wave(tmp_path / "a.wav", samples)
    outcome = run("transcribe", path, "--model", beep_model)
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1
    assert outcome.err == ("" if warning is None else f"warning: {path}: {warning}\n")
    answer = run("transcribe", path, "--json", "--model", beep_model).json
    assert answer["warnings"] == ([] if warning is None else [warning])


def test_a_clipped_channel_is_not_hidden_by_its_mix(run: Run, beep_model: Path, tmp_path: Path) -> None:
    path = wave(tmp_path / "a.wav", clipped(0.002), *[clipped(0)] * 3)
    assert "clipped: 0.2 %" in run("transcribe", path, "--model", beep_model).err
    assert run("transcribe", path, "--channel", 2, "--model", beep_model).err == ""


def test_channels_that_cancel_out_are_told_and_one_of_them_is_heard(run: Run, beep_model: Path, tmp_path: Path) -> None:
    path = wave(tmp_path / "antiphase.wav", SPEECH, -SPEECH)
    mix = run("transcribe", path, "--model", beep_model)
    assert (mix.code, mix.out) == (0, "\n")
    assert mix.err == f"warning: {path}: channels cancel out in the mix: try --channel 1\n"
    for channel in (1, 2):
        one = run("transcribe", path, "--channel", channel, "--model", beep_model)
        assert (one.code, one.out, one.err) == (0, "BEEP BEEP\n", "")


@pytest.mark.parametrize(("at", "below_db"), [(0.81, 20.4), (0.79, 19.6)])
def test_twenty_decibels_are_what_is_lost_at_most(
    run: Run, beep_model: Path, tmp_path: Path, at: float, below_db: float
) -> None:
    path = wave(tmp_path / "a.wav", SPEECH, -SPEECH * at, subtype="FLOAT")
    assert 20 * math.log10(2 / (1 - at)) == pytest.approx(below_db, abs=0.1)
    err = run("transcribe", path, "--model", beep_model).err
    assert ("try --channel 1" in err) == (below_db > 20)


def test_one_channel_of_six(run: Run, beep_model: Path, tmp_path: Path) -> None:
    path = wave(tmp_path / "six.wav", SILENCE, SILENCE, SILENCE, SPEECH, SILENCE, SILENCE)
    assert run("transcribe", path, "--channel", 4, "--model", beep_model).out == "BEEP BEEP\n"
    assert run("transcribe", path, "--channel", "mix", "--model", beep_model).err == ""
    silent = run("transcribe", path, "--channel", 1, "--model", beep_model)
    assert "digital silence" in silent.err
    run("transcribe", path, "--channel", 7, "--model", beep_model).assert_fails("six.wav", "6 channels", "no channel 7")


@pytest.mark.parametrize("value", ["0", "-1", "left", "1.5", ""])
def test_a_channel_is_a_number_from_1_or_mix(run: Run, beeps: Path, value: str) -> None:
    run("transcribe", beeps, "--channel", value).assert_fails("--channel", "'mix'", code=2)


@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 2), (8_000, 1), (44_100, 3)])
@pytest.mark.parametrize("channel", ["mix", "1"])
def test_raw_pcm_of_another_rate_and_more_channels(rate_hz: int, channels: int, channel: str) -> None:
    mono = np.frombuffer(beep_pcm(".x..x.", rate_hz), "<i2")
    raw = np.stack([mono] * channels, 1).tobytes() + b"\0"
    done = transcribe("-", "--rate", rate_hz, "--channels", channels, "--channel", channel, "--json", input=raw)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert answer["text"] == "BEEP BEEP"
    assert answer["audio_s"] == pytest.approx(1.2, abs=0.01)
    assert [word["start_s"] for word in answer["words"]] == pytest.approx([0.2, 0.8], abs=0.041)


def test_a_warning_names_stdin(tmp_path: Path) -> None:
    done = transcribe("-", input=bytes(32_000))
    assert lines(done.stderr) == [
        "warning: stdin: digital silence: every sample is 0; check the microphone or --channel"
    ]


@pytest.mark.parametrize("option", [("--rate", 48_000), ("--channels", 2)])
def test_options_of_raw_pcm_want_raw_pcm(run: Run, tmp_path: Path, option: tuple[str, int]) -> None:
    path = write_beeps(tmp_path / "a.wav", ".x.")
    run("transcribe", path, *option).assert_fails("--rate and --channels", "raw PCM", code=2)
