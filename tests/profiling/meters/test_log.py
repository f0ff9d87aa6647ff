"""An external meter's log is brought to the target's time by the load that both know of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.alignment import recognize
from edge_asr.profiling.meters.energy import energy_of
from edge_asr.profiling.meters.log import LogMeter, integrate_log
from edge_asr.profiling.meters.log_file import LogOptions, read_log
from edge_asr.profiling.meters.protocol import Span
from tests.profiling.meters.fake_files import FakeFiles

IDLE_W, LOAD_W = 1.5, 2.5
UNIX_LESS_TARGET_S = 1_777_636_800.0
BUSY = tuple(Span(1010 + 4 * i, 1013 + 4 * i) for i in range(5))  # five passes of 3 s, a second apart
REST = (Span(1002.0047, 1009.99), Span(1029.01, 1037))
AUDIO_S = 6.0


def power_of(target_s: np.ndarray, busy: Sequence[Span] = BUSY) -> np.ndarray:
    """W: idle, and the load, which begins and ends at once; a meter's noise; a blip before the run."""
    watts = np.full(len(target_s), IDLE_W) + np.random.default_rng(0).normal(0, 0.05, len(target_s))
    for span in busy:
        watts[(target_s >= span.begin_s) & (target_s < span.end_s)] += LOAD_W
    watts[(target_s >= 995) & (target_s < 996)] += LOAD_W
    return watts


def write_log(
    path: Path, offset_s: float, rate_hz: float = 1000, busy: Sequence[Span] = BUSY, until_s: float = 1060
) -> Path:
    """`offset_s`: the target's time less the log's."""
    target_s = np.arange(990, until_s, 1 / rate_hz)
    rows = np.c_[target_s - offset_s, power_of(target_s, busy)]
    np.savetxt(path, rows, delimiter=",", fmt="%.6f", header="time (s),power (W)", comments="")
    return path


@pytest.fixture
def device(files: FakeFiles) -> FakeFiles:
    files.now_s = 1000.0
    files.programs["date +%s.%N"] = f"{1000 + UNIX_LESS_TARGET_S:.9f}\n"
    return files


def measured(meter: LogMeter, device: FakeFiles) -> LogMeter:
    meter.start(device)
    meter.stop()
    meter.align(BUSY, REST)
    return meter


@pytest.mark.parametrize("rate_hz", [1000, 200, 50])
def test_the_load_of_the_passes_tells_where_the_run_is(tmp_path: Path, device: FakeFiles, rate_hz: float):
    path = write_log(tmp_path / "bench.csv", offset_s=987.654, rate_hz=rate_hz)
    meter = measured(LogMeter(path), device)
    assert meter._alignment is not None
    assert meter._alignment.offset_s == pytest.approx(987.654, abs=1.5 / rate_hz)
    done = energy_of(meter, BUSY, REST, AUDIO_S)
    assert done.energy.source == "log:bench.csv (what the external meter is wired to)"
    assert done.energy.idle_w == pytest.approx(IDLE_W, rel=0.01)
    assert done.energy.mj_per_audio_s == pytest.approx(1e3 * LOAD_W * 3 / AUDIO_S, rel=0.01)
    assert done.energy.sample_hz == pytest.approx(rate_hz, rel=0.01)


def test_a_single_long_pass_is_recognized_too():
    busy, rest = (Span(1010, 1040),), (Span(1000, 1009), Span(1041, 1049))
    times_s = np.arange(0, 100, 0.001)
    watts = power_of(times_s + 970, busy)
    joules = np.concatenate([[0.0], np.cumsum((watts[1:] + watts[:-1]) / 2 * 0.001)])
    assert recognize(times_s, joules, busy, rest).offset_s == pytest.approx(970, abs=0.01)


def test_the_moment_that_the_user_gives_is_believed(tmp_path: Path, device: FakeFiles):
    """The profiler began at 1000 s of the target's time, which was 50 s of the log's."""
    path = write_log(tmp_path / "bench.csv", offset_s=950)
    meter = measured(LogMeter(path, LogOptions(begin_s=50.0)), device)
    assert meter.window(1014, 1017).joules == pytest.approx(3 * (IDLE_W + LOAD_W), rel=0.01)


def test_times_of_day_help_where_the_load_is_not_recognized(tmp_path: Path, device: FakeFiles):
    """Another burst like the run's makes the load ambiguous; the stamps are of the target's own day."""
    twice = (*BUSY, *(Span(span.begin_s + 60, span.end_s + 60) for span in BUSY))
    path = write_log(tmp_path / "bench.csv", offset_s=-UNIX_LESS_TARGET_S, busy=twice, until_s=1120)
    meter = measured(LogMeter(path), device)
    assert energy_of(meter, BUSY, REST, AUDIO_S).energy.joules == pytest.approx(5 * 3 * LOAD_W, rel=0.01)


def test_a_run_that_may_be_in_two_places_is_refused(tmp_path: Path, device: FakeFiles):
    twice = (*BUSY, *(Span(span.begin_s + 60, span.end_s + 60) for span in BUSY))
    path = write_log(tmp_path / "bench.csv", offset_s=990, busy=twice, until_s=1120)
    with pytest.raises(EdgeAsrError, match="another part of it is as like; give the log's time"):
        measured(LogMeter(path), device)


def test_a_meter_wired_to_another_device_is_refused(tmp_path: Path, device: FakeFiles):
    path = write_log(tmp_path / "bench.csv", offset_s=990, busy=())
    with pytest.raises(EdgeAsrError, match="is the meter wired to this device"):
        measured(LogMeter(path), device)


def test_a_log_that_ends_before_the_run_is_refused(tmp_path: Path, device: FakeFiles):
    path = write_log(tmp_path / "bench.csv", offset_s=990, until_s=1020)
    with pytest.raises(EdgeAsrError, match=r"it does not hold the whole run \(it has 30.0 s, the run 35.0 s\)"):
        measured(LogMeter(path), device)


def test_too_little_rest_to_know_the_run_by(tmp_path: Path, device: FakeFiles):
    meter = LogMeter(write_log(tmp_path / "bench.csv", offset_s=990))
    meter.start(device)
    meter.stop()
    with pytest.raises(EdgeAsrError, match="too little of it is known to be busy and idle"):
        meter.align(BUSY, ())


def test_a_file_that_never_came_is_not_measured_and_no_crash(tmp_path: Path, device: FakeFiles):
    meter = LogMeter(tmp_path / "never.csv")
    meter.start(device)
    meter.stop()
    with pytest.raises(EdgeAsrError, match="cannot read the meter's log"):
        meter.align(BUSY, REST)
    energy = energy_of(meter, BUSY, REST, AUDIO_S).energy
    assert energy.kind == "not measured"
    assert energy.reason
    assert "never.csv" in energy.reason


def test_an_energy_counter_is_aligned_as_well(tmp_path: Path, device: FakeFiles):
    target_s = np.arange(990, 1060, 0.01)
    joules = np.concatenate([[0.0], np.cumsum(power_of(target_s)[:-1] * 0.01)])
    path = tmp_path / "counter.csv"
    np.savetxt(
        path, np.c_[target_s - 990, joules], delimiter=",", header="time (s),energy (J)", comments="", fmt="%.6f"
    )
    meter = measured(LogMeter(path), device)
    assert energy_of(meter, BUSY, REST, AUDIO_S).energy.joules == pytest.approx(5 * 3 * LOAD_W, rel=0.01)


def test_a_counter_of_a_log_that_jumps_was_reset(tmp_path: Path):
    rows = [f"{0.1 * number:.1f},{0.5 * number + (36_000 if number > 50 else 0):.3f}" for number in range(101)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["time (s),energy (J)", *rows]))
    log = read_log(path)
    assert integrate_log(log, 1, 5).joules == pytest.approx(20)
    with pytest.raises(EdgeAsrError, match=r"rose by 3.6e\+04 J in 0.1 s, more than the 1000 W"):
        integrate_log(log, 1, 9)
