"""The gate's saving is a ratio of interleaved passes of the same model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_asr.commands.process import run
from edge_asr.profiling.gate_benchmark import command
from edge_asr.profiling.gate_comparison import compare_gate
from edge_asr.recognizer import Counters, Recognizer, Result
from tests.beeps import BeepBackend

TEN_FRAMES = Counters(frames=10, kept_frames=10, upper_runs=1, steps=1, audio_s=0.4, compute_s=1.0)


class Slowing(Recognizer):
    """Each call is slower than the one before; gated ones take half of an ungated one's time."""

    def __init__(self) -> None:
        self.thresholds: list[float] = []

    def transcribe(self, audio: object, threshold: object = None) -> Result:
        assert isinstance(threshold, float)
        self.thresholds.append(threshold)
        slowness = 1 + 0.001 * len(self.thresholds)
        gated = threshold < 1
        counters = replace(TEN_FRAMES, kept_frames=4 if gated else 10, compute_s=slowness * (0.5 if gated else 1.0))
        return Result(text="", words=(), new_words=(), new_steps=(), counters=counters)


def test_settings_alternate_and_take_turns_in_going_first() -> None:
    recognizer = Slowing()
    compare_gate(recognizer, [np.zeros(1, np.float32)] * 2, threshold=0.9, repeat=2)
    assert recognizer.thresholds == [0.9, 1.0, *[0.9, 1.0] * 2, *[1.0, 0.9] * 2]


def test_a_machine_that_slows_down_does_not_move_the_ratio() -> None:
    comparison = compare_gate(Slowing(), [np.zeros(1, np.float32)] * 5, threshold=0.9, repeat=4)
    assert comparison.ratio == pytest.approx(0.5, abs=0.001)
    assert comparison.saved == pytest.approx(0.5, abs=0.001)
    assert comparison.ratio_low <= comparison.ratio <= comparison.ratio_high
    assert comparison.kept_frame_ratio == pytest.approx(0.4)
    assert comparison.audio_s == pytest.approx(2.0)
    assert len(comparison.gated_passes_s) == 4


def test_the_benchmark_prints_json(
    capfd: pytest.CaptureFixture[str],
    beep_model: Path,
    beep_manifest: Path,
) -> None:
    arguments = [str(beep_manifest), "--model", str(beep_model), "--repeat", "3", "--json"]
    assert run(command, "gate_benchmark", arguments) == 0
    answer = json.loads(capfd.readouterr().out)
    assert (answer["repeat"], answer["utterances"], answer["threads"]) == (3, 2, 1)
    assert answer["threshold"] == BeepBackend.metadata.default_threshold
    assert answer["ratio"] > 0
    assert answer["wer_change_ci95"][0] <= answer["wer_change"] <= answer["wer_change_ci95"][1]
    assert not any(name.endswith("_texts") for name in answer)
