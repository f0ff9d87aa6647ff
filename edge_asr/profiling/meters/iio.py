"""Power monitors that Linux shows as industrial I/O: the INA226 as a converter, and the INA3221 of a Jetson before
L4T 34, whose driver names its rails.

`in_powerN_input` is mW; `in_powerN_raw` is too, after adding its offset and scaling; likewise `in_voltageN` (mV) and
`in_currentN` (mA). Sources: Documentation/ABI/testing/sysfs-bus-iio and drivers/iio/adc/ina2xx-adc.c of the Linux
kernel; NVIDIA's Jetson TX2 thermal design guide (rail_name_N, in_powerN_input).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_asr.profiling.meters.rails import NOT_CONNECTED, covered, rails_to_sum
from edge_asr.profiling.meters.sampled import Description, PowerMeter, numbers_of, reading_line
from edge_asr.profiling.targets.protocol import Files

NAME = "iio"
PREFERENCE = 60
FOLDER = "/sys/bus/iio/devices"
LOOKS_FOR = f"a power monitor in {FOLDER}"

INTERVAL_S = 0.1
MILLIWATT = 1e-3
MILLIVOLT_MILLIAMPERE = 1e-6
UNREADABLE = "its readings are for root alone: run as root, or ask for read access to {path}"


@dataclass(frozen=True)
class Channel:
    """A number to read, and how it becomes mW, mV or mA."""

    path: str
    scale: float = 1.0
    offset: float = 0.0

    def value(self, raw: float) -> float:
        return (raw + self.offset) * self.scale


@dataclass(frozen=True)
class Rail:
    chip: str
    label: str | None
    channels: tuple[Channel, ...]  # power; or voltage and current

    @property
    def unit_w(self) -> float:
        return MILLIWATT if len(self.channels) == 1 else MILLIVOLT_MILLIAMPERE


def find(files: Files) -> Sequence[PowerMeter[float]]:
    """One meter of all named rails, and one of each, by name only; one of each device without names. Where there are
    several of the last, none is taken unnamed: what each is wired to is not known."""
    devices = {folder: rails_of(files, folder) for folder in files.glob(f"{FOLDER}/iio:device*")}
    labelled = [rail for rails in devices.values() for rail in rails if rail.label is not None]
    plain = {folder: [rail for rail in rails if rail.label is None] for folder, rails in devices.items()}
    plain = {folder: rails for folder, rails in plain.items() if rails}
    meters = []
    if labelled:
        chosen = rails_to_sum([rail.label or "" for rail in labelled])
        meters.append(meter_of(files, labelled[0].chip, [labelled[index] for index in chosen]))
        if len(labelled) > 1:
            meters += [meter_of(files, f"{rail.chip}:{rail.label}", [rail], automatic=False) for rail in labelled]
    for folder, rails in plain.items():
        alone = len(plain) == 1 and not labelled
        name = rails[0].chip if alone else f"{rails[0].chip}@{folder.rpartition('/')[2]}"
        meters.append(meter_of(files, name, rails, automatic=alone))
    return meters


def rails_of(files: Files, folder: str) -> list[Rail]:
    chip = files.read(f"{folder}/name") or "unknown"
    powers = channels_of(files, folder, "power")
    if powers:
        rails = [Rail(chip, label_of(files, folder, number), (channel,)) for number, channel in powers.items()]
    else:
        voltages, currents = channels_of(files, folder, "voltage"), channels_of(files, folder, "current")
        both = [number for number in voltages if number in currents]
        rails = [Rail(chip, label_of(files, folder, n), (voltages[n], currents[n])) for n in both]
    return [rail for rail in rails if rail.label != NOT_CONNECTED]


def channels_of(files: Files, folder: str, quantity: str) -> dict[str, Channel]:
    """By number."""
    ready = files.glob(f"{folder}/in_{quantity}[0-9]*_input")
    raw = files.glob(f"{folder}/in_{quantity}[0-9]*_raw")
    channels = {number_of(path): scaled(files, path) for path in raw if re.search(r"\d_raw$", path)}
    return channels | {number_of(path): Channel(path) for path in ready}


def scaled(files: Files, path: str) -> Channel:
    """Scale and offset are a channel's own, or shared by all of its quantity, or 1 and 0."""
    own = path.removesuffix("_raw")
    shared = re.sub(r"\d+$", "", own)

    def factor(name: str, default: float) -> float:
        text = files.read(f"{own}_{name}") or files.read(f"{shared}_{name}")
        return float(text) if text else default

    return Channel(path, factor("scale", 1.0), factor("offset", 0.0))


def number_of(path: str) -> str:
    found = re.search(r"(\d+)_(?:raw|input)$", path)
    return found[1] if found else ""


def label_of(files: Files, folder: str, number: str) -> str | None:
    text = files.read(f"{folder}/rail_name_{number}") or files.read(f"{folder}/in_power{number}_label")
    return text.strip() if text else None


def meter_of(files: Files, name: str, rails: Sequence[Rail], *, automatic: bool = True) -> PowerMeter[float]:
    paths = [channel.path for rail in rails for channel in rail.channels]
    labels = [rail.label for rail in rails if rail.label]
    description = Description(
        name=f"{NAME}:{name}",
        covers=covered(labels) if labels else f"what {rails[0].chip} is wired to",
        shell_line=reading_line(paths),
        interval_s=INTERVAL_S,
        problem=next((UNREADABLE.format(path=path) for path in paths if files.read(path) is None), None),
        automatic=automatic,
    )
    return PowerMeter(description, lambda text: watts_of(text, rails))


def watts_of(text: str, rails: Sequence[Rail]) -> float | None:
    numbers = numbers_of(text, sum(len(rail.channels) for rail in rails))
    if numbers is None:
        return None
    watts, values = 0.0, iter(numbers)
    for rail in rails:
        product = rail.unit_w
        for channel in rail.channels:
            product *= channel.value(next(values))
        watts += product
    return watts
