"""Raspberry Pi 5: its power management chip measures voltage and current of each rail, which the firmware tells.

    $ vcgencmd pmic_read_adc
     3V7_WL_SW_A current(0)=0.00780744A
       VDD_CORE_A current(7)=0.75012000A
       VDD_CORE_V volt(15)=0.89745940V
          EXT5V_V volt(24)=5.06788000V

Rails are paired by name. EXT5V and BATT have a voltage alone: what hangs directly on 5 V (USB, a HAT, the fan) and the
converters' losses are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge_asr.profiling.meters.sampled import Description, PowerMeter
from edge_asr.profiling.targets.protocol import Files

NAME = "pi5"
PREFERENCE = 50
LOOKS_FOR = "a Raspberry Pi 5"

MODEL = "/proc/device-tree/model"
MODELS = re.compile(r"Raspberry Pi (5|500|Compute Module 5)\b")
COMMAND = ("vcgencmd", "pmic_read_adc")
INTERVAL_S = 0.25  # a program is started and the firmware asked for each sample
READING = re.compile(r"^\s*(\S+)_(A|V) (?:current|volt)\(\d+\)=(-?\d+(?:\.\d+)?)[AV]\s*$", re.MULTILINE)
UNREADABLE = "`vcgencmd pmic_read_adc` fails: add yourself to the group `video` (`sudo usermod -aG video $USER`)"


def find(files: Files) -> Sequence[PowerMeter[float]]:
    model = files.read(MODEL) or ""
    if not MODELS.search(model):
        return []
    printed = files.run(COMMAND) or ""
    rails = rails_of(printed)
    description = Description(
        name=f"{NAME}:pmic",
        covers=f"the sum of {len(rails)} rails; not what hangs on 5 V directly (USB, HATs), nor conversion losses",
        shell_line=" ".join(COMMAND),
        interval_s=INTERVAL_S,
        problem=None if rails else UNREADABLE,
    )
    return [PowerMeter(description, watts_of)]


def rails_of(printed: str) -> dict[str, tuple[float, float]]:
    """A and V by rail, of those that have both."""
    amperes: dict[str, float] = {}
    volts: dict[str, float] = {}
    for rail, quantity, number in READING.findall(printed):
        (amperes if quantity == "A" else volts)[rail] = float(number)
    return {rail: (amperes[rail], volts[rail]) for rail in amperes if rail in volts}


def watts_of(printed: str) -> float | None:
    rails = rails_of(printed)
    return sum(a * v for a, v in rails.values()) if rails else None
