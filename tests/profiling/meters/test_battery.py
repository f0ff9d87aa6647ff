"""Batteries with a gauge.

Layout: Documentation/ABI/testing/sysfs-class-power of the Linux kernel (`type`, `status`, `online`; current_now in µA,
"Negative values are used for discharging batteries", voltage_now in µV) and power/power_supply_class.rst (all in µV,
µA, µWh). That drivers differ in the sign: the kernel's commit "power: supply: document current direction" (2020), which
counts three ways. The values of BAT0 are a Lenovo's, those in mA of phones whose drivers count so.
"""

from __future__ import annotations

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters import battery
from tests.profiling.meters.fake_files import FakeFiles

ROOT = "/sys/class/power_supply"


def supply(name: str, **readings: object) -> dict[str, object]:
    return {f"{ROOT}/{name}/{reading}": value for reading, value in readings.items()}


def portable(name: str = "BAT0", status: str = "Discharging", power_now: int = 19_195_000) -> dict[str, object]:
    return supply(name, type="Battery", status=status, voltage_now=11_206_000, power_now=power_now)


def phone(current_now: int, voltage_now: int = 4_100_000, status: str = "Discharging") -> dict[str, object]:
    return supply("battery", type="Battery", status=status, current_now=current_now, voltage_now=voltage_now)


def mean_w(files: FakeFiles) -> float:
    (meter,) = battery.find(files)
    meter.start(files)
    begin_s = files.now_s
    files.live(20)
    meter.stop()
    window = meter.window(begin_s + 2, begin_s + 18)
    return window.joules / window.seconds


@pytest.mark.parametrize("power_now", [19_195_000, -19_195_000])
def test_a_portable_tells_power(files: FakeFiles, power_now: int):
    files.write(portable(power_now=power_now) | supply("AC", type="Mains", online=0))
    assert mean_w(files) == pytest.approx(19.195)
    assert battery.find(files)[0].name == "battery:BAT0"


@pytest.mark.parametrize("current_now", [-412_000, 412_000], ids=["as documented", "the other way around"])
def test_a_phone_tells_current_and_voltage(files: FakeFiles, current_now: int):
    files.write(phone(current_now))
    assert mean_w(files) == pytest.approx(0.412 * 4.1)


@pytest.mark.parametrize(
    ("current_now", "voltage_now"), [(-412_000, 4_100_000), (-412, 4_100_000), (-412_000, 4_100), (412, 4_100)]
)
def test_units_are_told_from_the_size(files: FakeFiles, current_now: int, voltage_now: int):
    files.write(phone(current_now, voltage_now))
    assert mean_w(files) == pytest.approx(0.412 * 4.1)


def test_a_run_has_one_unit(files: FakeFiles):
    """8 mA at rest are 8000 µA, and not 8 A, where the load has 300,000."""
    files.write(phone(-8_000))
    (meter,) = battery.find(files)
    meter.start(files)
    begin_s = files.now_s
    files.live(10)
    files.write(phone(-300_000))
    files.live(10)
    meter.stop()
    assert meter.window(begin_s + 1, begin_s + 9).joules == pytest.approx(8 * 0.008 * 4.1, rel=1e-3)


def test_two_batteries_are_added(files: FakeFiles):
    files.write(portable("BAT0", power_now=0, status="Not charging") | portable("BAT1", power_now=7_500_000))
    assert mean_w(files) == pytest.approx(7.5)


def test_a_phone_s_gauge_beside_its_battery_is_not_counted_again(files: FakeFiles):
    """Nexus 10: ds2784-fuelgauge, manta-battery and smb347-battery all are of type Battery."""
    files.write(phone(-400_000) | supply("bms", type="Battery", status="Discharging", current_now=-400_000))
    files.write(supply("bms", voltage_now=4_100_000))
    assert mean_w(files) == pytest.approx(1.64)


def test_the_battery_of_a_mouse_is_not_ours(files: FakeFiles):
    files.write(supply("hidpp_battery_0", type="Battery", scope="Device", status="Discharging", voltage_now=3_900_000))
    assert list(battery.find(files)) == []


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_a_battery_that_does_not_feed_the_device_measures_nothing(files: FakeFiles, status: str):
    files.write(portable(status=status))
    (meter,) = battery.find(files)
    assert meter.problem == f"the battery is not feeding the device (status: {status}): unplug the charger"
    with pytest.raises(EdgeAsrError, match="unplug the charger"):
        meter.start(files)


def test_a_charger_too_weak_to_charge_still_feeds_the_device(files: FakeFiles):
    files.write(portable() | supply("ADP1", type="Mains", online=1))
    assert battery.find(files)[0].problem == "the device is fed from outside, not by its battery: unplug the charger"


def test_a_charger_plugged_in_during_the_run_spoils_what_follows(files: FakeFiles):
    files.write(portable() | supply("AC", type="Mains", online=0))
    (meter,) = battery.find(files)
    meter.start(files)
    begin_s = files.now_s
    files.live(10)
    files.write(portable(status="Charging") | supply("AC", online=1))
    files.live(10)
    meter.stop()
    assert meter.window(begin_s + 1, begin_s + 9).joules == pytest.approx(8 * 19.195)
    with pytest.raises(EdgeAsrError, match="battery:BAT0: the device is fed from outside"):
        meter.window(begin_s + 1, begin_s + 15)


def test_a_current_that_changes_direction_is_refused(files: FakeFiles):
    """Some drivers go on saying Discharging for a while."""
    files.write(phone(-400_000))
    (meter,) = battery.find(files)
    meter.start(files)
    begin_s = files.now_s
    files.live(10)
    files.write(phone(900_000))
    files.live(10)
    meter.stop()
    with pytest.raises(EdgeAsrError, match="changed its direction"):
        meter.window(begin_s + 1, begin_s + 15)


def test_a_gauge_without_power_or_current(files: FakeFiles):
    files.write(supply("BAT0", type="Battery", status="Discharging", capacity=55))
    assert battery.find(files)[0].problem == "its gauge tells neither power nor current"


def test_a_gauge_that_may_not_be_read(files: FakeFiles):
    files.write(phone(-400_000))
    files.hide(f"{ROOT}/battery/current_now")
    assert battery.find(files)[0].problem == "its gauge cannot be read: run as root"


def test_none_here(files: FakeFiles):
    files.write(supply("AC", type="Mains", online=1))
    assert list(battery.find(files)) == []
