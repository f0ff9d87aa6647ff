"""Which meter is taken, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.choose import MeterOptions, find_meter, find_meters
from tests.profiling.meters.fake_files import FakeFiles

RAPL = "/sys/class/powercap/intel-rapl:0"
PACKAGE = {f"{RAPL}/name": "package-0", f"{RAPL}/energy_uj": 5, f"{RAPL}/max_energy_range_uj": 10**11}
BATTERY = {
    f"/sys/class/power_supply/BAT0/{name}": value
    for name, value in {"type": "Battery", "status": "Discharging", "power_now": 8_000_000}.items()
}
STAT = {"/proc/stat": "cpu  1 0 1 9 5 0 0 0 0 0"}


def test_the_finest_is_preferred(files: FakeFiles):
    files.write(PACKAGE | BATTERY)
    assert [meter.name for meter in find_meters(files).meters] == ["rapl:package-0", "battery:BAT0"]
    assert find_meter(files).name == "rapl:package-0"


def test_what_cannot_measure_is_passed_over(files: FakeFiles):
    files.write(PACKAGE | BATTERY)
    files.hide(f"{RAPL}/energy_uj")
    assert find_meter(files).name == "battery:BAT0"


@pytest.mark.parametrize("name", ["battery", "battery:BAT0", "BATTERY"])
def test_one_can_be_named_by_itself_or_by_its_kind(files: FakeFiles, name: str):
    files.write(PACKAGE | BATTERY)
    assert find_meter(files, name).name == "battery:BAT0"


def test_a_name_that_is_not_there(files: FakeFiles):
    files.write(PACKAGE)
    with pytest.raises(EdgeAsrError, match="no meter 'hwmon' on the target; there: rapl:package-0"):
        find_meter(files, "hwmon")


def test_a_named_meter_that_cannot_measure_is_an_error(files: FakeFiles):
    files.write(PACKAGE | BATTERY)
    files.hide(f"{RAPL}/energy_uj")
    with pytest.raises(EdgeAsrError, match="rapl:package-0 cannot measure: its counter is for root alone"):
        find_meter(files, "rapl")


def test_nothing_is_not_measured_and_says_why(files: FakeFiles):
    meter = find_meter(files)
    assert (meter.name, meter.kind) == ("none", "not measured")
    assert meter.problem == "no meter on the target (an external one's log can be given: --energy-log)"
    meter.start(files)
    meter.stop()
    with pytest.raises(EdgeAsrError, match="no meter on the target"):
        meter.window(0, 1)
    assert [name for name, _ in find_meters(files).missing] == ["rapl", "hwmon", "iio", "pi5", "android", "battery"]


def test_a_meter_of_no_use_says_what_to_do(files: FakeFiles):
    files.write(PACKAGE)
    files.hide(f"{RAPL}/energy_uj")
    meter = find_meter(files)
    assert meter.kind == "not measured"
    assert meter.problem
    assert "sudo chmod a+r" in meter.problem


def test_several_of_unknown_wiring_ask_for_a_name(files: FakeFiles):
    for number in (1, 2):
        files.write({f"/sys/class/hwmon/hwmon{number}/name": "ina219"})
        files.write({f"/sys/class/hwmon/hwmon{number}/power1_input": 10**6})
    assert find_meter(files).problem == (
        "several meters, and it is not known what each is wired to: "
        "name one of hwmon:ina219@hwmon1, hwmon:ina219@hwmon2"
    )


def test_none_can_be_asked_for(files: FakeFiles):
    files.write(PACKAGE)
    assert find_meter(files, "none").problem == "not asked for"


def test_an_estimate_only_where_watts_are_given_and_nothing_measures(files: FakeFiles):
    files.write(STAT)
    options = MeterOptions(watts_per_cpu=4)
    assert find_meter(files, options).kind == "estimate"
    files.write(PACKAGE)
    assert find_meter(files, options).name == "rapl:package-0"


def test_a_log_is_taken_before_what_the_device_has(files: FakeFiles, tmp_path: Path):
    files.write(PACKAGE)
    assert find_meter(files, MeterOptions(log=tmp_path / "ppk.csv")).name == "log:ppk.csv"
