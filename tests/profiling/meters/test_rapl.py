"""RAPL through powercap.

The tree is that of Documentation/power/powercap/powercap.rst of the Linux kernel: `/sys/class/powercap` lists all zones
flat, `intel-rapl:0` a package, `intel-rapl:0:0` a part of it, each with `name`, `energy_uj` and `max_energy_range_uj`.
`dram` is beside the package: "As DRAM DIMMs are outside the processor package, RAM_W is not included in Pkg_W", while
cores and graphics are (turbostat(8), tools/power/x86/turbostat of the kernel). `psys` and `intel-rapl-mmio` are of
drivers/powercap/intel_rapl_common.c and intel_rapl_mmio (drivers/thermal/intel).
"""

from __future__ import annotations

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters import rapl
from tests.profiling.meters.fake_files import FakeFiles

ROOT = "/sys/class/powercap"
RANGE_UJ = 262_143_328_850  # of client processors: (2^32 - 1) counts of 61 µJ


def zone(number: str, name: str, energy_uj: int = 1_000_000, control: str = "intel-rapl") -> dict[str, object]:
    folder = f"{ROOT}/{control}:{number}"
    return {
        f"{folder}/name": name,
        f"{folder}/energy_uj": energy_uj,
        f"{folder}/max_energy_range_uj": RANGE_UJ,
        f"{folder}/constraint_0_name": "long_term",
    }


@pytest.fixture
def portable(files: FakeFiles) -> FakeFiles:
    files.write(zone("0", "package-0") | zone("0:0", "core") | zone("0:1", "uncore") | zone("1", "psys"))
    files.write(zone("0", "package-0", control="intel-rapl-mmio"))
    return files


def test_a_package_without_its_parts(portable: FakeFiles):
    meter, platform = rapl.find(portable)
    assert (meter.name, meter.covers, meter.automatic) == ("rapl:package-0", "the processor", True)
    meter.start(portable)
    assert portable.sampler
    assert portable.sampler.shell_line == f"cat {ROOT}/intel-rapl:0/energy_uj"
    assert (platform.name, platform.automatic) == ("rapl:psys", False)


def test_sockets_and_their_dram_are_added(files: FakeFiles):
    files.write(zone("0", "package-0") | zone("0:0", "dram") | zone("1", "package-1") | zone("1:0", "dram"))
    (meter,) = rapl.find(files)
    assert meter.covers == "the processor and its DRAM"
    meter.start(files)
    files.live(
        10,
        lambda s: {
            f"{ROOT}/intel-rapl:{number}/energy_uj": int(1e6 + watts * s * 1e6)
            for number, watts in (("0", 10), ("0:0", 2), ("1", 20), ("1:0", 3))
        },
    )
    meter.stop()
    window = meter.window(101, 109)
    assert window.joules == pytest.approx(35 * 8, rel=1e-5)
    assert window.sample_hz == pytest.approx(10)
    assert meter.kind == "measured"


def test_the_counter_wraps_at_its_range(portable: FakeFiles):
    meter = rapl.find(portable)[0]
    begin_uj = RANGE_UJ - 25_000_000
    portable.write({f"{ROOT}/intel-rapl:0/energy_uj": begin_uj})
    meter.start(portable)
    portable.live(10, lambda s: {f"{ROOT}/intel-rapl:0/energy_uj": int(begin_uj + 5e6 * s) % RANGE_UJ})
    meter.stop()
    assert meter.window(101, 109).joules == pytest.approx(40, rel=1e-5)


def test_root_alone_may_read_it(portable: FakeFiles):
    """Since Linux 5.10, `energy_uj` is readable by root alone (CVE-2020-8694)."""
    portable.hide(f"{ROOT}/intel-rapl:0/energy_uj")
    meter = rapl.find(portable)[0]
    assert meter.problem
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj" in meter.problem
    with pytest.raises(EdgeAsrError, match="rapl:package-0 cannot measure: its counter is for root alone"):
        meter.start(portable)


def test_none_here(files: FakeFiles):
    assert list(rapl.find(files)) == []


def test_a_meter_that_dies_during_the_run_gives_what_it_saw_and_no_more(portable: FakeFiles):
    meter = rapl.find(portable)[0]
    counter = f"{ROOT}/intel-rapl:0/energy_uj"
    meter.start(portable)
    portable.live(5, lambda s: {counter: int(1e6 + 5e6 * s)})
    portable.dead = True
    portable.live(5)
    meter.stop()
    assert meter.window(101, 104).joules == pytest.approx(15, rel=1e-5)
    with pytest.raises(EdgeAsrError, match=r"rapl:package-0: samples end 3\.9\d s before the window does"):
        meter.window(101, 109)


def test_a_file_that_vanishes_is_a_meter_that_died(portable: FakeFiles):
    meter = rapl.find(portable)[0]
    meter.start(portable)
    portable.live(5)
    portable.remove(f"{ROOT}/intel-rapl:0/energy_uj")
    portable.live(5)
    meter.stop()
    with pytest.raises(EdgeAsrError, match="samples end"):
        meter.window(101, 109)


def test_a_gap_in_which_the_counter_may_have_wrapped_is_refused(portable: FakeFiles):
    meter = rapl.find(portable)[0]
    meter.start(portable)
    portable.live(5)
    portable.now_s += 3600
    portable.live(5)
    meter.stop()
    with pytest.raises(EdgeAsrError, match="may have wrapped unseen"):
        meter.window(101, 3709)


def test_a_device_that_does_not_answer(portable: FakeFiles):
    meter = rapl.find(portable)[0]
    portable.dead = True
    with pytest.raises(EdgeAsrError, match="rapl:package-0 gave no reading in"):
        meter.start(portable)


COUNTER = f"{ROOT}/intel-rapl:0/energy_uj"


def test_a_counter_that_was_reset_has_not_wrapped(portable: FakeFiles):
    """A suspend may begin a counter again at 0. As a wrap that is 262 kJ between two readings: 2.6 MW."""
    meter = rapl.find(portable)[0]
    meter.start(portable)
    portable.live(10, lambda s: {COUNTER: int(5e6 * (s if s < 5 else s - 5))})
    meter.stop()
    with pytest.raises(EdgeAsrError, match=r"rapl:package-0: the energy counter rose by 2\.6\d*e\+05 J in 0\.1\d? s"):
        meter.window(101, 109)
    assert meter.window(101, 104).joules == pytest.approx(15, rel=1e-5)  # windows without it are sound
    assert meter.window(106, 109).joules == pytest.approx(15, rel=1e-5)


@pytest.mark.parametrize(
    ("constraints", "refused"),
    [
        ({}, False),  # 300 J in an instant: less than a kilowatt for the second that a reading may be late
        ({"constraint_0_max_power_uw": 15_000_000, "constraint_1_max_power_uw": 0}, True),
        ({"constraint_0_max_power_uw": 15_000_000, "constraint_1_max_power_uw": 125_000_000}, False),
        ({"constraint_0_max_power_uw": 0}, False),  # what a driver writes that does not know
        ({"constraint_0_max_power_uw": "unknown"}, False),
    ],
)
def test_a_rise_is_possible_where_the_processor_may_take_it(
    portable: FakeFiles, constraints: dict[str, object], refused: bool
):
    """Long-term power is no limit for a moment: turbo takes several times as much."""
    portable.write({f"{ROOT}/intel-rapl:0/{name}": value for name, value in constraints.items()})
    meter = rapl.find(portable)[0]
    meter.start(portable)
    portable.live(10, lambda s: {COUNTER: int(5e6 * s) + (300_000_000 if s >= 5 else 0)})
    meter.stop()
    if refused:
        with pytest.raises(EdgeAsrError, match="more than the 60 W that are possible: it was reset"):
            meter.window(101, 109)
    else:
        assert meter.window(101, 109).joules == pytest.approx(340, rel=1e-3)


def test_parts_together_may_take_what_each_may(files: FakeFiles):
    """Two sockets of 900 W each are no reset."""
    files.write(zone("0", "package-0", 0) | zone("1", "package-1", 0))
    (meter,) = rapl.find(files)
    meter.start(files)
    files.live(
        60, lambda s: {f"{ROOT}/intel-rapl:{number}/energy_uj": int(900e6 * 10 * (s // 10)) for number in (0, 1)}
    )
    meter.stop()
    with pytest.raises(EdgeAsrError, match="more than the 2000 W that are possible"):  # 9 kJ at once
        meter.window(101, 159)
    meter.start(files)
    files.live(60, lambda s: {f"{ROOT}/intel-rapl:{number}/energy_uj": int(900e6 * s) for number in (0, 1)})
    meter.stop()
    assert meter.window(files.now_s - 50, files.now_s - 10).joules == pytest.approx(1800 * 40, rel=1e-3)
