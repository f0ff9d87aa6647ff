"""Batteries with a gauge, in Linux's power_supply class: portables, phones, boards with a battery.

`power_now` is µW; else `current_now` (µA) times `voltage_now` (µV). A negative current means discharging on most,
charging on some, nothing on a few, so that the size is taken while the status says `Discharging`, and a change of sign
is refused. Some phones' drivers count mA and mV. While something else feeds the device, its battery tells nothing of
what it takes.
Sources: Documentation/ABI/testing/sysfs-class-power and Documentation/power/power_supply_class of the Linux kernel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.sampled import Description, PowerMeter, Trouble, reading_line
from edge_asr.profiling.targets.protocol import Files

NAME = "battery"
PREFERENCE = 20
FOLDER = "/sys/class/power_supply"
LOOKS_FOR = f"a battery in {FOLDER}"

INTERVAL_S = 1.0  # gauges have a new value every second at best, many every ten
DISCHARGING = "Discharging"
EXTERNAL = ("Mains", "USB", "Wireless")
MICRO = 1e-6
MILLI = 1e-3
# a device that computes takes more than 10 mA at some time, and never 10 A; its battery has between 0.1 V and 100 V
SMALLEST_MICROAMPERES = 10_000
SMALLEST_MICROVOLTS = 100_000
ANDROID_BATTERY = f"{FOLDER}/battery"  # what Android looks at; gauges beside it tell the same once more
UNREADABLE = "its gauge cannot be read: run as root"
NO_GAUGE = "its gauge tells neither power nor current"


@dataclass(frozen=True)
class Battery:
    path: str
    name: str  # BAT0
    readings: tuple[str, ...]  # power_now; or current_now and voltage_now


def find(files: Files) -> Sequence[PowerMeter[tuple[float, ...]]]:
    """One meter of all the device's own batteries."""
    paths = [path.removesuffix("/type") for path in files.glob(f"{FOLDER}/*/type")]
    batteries = [path for path in paths if is_own_battery(files, path)]
    if ANDROID_BATTERY in batteries:
        batteries = [ANDROID_BATTERY]
    if not batteries:
        return []
    return [meter_of(files, [battery_at(files, path) for path in batteries], supplies_among(files, paths))]


def is_own_battery(files: Files, path: str) -> bool:
    """Not that of a mouse or a headset."""
    return files.read(f"{path}/type") == "Battery" and files.read(f"{path}/scope") != "Device"


def battery_at(files: Files, path: str) -> Battery:
    readings: tuple[str, ...] = ("power_now",)
    if not files.glob(f"{path}/power_now"):
        readings = ("current_now", "voltage_now") if files.glob(f"{path}/current_now") else ()
    return Battery(path, path.rpartition("/")[2], readings)


def supplies_among(files: Files, paths: Sequence[str]) -> list[str]:
    return [path for path in paths if files.read(f"{path}/type") in EXTERNAL and files.glob(f"{path}/online")]


def meter_of(files: Files, batteries: Sequence[Battery], supplies: Sequence[str]) -> PowerMeter[tuple[float, ...]]:
    paths = [f"{supply}/online" for supply in supplies]
    for battery in batteries:
        paths += [f"{battery.path}/{name}" for name in ("status", *battery.readings)]
    description = Description(
        name=f"{NAME}:" + "+".join(battery.name for battery in batteries),
        covers="the whole device, as its battery's gauge tells",
        shell_line=reading_line(paths),
        interval_s=INTERVAL_S,
        problem=problem_of(files, batteries, supplies),
    )
    return PowerMeter(
        description,
        lambda text: reading_of(text, batteries, len(supplies)),
        lambda readings: watts_of(readings, batteries),
        repeats=True,  # a gauge gives its last value again until it has another
    )


def problem_of(files: Files, batteries: Sequence[Battery], supplies: Sequence[str]) -> str | None:
    if any(not battery.readings for battery in batteries):
        return NO_GAUGE
    if any(files.read(f"{battery.path}/{name}") is None for battery in batteries for name in battery.readings):
        return UNREADABLE
    trouble = trouble_of(
        [files.read(f"{supply}/online") or "" for supply in supplies],
        [files.read(f"{battery.path}/status") or "" for battery in batteries],
    )
    return trouble.reason if trouble else None


def trouble_of(online: Sequence[str], statuses: Sequence[str]) -> Trouble | None:
    if any(re.fullmatch("[1-9]", state) for state in online):
        return Trouble("the device is fed from outside, not by its battery: unplug the charger")
    if DISCHARGING not in statuses or "Charging" in statuses:
        return Trouble(f"the battery is not feeding the device (status: {', '.join(statuses)}): unplug the charger")
    return None


def reading_of(text: str, batteries: Sequence[Battery], supplies: int) -> tuple[float, ...] | Trouble | None:
    """The readings of all batteries, as they come."""
    lines = text.splitlines()
    if len(lines) != supplies + sum(1 + len(battery.readings) for battery in batteries):
        return None
    rest = iter(lines[supplies:])
    statuses: list[str] = []
    numbers: list[float] = []
    for battery in batteries:
        statuses.append(next(rest))
        try:
            numbers += [float(next(rest)) for _ in battery.readings]
        except ValueError:
            return None
    return trouble_of(lines[:supplies], statuses) or tuple(numbers)


def watts_of(readings: Sequence[tuple[float, ...]], batteries: Sequence[Battery]) -> np.ndarray:
    """float64 (readings). Raises EdgeAsrError where a current changed its direction."""
    numbers = iter(np.array(readings, dtype=np.float64).reshape(len(readings), -1).T)
    watts = np.zeros(len(readings))
    for battery in batteries:
        if len(battery.readings) == 1:
            watts += np.abs(next(numbers)) * MICRO
        else:
            watts += product_w(next(numbers), next(numbers))
    return watts


def product_w(current: np.ndarray, voltage: np.ndarray) -> np.ndarray:
    """Current in µA or mA times voltage in µV or mV -> W. The largest of a run tells the unit."""
    if (current > 0).any() and (current < 0).any():
        raise EdgeAsrError("the battery's current changed its direction during the run: something charged it")
    amperes = np.abs(current) * (MICRO if np.abs(current).max(initial=0) >= SMALLEST_MICROAMPERES else MILLI)
    volts = np.abs(voltage) * (MICRO if np.abs(voltage).max(initial=0) >= SMALLEST_MICROVOLTS else MILLI)
    return np.asarray(amperes * volts)
