"""Android.

`energy_value` of a Pixel 6 as AOSP's script in google/oboe records it ("Values are in microWattSeconds"; it needs `adb
root`). The service's lines: `PowerStats.cpp` of hardware/google/pixel/powerstats, `"  %32s   %14.2f mWs\\n"` with
`[RAIL]:SUBSYSTEM`. `cmd battery get -f current_now` prints batteryCurrentMicroamps where the device's build has it, and
`dumpsys battery` as below: BatteryService.java of frameworks/base.
"""

from __future__ import annotations

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters import android
from tests.profiling.meters.fake_files import FakeFiles

VERSION = "getprop ro.build.version.release"
FIRST = "/sys/bus/iio/devices/iio:device0/energy_value"
SECOND = "/sys/bus/iio/devices/iio:device1/energy_value"
SERVICE = "dumpsys android.hardware.power.stats.IPowerStats/default"
UNPLUGGED = """\
Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  Dock powered: false
  Max charging current: 0
  Max charging voltage: 0
  Charge counter: 3270000
  status: 3
  health: 2
  present: true
  level: 88
  scale: 100
  voltage: 4352
  temperature: 274
  technology: Li-ion
"""


def first_device(stamp_ms: int = 349_894, more_uws: int = 0) -> str:
    return f"""\
t={stamp_ms}
CH0(T={stamp_ms})[S10M_VDD_TPU], {5578756 + more_uws}
CH1(T={stamp_ms})[VSYS_PWR_MODEM], 29110940
CH2(T={stamp_ms})[VSYS_PWR_RFFE], 3166046
CH3(T={stamp_ms})[S2M_VDD_CPUCL2], {30203502 + 2 * more_uws}
CH4(T={stamp_ms})[S3M_VDD_CPUCL1], 23377533
CH5(T={stamp_ms})[S4M_VDD_CPUCL0], 46356942
CH6(T={stamp_ms})[S5M_VDD_INT], 10771876
CH7(T={stamp_ms})[S1M_VDD_MIF], 21091363"""


def second_device(stamp_ms: int = 359_458, more_uws: int = 0) -> str:
    return f"""\
t={stamp_ms}
CH0(T={stamp_ms})[VSYS_PWR_WLAN_BT], 45993209
CH1(T={stamp_ms})[L2S_VDD_AOC_RET], {2822928 + 100 * more_uws}
CH2(T={stamp_ms})[S9S_VDD_AOC], {6923706 + 3 * more_uws}
CH3(T={stamp_ms})[S5S_VDDQ_MEM], 4658202"""


def service(more_mws: float = 0.0) -> str:
    rails = {"[S2M_VDD_CPUCL2]:CPU": 30203.50 + more_mws, "[S4M_VDD_CPUCL0]:CPU": 46356.94 + 2 * more_mws}
    rows = "".join(f"  {name:>32s}   {energy:14.2f} mWs\n" for name, energy in rails.items())
    return (
        "\n============= PowerStats HAL 2.0 state residencies ==============\n"
        f"\n============= PowerStats HAL 2.0 energy meter ==============\n{rows}"
        "========== End of PowerStats HAL 2.0 energy meter ==========\n"
    )


@pytest.fixture
def phone(files: FakeFiles) -> FakeFiles:
    files.programs[VERSION] = "14\n"
    return files


def test_rails_of_a_rooted_pixel(phone: FakeFiles):
    """3 W on the bucks of the first device and 3 W on one of the second; the linear regulator is not counted again."""
    phone.write({FIRST: first_device(), SECOND: second_device()})
    (meter,) = android.find(phone)
    assert (meter.name, meter.automatic) == ("android:odpm", True)
    assert "S2M_VDD_CPUCL2" in meter.covers
    assert "L2S_VDD_AOC_RET" not in meter.covers
    meter.start(phone)
    begin_s = phone.now_s
    phone.live(
        20,
        lambda s: {
            FIRST: first_device(349_894 + int(1000 * s), int(1e6 * s)),
            SECOND: second_device(359_458 + int(1000 * s), int(1e6 * s)),
        },
    )
    meter.stop()
    assert meter.window(begin_s + 2, begin_s + 18).joules == pytest.approx(6 * 16, rel=1e-4)


def test_counters_that_were_not_brought_up_to_date_are_no_readings(phone: FakeFiles):
    """Counters move every 2 s and are read every 0.5 s: the steps must not be mistaken for bursts."""
    phone.write({FIRST: first_device(), SECOND: second_device()})
    (meter,) = android.find(phone)
    meter.start(phone)
    begin_s = phone.now_s

    def every_two_seconds(s: float) -> dict[str, object]:
        s = 2 * int(s / 2)
        return {FIRST: first_device(349_894 + 1000 * s, 10**6 * s), SECOND: second_device(359_458 + 1000 * s)}

    phone.live(20, every_two_seconds)
    meter.stop()
    window = meter.window(begin_s + 3, begin_s + 15)
    assert window.joules == pytest.approx(3 * 12, rel=0.02)
    assert window.sample_hz == pytest.approx(0.5, rel=0.1)


def test_rails_through_the_service_without_root(phone: FakeFiles):
    phone.write({FIRST: "", SECOND: ""})
    phone.hide(FIRST)
    phone.hide(SECOND)
    phone.programs[SERVICE] = service()
    (meter,) = android.find(phone)
    assert meter.covers == "the sum of 2 rails: S2M_VDD_CPUCL2, S4M_VDD_CPUCL0"
    meter.start(phone)
    begin_s = phone.now_s
    for second in range(1, 31):
        phone.programs[SERVICE] = service(1500.0 * second)  # 1.5 W and 3 W
        if second % 2 == 0:
            phone.live(2)
    meter.stop()
    # two of our seconds pass for each two of its counter's
    assert meter.window(begin_s + 4, begin_s + 24).joules == pytest.approx(4.5 * 20, rel=1e-3)


def test_a_battery_through_the_service(phone: FakeFiles):
    """Where the files are closed to adb."""
    phone.programs[f"sh -c {android.BATTERY_LINE}"] = f"current: -350000\n{UNPLUGGED}"
    phone.programs[android.BATTERY_LINE] = f"current: -350000\n{UNPLUGGED}"
    (meter,) = android.find(phone)
    assert (meter.name, meter.problem) == ("android:battery", None)
    meter.start(phone)
    begin_s = phone.now_s
    phone.live(20)
    meter.stop()
    window = meter.window(begin_s + 4, begin_s + 16)
    assert window.joules / window.seconds == pytest.approx(0.350 * 4.352)


def test_a_phone_on_its_cable_is_not_measured(phone: FakeFiles):
    plugged = UNPLUGGED.replace("USB powered: false", "USB powered: true")
    phone.programs[f"sh -c {android.BATTERY_LINE}"] = f"current: 150000\n{plugged}"
    (meter,) = android.find(phone)
    assert meter.problem
    assert "adb tcpip 5555" in meter.problem


def test_a_phone_that_tells_no_current(phone: FakeFiles):
    """Older builds print nothing for `current_now`."""
    phone.programs[f"sh -c {android.BATTERY_LINE}"] = f"current: \n{UNPLUGGED}"
    assert list(android.find(phone)) == []


def test_what_is_not_android_is_not_asked(files: FakeFiles):
    files.write({FIRST: first_device()})
    files.programs[SERVICE] = service()
    assert list(android.find(files)) == []


@pytest.mark.parametrize(
    ("jump_uws", "said"),
    [
        (-10_000_000, "the energy counter fell: it was reset during the run"),
        (3_000_000_000, "more than the 1100 W that are possible: it was reset"),
    ],
)
def test_a_rail_that_is_reset_is_refused(phone: FakeFiles, jump_uws: int, said: str):
    """Though the other rails go on, and the sum with them."""
    phone.write({FIRST: first_device(), SECOND: second_device()})
    (meter,) = android.find(phone)
    meter.start(phone)
    begin_s = phone.now_s
    phone.live(
        20,
        lambda s: {
            FIRST: first_device(349_894 + int(1000 * s), int(1e6 * s) + (jump_uws if s >= 10 else 0)),
            SECOND: second_device(359_458 + int(1000 * s), int(1e6 * s)),
        },
    )
    meter.stop()
    with pytest.raises(EdgeAsrError, match=said):
        meter.window(begin_s + 2, begin_s + 18)
