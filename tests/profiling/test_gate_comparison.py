"""The gate's saving is a ratio of interleaved passes of the same model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from edge_asr.profiling.gate_benchmark import command
from edge_asr.profiling.gate_comparison import compare_gate, share_of_upper
from edge_asr.recognizer import Counters, Recognizer, Result, StepInfo, Stream, Update
from edge_asr.terminal.process import run
from tests.beeps import BeepBackend

TEN_FRAMES = Counters(frames=10, kept_frames=10, upper_runs=1, steps=1, audio_s=0.4, compute_s=1.0)
STEP_MS = {True: 250.0, False: 1_000.0}  # by gated: a quarter is the lower stack's


class Slowing(Recognizer):
    """Each call is slower than the one before; gated ones take half of an ungated one's time."""

    def __init__(self) -> None:
        self.thresholds: list[float] = []

    def stream(self, threshold: object = None) -> Stream:
        assert isinstance(threshold, float)
        self.thresholds.append(threshold)
        return cast(Stream, SlowStream(1 + 0.001 * len(self.thresholds), gated=threshold < 1))


@dataclass
class SlowStream:
    """One gated step that skips the upper stack, or one ungated step, and another at the end."""

    slowness: float
    gated: bool

    def __enter__(self) -> SlowStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def accept(self, pcm: np.ndarray) -> Update:
        return Update("", "", False, (), (), (self.step(upper_ran=not self.gated),), TEN_FRAMES)

    def finish(self) -> Result:
        compute_s = self.slowness * (0.5 if self.gated else 1.0)
        counters = replace(TEN_FRAMES, kept_frames=4 if self.gated else 10, compute_s=compute_s)
        return Result(text="", words=(), new_words=(), new_steps=(self.step(upper_ran=True),), counters=counters)

    def step(self, upper_ran: bool) -> StepInfo:
        return StepInfo((True,), upper_ran, 0, self.slowness * STEP_MS[not upper_ran])


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


def test_what_the_skipped_work_predicts() -> None:
    """Three quarters of a step are the upper stack's, and six of ten frames skip it."""
    comparison = compare_gate(Slowing(), [np.zeros(1, np.float32)] * 5, threshold=0.9, repeat=4)
    assert comparison.upper_share == pytest.approx(0.75, abs=0.001)
    assert comparison.predicted_speed_up == pytest.approx(1 / (1 - 0.75 * 0.6), abs=0.005)
    assert comparison.speed_up == pytest.approx(2.0, abs=0.005)


def test_nothing_is_predicted_where_no_step_was_spared() -> None:
    assert share_of_upper([1.0, 1.0], []) == 0.0
    assert share_of_upper([1.0, 1.0], [1.2]) == 0.0


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
    assert answer["speed_up"] == pytest.approx(1 / answer["ratio"])
    assert answer["predicted_speed_up"] >= 1
    assert answer["wer_change_ci95"][0] <= answer["wer_change"] <= answer["wer_change_ci95"][1]
    assert not any(name.endswith("_texts") for name in answer)
