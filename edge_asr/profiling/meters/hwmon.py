"""Power monitors that Linux shows in hwmon: INA219, INA226, INA3221 and their like, a Jetson's rails, server supplies.

`powerN_input` is µW, `inN_input` mV, `currN_input` mA. An INA3221 has voltage and current of three channels and no
power; its further channels are shunt voltages and sums. Sources: Documentation/ABI/testing/sysfs-class-hwmon,
Documentation/hwmon/ina2xx and ina3221 of the Linux kernel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_asr.profiling.meters.rails import NOT_CONNECTED, covered, rails_to_sum
from edge_asr.profiling.meters.sampled import Description, PowerMeter, numbers_of, reading_line
from edge_asr.profiling.targets.protocol import Files

NAME = "hwmon"
PREFERENCE = 60
FOLDER = "/sys/class/hwmon"
LOOKS_FOR = f"a power monitor (INA219, INA3221, ...) in {FOLDER}"

INTERVAL_S = 0.1
MICROWATT = 1e-6
MILLIVOLT_MILLIAMPERE = 1e-6
INA3221_CHANNELS = ("1", "2", "3")  # in4 to in7 and curr4 are shunt voltages and sums
# drivers that tell the power of something else than the device that runs the recognizer
APART = re.compile(r"amdgpu|radeon|nouveau|i915|xe|nvme|(ucsi|tcpm)_source_psy.*")
# drivers whose inN and currN belong together
PAIRED = re.compile(r"ina\d+|ltc\d+")
UNREADABLE = "its readings are for root alone: run as root, or ask for read access to {path}"


@dataclass(frozen=True)
class Rail:
    chip: str  # ina3221
    folder: str  # /sys/class/hwmon/hwmon3
    label: str | None  # VDD_IN
    paths: tuple[str, ...]  # power; or voltage and current

    @property
    def scale(self) -> float:
        """W of a reading's product."""
        return MICROWATT if len(self.paths) == 1 else MILLIVOLT_MILLIAMPERE


def find(files: Files) -> Sequence[PowerMeter[float]]:
    """One meter of all labelled rails, and one of each, by name only; one of each chip without labels. Where there are
    several of the last, none is taken unnamed: what each is wired to is not known."""
    rails = [rail for folder in files.glob(f"{FOLDER}/hwmon*") for rail in rails_of(files, folder)]
    labelled = [rail for rail in rails if rail.label is not None]
    chips = [[rail for rail in rails if rail.label is None and rail.folder == folder] for folder in folders_of(rails)]
    meters = [meter_of(files, [labelled[index] for index in rails_to_sum(labels_of(labelled))], labelled)]
    meters += [meter_of(files, chip, chip, alone=len(chips) == 1 and not labelled) for chip in chips]
    if len(labelled) > 1:
        meters += [meter_of(files, [rail], [rail], alone=False) for rail in labelled]
    return [meter for meter in meters if meter is not None]


def rails_of(files: Files, folder: str) -> list[Rail]:
    chip = files.read(f"{folder}/name") or "unknown"
    mirrored = files.glob(f"/sys/class/power_supply/{chip.replace('_', '?')}")  # a battery's own readings, again
    if APART.fullmatch(chip) or mirrored:
        return []
    powers = [(path,) for path in files.glob(f"{folder}/power[0-9]*_input")]
    powers = powers or [(path,) for path in files.glob(f"{folder}/power[0-9]*_average")]
    pairs = [] if powers or not PAIRED.fullmatch(chip) else pairs_of(files, folder)
    if chip == "ina3221":
        pairs = [pair for pair in pairs if number_of(pair[0]) in INA3221_CHANNELS]
    rails = [Rail(chip, folder, label_of(files, folder, paths[0]), paths) for paths in powers + pairs]
    return [rail for rail in rails if rail.label != NOT_CONNECTED and is_enabled(files, rail)]


def pairs_of(files: Files, folder: str) -> list[tuple[str, ...]]:
    """Voltage and current of the same number."""
    currents = {number_of(path): path for path in files.glob(f"{folder}/curr[0-9]*_input")}
    voltages = files.glob(f"{folder}/in[0-9]*_input")
    return [(path, currents[number_of(path)]) for path in voltages if number_of(path) in currents]


def number_of(path: str) -> str:
    """`/sys/class/hwmon/hwmon3/in1_input` -> `1`"""
    found = re.search(r"(\d+)_\w+$", path)
    return found[1] if found else ""


def label_of(files: Files, folder: str, path: str) -> str | None:
    number = number_of(path)
    for label in (f"power{number}_label", f"in{number}_label", f"curr{number}_label", "label"):
        text = files.read(f"{folder}/{label}")
        if text:
            return text.strip()
    return None


def is_enabled(files: Files, rail: Rail) -> bool:
    """A channel that is switched off fails when it is read."""
    return all(files.read(path.replace("_input", "_enable")) != "0" for path in rail.paths)


def folders_of(rails: Sequence[Rail]) -> list[str]:
    return list(dict.fromkeys(rail.folder for rail in rails if rail.label is None))


def labels_of(rails: Sequence[Rail]) -> list[str]:
    return [rail.label or "" for rail in rails]


def meter_of(
    files: Files, rails: Sequence[Rail], of: Sequence[Rail], *, alone: bool = True
) -> PowerMeter[float] | None:
    """The sum of `rails`, which stand for all `of` them."""
    if not rails:
        return None
    paths = [path for rail in rails for path in rail.paths]
    description = Description(
        name=name_of(rails, of, alone=alone),
        covers=covered(labels_of(rails)) if rails[0].label else f"what {rails[0].chip} is wired to",
        shell_line=reading_line(paths),
        interval_s=INTERVAL_S,
        problem=next((UNREADABLE.format(path=path) for path in paths if files.read(path) is None), None),
        automatic=alone,
    )
    return PowerMeter(description, lambda text: watts_of(text, rails))


def name_of(rails: Sequence[Rail], of: Sequence[Rail], *, alone: bool) -> str:
    """`hwmon:ina3221`; of one of several `hwmon:ina3221:VDD_IN`, or `hwmon:ina219@hwmon2`."""
    chips = "+".join(dict.fromkeys(rail.chip for rail in of))
    if alone:
        return f"{NAME}:{chips}"
    label = rails[0].label
    return f"{NAME}:{chips}:{label}" if label else f"{NAME}:{chips}@{rails[0].folder.rpartition('/')[2]}"


def watts_of(text: str, rails: Sequence[Rail]) -> float | None:
    numbers = numbers_of(text, sum(len(rail.paths) for rail in rails))
    if numbers is None:
        return None
    watts, values = 0.0, iter(numbers)
    for rail in rails:
        product = rail.scale
        for _ in rail.paths:
            product *= next(values)
        watts += product
    return watts
