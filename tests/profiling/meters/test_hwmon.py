"""Power monitors in hwmon.

Layouts: Documentation/hwmon/ina2xx.rst (power1_input µW, in1_input mV, curr1_input mA, in0_input the shunt) and
ina3221.rst (in[123]_input, curr[123]_input, in[123]_label, in[456]_input shunts, in7_input and curr4_input sums,
in[123]_enable) of the Linux kernel. Rails of a Jetson Orin NX and AGX Orin: the kernel's device trees
arch/arm64/boot/dts/nvidia/tegra234-p3767.dtsi and tegra234-p3701.dtsi. That VDDQ_VDD2_1V8AO is part of VIN_SYS_5V0 is
in NVIDIA's Jetson Linux Developer Guide; that AGX Xavier's rails are to be added, in its design guide (figure 5-14).
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters import hwmon
from tests.profiling.meters.fake_files import FakeFiles

ROOT = "/sys/class/hwmon"


def ina3221(number: int, rails: Mapping[str, tuple[int, int]]) -> dict[str, object]:
    """Label -> mV, mA of channels 1, 2, 3."""
    folder = f"{ROOT}/hwmon{number}"
    tree: dict[str, object] = {f"{folder}/name": "ina3221"}
    for channel, (label, (millivolts, milliamperes)) in enumerate(rails.items(), start=1):
        tree |= {
            f"{folder}/in{channel}_label": label,
            f"{folder}/in{channel}_enable": 1,
            f"{folder}/in{channel}_input": millivolts,
            f"{folder}/curr{channel}_input": milliamperes,
            f"{folder}/curr{channel}_crit": 32_760,
            f"{folder}/in{channel + 3}_input": 400,  # shunt, µV
        }
    tree |= {f"{folder}/in7_label": "sum of shunt voltages", f"{folder}/in7_input": 760, f"{folder}/curr4_input": 360}
    return tree


def mean_w(files: FakeFiles, name: str) -> float:
    """Of a second by the meter of this name."""
    meter = next(meter for meter in hwmon.find(files) if meter.name == name)
    meter.start(files)
    begin_s = files.now_s
    files.live(2)
    meter.stop()
    window = meter.window(begin_s + 0.5, begin_s + 1.5)
    return window.joules / window.seconds


def test_an_ina219_tells_power_in_microwatts(files: FakeFiles):
    files.write(
        {
            f"{ROOT}/hwmon0/name": "cpu_thermal",
            f"{ROOT}/hwmon0/temp1_input": 47_000,
            f"{ROOT}/hwmon1/name": "ina219",
            f"{ROOT}/hwmon1/in0_input": 9,
            f"{ROOT}/hwmon1/in1_input": 5_100,
            f"{ROOT}/hwmon1/curr1_input": 600,
            f"{ROOT}/hwmon1/power1_input": 3_060_000,
            f"{ROOT}/hwmon1/shunt_resistor": 100_000,
        }
    )
    (meter,) = hwmon.find(files)
    assert (meter.name, meter.covers, meter.automatic) == ("hwmon:ina219", "what ina219 is wired to", True)
    assert mean_w(files, "hwmon:ina219") == pytest.approx(3.06)


def test_an_orin_nx_is_its_module_input_alone(files: FakeFiles):
    files.write(ina3221(1, {"VDD_IN": (19_000, 400), "VDD_CPU_GPU_CV": (19_000, 120), "VDD_SOC": (19_000, 80)}))
    meters = hwmon.find(files)
    assert [(meter.name, meter.automatic) for meter in meters] == [
        ("hwmon:ina3221", True),
        ("hwmon:ina3221:VDD_IN", False),
        ("hwmon:ina3221:VDD_CPU_GPU_CV", False),
        ("hwmon:ina3221:VDD_SOC", False),
    ]
    assert meters[0].covers == "the module's input (VDD_IN)"
    assert mean_w(files, "hwmon:ina3221") == pytest.approx(7.6)


def test_a_single_rail_can_be_named(files: FakeFiles):
    files.write(ina3221(1, {"VDD_IN": (19_000, 400), "VDD_CPU_GPU_CV": (19_000, 120), "VDD_SOC": (19_000, 80)}))
    assert mean_w(files, "hwmon:ina3221:VDD_CPU_GPU_CV") == pytest.approx(2.28)


def test_an_agx_orin_is_the_sum_of_rails_that_are_not_within_another(files: FakeFiles):
    """It has no rail that feeds all."""
    files.write(ina3221(3, {"VDD_GPU_SOC": (20_000, 160), "VDD_CPU_CV": (20_000, 40), "VIN_SYS_5V0": (5_000, 900)}))
    files.write(ina3221(4, {"NC": (0, 0), "VDDQ_VDD2_1V8AO": (5_000, 80)}))
    assert hwmon.find(files)[0].covers == "the sum of 3 rails: VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0"
    assert mean_w(files, "hwmon:ina3221") == pytest.approx(3.2 + 0.8 + 4.5)


def test_an_agx_xavier_is_the_sum_of_all(files: FakeFiles):
    files.write(ina3221(1, {"GPU": (19_000, 10), "CPU": (19_000, 20), "SOC": (19_000, 30)}))
    files.write(ina3221(2, {"CV": (19_000, 0), "VDDRQ": (19_000, 15), "SYS5V": (5_000, 300)}))
    assert mean_w(files, "hwmon:ina3221") == pytest.approx(19 * (0.01 + 0.02 + 0.03 + 0.015) + 1.5)


def test_channels_that_are_switched_off_are_left_out(files: FakeFiles):
    """Reading them gives ENODATA (ABI/testing/sysfs-class-hwmon, inY_enable)."""
    files.write(ina3221(1, {"CORE": (900, 1_000), "SPARE": (0, 0)}))
    files.write({f"{ROOT}/hwmon1/in2_enable": 0})
    files.hide(f"{ROOT}/hwmon1/in2_input")
    assert mean_w(files, "hwmon:ina3221") == pytest.approx(0.9)


def test_a_server_supply_is_its_input_and_not_its_outputs_too(files: FakeFiles):
    """Documentation/hwmon/pmbus.rst: powerX_label is `pin` or `poutX`."""
    folder = f"{ROOT}/hwmon2"
    files.write({f"{folder}/name": "pmbus", f"{folder}/power1_label": "pin", f"{folder}/power1_input": 90_000_000})
    files.write({f"{folder}/power2_label": "pout1", f"{folder}/power2_input": 80_000_000})
    assert mean_w(files, "hwmon:pmbus") == pytest.approx(90)


def test_the_acpi_power_meter_has_an_average_alone(files: FakeFiles):
    """Documentation/hwmon/acpi_power_meter.rst."""
    files.write({f"{ROOT}/hwmon0/name": "power_meter", f"{ROOT}/hwmon0/power1_average": 41_000_000})
    assert mean_w(files, "hwmon:power_meter") == pytest.approx(41)


def test_of_several_monitors_without_labels_none_is_taken_unnamed(files: FakeFiles):
    for number, microwatts in ((1, 3_000_000), (2, 500_000)):
        files.write({f"{ROOT}/hwmon{number}/name": "ina219", f"{ROOT}/hwmon{number}/power1_input": microwatts})
    assert [(meter.name, meter.automatic) for meter in hwmon.find(files)] == [
        ("hwmon:ina219@hwmon1", False),
        ("hwmon:ina219@hwmon2", False),
    ]
    assert mean_w(files, "hwmon:ina219@hwmon2") == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["amdgpu", "BAT0", "ucsi_source_psy_USBC000:001", "nvme", "coretemp"])
def test_what_is_not_power_of_the_device_is_passed_over(files: FakeFiles, name: str):
    """Of a graphics card; of a battery again, as power_supply's hwmon mirror has it; of a charger's contract."""
    files.write({f"{ROOT}/hwmon5/name": name})
    files.write({} if name == "coretemp" else {f"{ROOT}/hwmon5/power1_input": 12_000_000})
    files.write({"/sys/class/power_supply/BAT0/type": "Battery"})
    assert list(hwmon.find(files)) == []


def test_a_reading_that_only_root_may_take(files: FakeFiles):
    files.write({f"{ROOT}/hwmon1/name": "ina226", f"{ROOT}/hwmon1/power1_input": 1})
    files.hide(f"{ROOT}/hwmon1/power1_input")
    (meter,) = hwmon.find(files)
    assert meter.problem
    assert f"{ROOT}/hwmon1/power1_input" in meter.problem
    with pytest.raises(EdgeAsrError, match="run as root"):
        meter.start(files)


def test_a_failing_bus_leaves_a_gap_that_is_refused(files: FakeFiles):
    path = f"{ROOT}/hwmon1/power1_input"
    files.write({f"{ROOT}/hwmon1/name": "ina226", path: 2_000_000})
    (meter,) = hwmon.find(files)
    meter.start(files)
    files.live(2)
    files.remove(path)
    files.live(2)
    files.write({path: 2_000_000})
    files.live(2)
    meter.stop()
    with pytest.raises(EdgeAsrError, match=r"hwmon:ina226: a gap of 2\.\d\d s between samples; at most 1\.00 s"):
        meter.window(101, 105)


def test_power_that_varies_is_integrated(files: FakeFiles):
    files.write({f"{ROOT}/hwmon1/name": "ina226", f"{ROOT}/hwmon1/power1_input": 1_000_000})
    (meter,) = hwmon.find(files)
    meter.start(files)
    begin_s = files.now_s
    files.live(10, lambda s: {f"{ROOT}/hwmon1/power1_input": int(1e6 * (1 + s))})
    meter.stop()
    assert meter.window(begin_s + 1, begin_s + 9).joules == pytest.approx(8 + (81 - 1) / 2, rel=1e-5)
