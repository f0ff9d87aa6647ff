"""CPU seconds times watts: never called a measurement. /proc/stat: Documentation/filesystems/proc.rst."""

from __future__ import annotations

import pytest

from edge_asr.profiling.meters import estimate
from edge_asr.profiling.meters.energy import energy_of
from edge_asr.profiling.meters.protocol import Span
from tests.profiling.meters.fake_files import FakeFiles

STAT = "/proc/stat"


def stat(user_ticks: float) -> dict[str, object]:
    """cpu: user nice system idle iowait irq softirq steal guest guest_nice; guest is counted in user already"""
    user = int(user_ticks)
    return {STAT: f"cpu  {user} 0 1000 {9 * user} {3 * user} 0 0 {user} {user} 0\ncpu0 1 2 3 4 5 6 7 0 0 0\nintr 12"}


def test_busy_cpus_times_watts_is_marked_an_estimate(files: FakeFiles):
    files.write(stat(0))
    meter = estimate.meter(files, watts_per_cpu=4)
    meter.start(files)
    begin_s = files.now_s
    files.live(10, lambda s: stat(5 * s))  # 5 % of a CPU
    files.live(20, lambda s: stat(50 + 155 * s))  # 1.55 CPUs
    files.live(10, lambda s: stat(50 + 3100 + 5 * s))
    meter.stop()
    done = energy_of(meter, [Span(begin_s + 12, begin_s + 28)], [Span(begin_s + 1, begin_s + 9)], audio_s=8)
    assert done.energy.kind == "estimate"
    assert done.energy.source == "estimate: 4 W a busy CPU (nothing that was measured)"
    assert done.energy.idle_w == pytest.approx(0.2, rel=0.01)
    assert done.energy.joules == pytest.approx(1.5 * 4 * 16, rel=0.01)
    assert done.energy.mj_per_audio_s == pytest.approx(1e3 * 1.5 * 4 * 16 / 8, rel=0.01)


def test_the_target_s_own_ticks(files: FakeFiles):
    files.write(stat(0))
    files.programs["getconf CLK_TCK"] = "1000\n"
    meter = estimate.meter(files, watts_per_cpu=1)
    meter.start(files)
    begin_s = files.now_s
    files.live(10, lambda s: stat(1000 * s))
    meter.stop()
    assert meter.window(begin_s + 1, begin_s + 9).joules == pytest.approx(8, rel=0.01)


def test_without_proc(files: FakeFiles):
    assert estimate.meter(files, 4).problem == "/proc/stat cannot be read"


def test_a_large_machine_may_be_busy_all_over(files: FakeFiles):
    """2 kW: no reset, as these seconds are those of 128 CPUs."""
    cpus = "\n".join(f"cpu{number} 1 2 3 4 5 6 7 0 0 0" for number in range(128))
    busy = stat(12_800)[STAT]
    files.write({STAT: f"{busy}\n{cpus}"})
    meter = estimate.meter(files, watts_per_cpu=16)
    meter.start(files)
    begin_s = files.now_s
    files.live(10, lambda s: stat(12_800 + 12_800 * s))
    meter.stop()
    assert meter.window(begin_s + 1, begin_s + 9).joules == pytest.approx(2048 * 8, rel=0.01)
