"""Power monitors as industrial I/O.

Layouts: Documentation/ABI/testing/sysfs-bus-iio of the Linux kernel (in_powerY_raw: "Units after application of scale
and offset are milliwatts", voltages mV, currents mA); channels 0 to 3 of drivers/iio/adc/ina2xx-adc.c. A Jetson's
INA3221 before L4T 34: NVIDIA's Jetson TX2 guides (rail_name_N; in_currentN_input mA, in_voltageN_input mV,
in_powerN_input mW) and the Jetson Nano's rails POM_5V_IN, POM_5V_GPU, POM_5V_CPU, of which the first "measures the
overall 5V input to the board" (NVIDIA's forum, in rbonghi/jetson_stats issue 51).
"""

from __future__ import annotations

import pytest

from edge_asr.profiling.meters import iio
from tests.profiling.meters.fake_files import FakeFiles

ROOT = "/sys/bus/iio/devices"


def jetson(number: int, rails: dict[str, int]) -> dict[str, object]:
    """Label -> mW."""
    folder = f"{ROOT}/iio:device{number}"
    tree: dict[str, object] = {f"{folder}/name": "ina3221x"}
    for channel, (label, milliwatts) in enumerate(rails.items()):
        tree |= {
            f"{folder}/rail_name_{channel}": label,
            f"{folder}/in_power{channel}_input": milliwatts,
            f"{folder}/in_current{channel}_input": 200,
            f"{folder}/in_voltage{channel}_input": 4_944,
            f"{folder}/crit_current_limit_{channel}": 32_760,
        }
    return tree


def mean_w(files: FakeFiles, name: str) -> float:
    meter = next(meter for meter in iio.find(files) if meter.name == name)
    meter.start(files)
    begin_s = files.now_s
    files.live(2)
    meter.stop()
    window = meter.window(begin_s + 0.5, begin_s + 1.5)
    return window.joules / window.seconds


def test_a_jetson_nano_is_its_input_alone(files: FakeFiles):
    files.write(jetson(0, {"POM_5V_IN": 2_729, "POM_5V_GPU": 158, "POM_5V_CPU": 909}))
    assert iio.find(files)[0].covers == "the board's 5 V input (POM_5V_IN)"
    assert mean_w(files, "iio:ina3221x") == pytest.approx(2.729)
    assert mean_w(files, "iio:ina3221x:POM_5V_CPU") == pytest.approx(0.909)


def test_a_jetson_tx2_has_its_module_input_on_the_second_monitor(files: FakeFiles):
    files.write(jetson(0, {"VDD_SYS_GPU": 1_159, "VDD_SYS_SOC": 700, "VDD_4V0_WIFI": 30}))
    files.write(jetson(1, {"VDD_IN": 4_800, "VDD_SYS_CPU": 950, "VDD_SYS_DDR": 1_100}))
    assert mean_w(files, "iio:ina3221x") == pytest.approx(4.8)


def test_an_ina226_converter_gives_raw_power_to_be_scaled(files: FakeFiles):
    folder = f"{ROOT}/iio:device0"
    files.write(
        {
            f"{folder}/name": "ina226",
            f"{folder}/in_voltage0_raw": 100,  # the shunt
            f"{folder}/in_voltage1_raw": 4_064,
            f"{folder}/in_voltage1_scale": "1.250000000",
            f"{folder}/in_power2_raw": 122,
            f"{folder}/in_power2_scale": "25.000000000",
            f"{folder}/in_current3_raw": 600,
            f"{folder}/in_current3_scale": "1.000000000",
        }
    )
    assert mean_w(files, "iio:ina226") == pytest.approx(122 * 25e-3)


def test_voltage_times_current_with_a_shared_scale_and_an_offset(files: FakeFiles):
    folder = f"{ROOT}/iio:device0"
    files.write(
        {
            f"{folder}/name": "adc",
            f"{folder}/in_voltage0_raw": 90,
            f"{folder}/in_voltage_scale": "50.0",
            f"{folder}/in_voltage_offset": "10",
            f"{folder}/in_current0_raw": 30,
            f"{folder}/in_current_scale": "10.0",
        }
    )
    assert mean_w(files, "iio:adc") == pytest.approx((90 + 10) * 0.05 * 0.3)


def test_other_sensors_are_passed_over(files: FakeFiles):
    files.write({f"{ROOT}/iio:device0/name": "bmp280", f"{ROOT}/iio:device0/in_temp_input": 23_000})
    files.write({f"{ROOT}/iio:device1/name": "adc", f"{ROOT}/iio:device1/in_voltage0_raw": 100})
    assert list(iio.find(files)) == []
