"""Levels that `edge-asr-run` warns of, once the text is printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_asr.audio import SAMPLE_RATE_HZ, read_audio
from tests.beeps import write_beeps
from tests.native.runs import Runner


def noise(peak: float, samples: int = 16_000) -> np.ndarray:
    drawn = np.random.default_rng(1).uniform(-1, 1, samples)
    return peak * drawn / np.abs(drawn).max()


def clipped(share: float) -> np.ndarray:
    samples = noise(0.5, 20_000)
    samples[: round(share * len(samples))] = 32_767 / 32_768
    return samples


SILENCE = "digital silence: every sample is 0; check the microphone or --channel"
SPEECH = noise(0.3)
RECORDINGS: dict[str, tuple[np.ndarray, str | None, list[str]]] = {  # samples, --channel, warnings
    "silence": (np.zeros(16_000), None, [SILENCE]),
    "the last bit": (noise(1 / 32_768), None, ["too quiet: the peak is -90 dBFS; raise the input gain"]),
    "quiet": (noise(8 / 32_768), None, ["too quiet: the peak is -72 dBFS; raise the input gain"]),
    "not too quiet": (noise(16 / 32_768), None, []),
    "clipped": (clipped(0.023), None, ["clipped: 2.3 % of the samples are at full scale; lower the input gain"]),
    "just clipped": (clipped(0.001), None, ["clipped: 0.1 % of the samples are at full scale; lower the input gain"]),
    "hardly clipped": (clipped(0.0009), None, []),
    "fine": (SPEECH, None, []),
    "antiphase": (np.stack([SPEECH, -SPEECH], 1), None, ["channels cancel out in the mix: try --channel 1"]),
    "almost antiphase": (
        np.stack([0.9 * SPEECH, -SPEECH], 1),
        None,
        ["channels cancel out in the mix: try --channel 2"],
    ),
    "one of antiphase": (np.stack([SPEECH, -SPEECH], 1), "1", []),
    "one of two": (np.stack([SPEECH, 0 * SPEECH], 1), None, []),
    "the silent one": (np.stack([SPEECH, 0 * SPEECH], 1), "2", [SILENCE]),
    "both silent": (np.zeros((16_000, 2)), None, [SILENCE]),
    "one clipped": (
        np.stack([clipped(0.01), 0 * clipped(0)], 1),
        None,
        ["clipped: 0.5 % of the samples are at full scale; lower the input gain"],
    ),
}


@pytest.mark.parametrize("kind", RECORDINGS)
def test_a_level_that_hurts_is_told(runner: Runner, tmp_path: Path, kind: str) -> None:
    samples, channel, expected = RECORDINGS[kind]
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    chosen = ["--channel", channel] if channel else []
    outcome = runner(path, *chosen)
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 1)
    assert outcome.err.splitlines() == [f"edge-asr-run: warning: {path}: {warning}" for warning in expected]
    outcome = runner(path, "--json", *chosen)
    assert (outcome.code, outcome.json["warnings"]) == (0, expected)


def test_a_recording_before_resampling_is_looked_at(runner: Runner, tmp_path: Path) -> None:
    samples = np.sign(np.sin(np.arange(48_000) / 30))
    soundfile.write(tmp_path / "a.wav", samples, 48_000, subtype="PCM_16")
    assert "clipped: 100.0 % of" in runner(tmp_path / "a.wav").err


def test_each_input_has_its_own_warnings_and_each_pass_has_not(runner: Runner, beeps: Path, tmp_path: Path) -> None:
    silent = write_beeps(tmp_path / "silent.wav", "...")
    outcome = runner(silent, beeps, silent, "-", stdin=silent.read_bytes())
    told = [line.split(": ")[2] for line in outcome.err.splitlines()]
    assert (outcome.code, told) == (0, [str(silent), str(silent), "stdin"])
    assert len(runner(silent, "--repeat", "3").err.splitlines()) == 1


def test_a_quiet_input_of_a_microphone_is_told_after_its_words(runner: Runner, beeps: Path) -> None:
    quiet = (read_audio(beeps) * 20).astype("<i2").tobytes()
    outcome = runner("-", "--raw", "s16le", stdin=quiet)
    assert outcome.err.startswith("edge-asr-run: warning: stdin: too quiet: the peak is -7")
