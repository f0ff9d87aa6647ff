"""Android: the power rails that Pixels measure themselves (ODPM), else the battery, as far as `adb shell` may ask.

Rails count µWs since the phone started, in two devices of eight channels each; which rails is a choice of the maker.

    t=349894
    CH0(T=349894)[S10M_VDD_TPU], 5578756
    CH3(T=349894)[S2M_VDD_CPUCL2], 30203502

That file is for root; without, the power statistics service prints the same in mWs. Sources: AOSP's
script for Pixel 6 power in google/oboe (2021), `PowerStats.cpp` of hardware/google/pixel, `BatteryService.java`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_asr.profiling.meters.battery import ANDROID_BATTERY, product_w
from edge_asr.profiling.meters.sampled import CounterMeter, Description, PowerMeter, SampledMeter, Trouble, reading_line
from edge_asr.profiling.targets.protocol import Files

NAME = "android"
PREFERENCE = 50
LOOKS_FOR = "an Android device with power rails (Pixel 6 and later), or a battery whose current may be asked for"

ODPM = "/sys/bus/iio/devices/iio:device*/energy_value"
RAIL_OF_FILE = re.compile(r"^CH\d+\(T=(\d+)\)\[(\w+)\],\s*(\d+)\s*$", re.MULTILINE)
RAIL_OF_SERVICE = re.compile(r"^\s*\[(\w+)\]:\S*\s+(\d+(?:\.\d+)?) mWs\s*$", re.MULTILINE)
SERVICE = "android.hardware.power.stats.IPowerStats/default"
# a linear regulator (L2S_VDD_AOC_RET) may be fed by a switching one (S9S_VDD_AOC) that is measured too
LINEAR = re.compile(r"L\d+[A-Z]_")
FILE_INTERVAL_S = 0.5
SERVICE_INTERVAL_S = 2.0  # it prints much else
BATTERY_INTERVAL_S = 2.0
HIGHEST_RAIL_W = 100.0  # no rail of a phone takes as much
MICROWATT_SECOND = 1e-6
MILLIWATT_SECOND = 1e-3

BATTERY_LINE = "echo current: $(cmd battery get -f current_now); dumpsys battery"
POWERED = re.compile(r"^\s*(AC|USB|Wireless|Dock) powered: true", re.MULTILINE)
CURRENT = re.compile(r"^current: (-?\d+)\s*$", re.MULTILINE)
VOLTAGE = re.compile(r"^\s*voltage: (\d+)\s*$", re.MULTILINE)
PLUGGED = (
    "the phone is fed over its cable: use adb over Wi-Fi (`adb tcpip 5555`, unplug, `adb connect HOST`) or measure "
    "outside (--energy-log)"
)


def find(files: Files) -> Sequence[SampledMeter[Any]]:
    if not files.run(("getprop", "ro.build.version.release")):
        return []
    rails = rails_from_files(files) or rails_from_service(files)
    return [*rails, *([] if files.read(f"{ANDROID_BATTERY}/current_now") else battery(files))]


def rails_from_files(files: Files) -> list[CounterMeter]:
    paths = files.glob(ODPM)
    printed = "\n".join(files.read(path) or "" for path in paths)
    line = reading_line(paths)
    names = [name for _, name, _ in RAIL_OF_FILE.findall(printed)]
    return [rail_meter(names, line, FILE_INTERVAL_S, MICROWATT_SECOND, RAIL_OF_FILE)] if names else []


def rails_from_service(files: Files) -> list[CounterMeter]:
    printed = files.run(("dumpsys", SERVICE)) or ""
    names = [name for name, _ in RAIL_OF_SERVICE.findall(printed)]
    line = f"dumpsys {SERVICE}"
    return [rail_meter(names, line, SERVICE_INTERVAL_S, MILLIWATT_SECOND, RAIL_OF_SERVICE)] if names else []


def rail_meter(
    names: Sequence[str], line: str, interval_s: float, joules_per_count: float, pattern: re.Pattern[str]
) -> CounterMeter:
    summed = [name for name in dict.fromkeys(names) if not LINEAR.match(name)]
    description = Description(
        name=f"{NAME}:odpm",
        covers=f"the sum of {len(summed)} rails: {', '.join(summed)}",
        shell_line=line,
        interval_s=interval_s,
    )
    last_stamps: list[str] = []

    def counts_of(printed: str) -> tuple[float, ...] | None:
        found = pattern.findall(printed)
        # the counters carry the time they were brought up to date at: the same time once more is no new reading
        stamps = [fields[0] for fields in found] if pattern is RAIL_OF_FILE else []
        if stamps and stamps == last_stamps:
            return None
        last_stamps[:] = stamps
        counts = {fields[-2]: float(fields[-1]) for fields in found}
        return tuple(counts[name] for name in summed) if all(name in counts for name in summed) else None

    return CounterMeter(
        description,
        counts_of,
        joules_per_count=joules_per_count,
        wraps_at=[None] * len(summed),
        highest_w=[HIGHEST_RAIL_W] * len(summed),
        resolution_j=joules_per_count * len(summed),
    )


def battery(files: Files) -> list[PowerMeter[tuple[float, float]]]:
    """Through the battery service, which tells the current on new Androids."""
    reading = battery_reading_of(files.run(("sh", "-c", BATTERY_LINE)) or "")
    if reading is None:
        return []
    description = Description(
        name=f"{NAME}:battery",
        covers="the whole phone, as its battery's gauge tells",
        shell_line=BATTERY_LINE,
        interval_s=BATTERY_INTERVAL_S,
        problem=reading.reason if isinstance(reading, Trouble) else None,
    )
    return [PowerMeter(description, battery_reading_of, battery_watts_of, repeats=True)]


def battery_reading_of(printed: str) -> tuple[float, float] | Trouble | None:
    """µA and mV."""
    current, voltage = CURRENT.search(printed), VOLTAGE.search(printed)
    if not current or not voltage:
        return None
    return Trouble(PLUGGED) if POWERED.search(printed) else (float(current[1]), float(voltage[1]))


def battery_watts_of(readings: Sequence[tuple[float, float]]) -> np.ndarray:
    numbers = np.array(readings, dtype=np.float64).reshape(-1, 2)
    return product_w(numbers[:, 0], numbers[:, 1])
