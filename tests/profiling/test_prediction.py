"""What the skipped work predicts, of one file with the gate on and off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_asr.profiling import figures
from edge_asr.profiling.prediction import SpeedUp, predicted_speed_up, speed_up, upper_share
from edge_asr.profiling.report import Ratio, Report, SettingResult
from tests.profiling.reports import make_report, make_result, spread

COMPUTE = Ratio("gate 0.7", "off", "compute", 0.5, (0.45, 0.55), 3)
FRAMES = 100


def gated(kept_frames: int = 30) -> SettingResult:
    """A step that skips the upper stack takes 1 ms."""
    result = make_result("gate 0.7", kept_frames=kept_frames)
    assert result.latency
    return replace(result, latency=replace(result.latency, warm_step_skipped_ms=spread(1.0)))


def ungated() -> SettingResult:
    """A step takes 4 ms."""
    return make_result("off", kept_frames=FRAMES, step_ms=4.0)


def report(*results: SettingResult) -> Report:
    return replace(make_report(*results), ratios=(COMPUTE,))


def test_a_frame_that_skips_saves_the_share_of_the_upper_stack() -> None:
    assert upper_share(4.0, 1.0) == 0.75
    assert upper_share(1.0, 1.2) == 0.0
    assert predicted_speed_up(0.75, 1.0) == 1.0
    assert predicted_speed_up(0.75, 0.0) == 4.0
    saved = speed_up(report(gated(), ungated()), COMPUTE)
    assert saved == SpeedUp(seen=2.0, predicted=pytest.approx(1 / (0.25 + 0.75 * 0.3)))
    assert saved.realised == pytest.approx(2.0 * (0.25 + 0.75 * 0.3))


def test_it_is_said_beside_the_compute() -> None:
    (said,) = figures.comparisons(report(gated(), ungated()))
    assert said.parts == (
        "50% less compute (0.500, 95 % interval 0.450 to 0.550)",
        "2.00× faster, 95% of the 2.11× that the skipped work predicts",
    )


def test_other_files_other_runtimes_and_gates_that_skip_nothing_have_none() -> None:
    other_file = replace(ungated(), setting=replace(ungated().setting, model_sha256="ab" * 32))
    unknown = replace(ungated(), setting=replace(ungated().setting, model_sha256=None))
    never_spared = make_result("gate 0.7", kept_frames=30)
    emulated = make_result("off", kept_frames=FRAMES, rtf=None)
    for pair in (
        (gated(), other_file),
        (gated(), unknown),
        (gated(), make_result("off", kept_frames=50)),
        (never_spared, ungated()),
        (gated(), emulated),
    ):
        assert speed_up(report(*pair), COMPUTE) is None
        (said,) = figures.comparisons(report(*pair))
        assert len(said.parts) == 1
