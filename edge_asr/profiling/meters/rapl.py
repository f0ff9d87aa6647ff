"""Running Average Power Limit: the energy counters of x86 processors, through Linux's powercap (Intel, and AMD too).

Zones of the first level are packages (`package-0`) and, on many portables, the whole platform (`psys`). Their subzones
are parts of the package (`core`, `uncore`), except `dram`, which is outside it. Sources: Documentation/power/powercap
and turbostat(8) of the Linux kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_asr.profiling.meters.counters import HIGHEST_W
from edge_asr.profiling.meters.sampled import CounterMeter, Description, numbers_of, reading_line
from edge_asr.profiling.targets.protocol import Files

NAME = "rapl"
PREFERENCE = 70
FOLDER = "/sys/class/powercap"
LOOKS_FOR = f"{FOLDER}/intel-rapl:* (x86; virtual machines and containers rarely have it)"

INTERVAL_S = 0.1
MICROJOULE = 1e-6
MICROWATT = 1e-6
TURBO = 4.0  # times its long-term power that a processor takes for seconds, at most: 15 W parts turbo to 64 W
RESOLUTION_J = 0.05  # counters move about every millisecond: at 50 W, as much as this
UNREADABLE = (
    f"its counter is for root alone: run as root, or `sudo chmod a+r {FOLDER}/intel-rapl:*/energy_uj` (until the next "
    "boot)"
)


@dataclass(frozen=True)
class Zone:
    path: str
    name: str  # package-0, core, uncore, dram, psys
    wraps_at_uj: float | None
    highest_w: float
    problem: str | None

    @property
    def counter(self) -> str:
        return f"{self.path}/energy_uj"


def find(files: Files) -> Sequence[CounterMeter]:
    """The packages with their DRAM; and the platform, by name only: many makers leave its counter uncalibrated."""
    # `intel-rapl-mmio:*` has the packages again: the same energy by another way
    zones = [zone_at(files, path.removesuffix("/energy_uj")) for path in files.glob(f"{FOLDER}/intel-rapl:*/energy_uj")]
    processors = [zone for zone in zones if zone.name.startswith("package") or zone.name == "dram"]
    meters = [meter_of(processors, "the processor" + (" and its DRAM" if has_dram(processors) else ""))]
    platforms = [zone for zone in zones if zone.name == "psys"]
    meters += [meter_of([zone], "the platform, as far as its maker wired it", automatic=False) for zone in platforms]
    return [meter for meter in meters if meter is not None]


def zone_at(files: Files, path: str) -> Zone:
    counter, wraps_at = files.read(f"{path}/energy_uj"), files.read(f"{path}/max_energy_range_uj")
    return Zone(
        path=path,
        name=files.read(f"{path}/name") or path.rpartition("/")[2],
        wraps_at_uj=float(wraps_at) if wraps_at and wraps_at.isdigit() else None,
        highest_w=highest_w(files, path),
        problem=None if counter else UNREADABLE,
    )


def highest_w(files: Files, path: str) -> float:
    """From what its power limits may be set to; many drivers write 0 there."""
    limits = [files.read(each) or "" for each in files.glob(f"{path}/constraint_*_max_power_uw")]
    known = [MICROWATT * float(limit) for limit in limits if limit.isdigit() and int(limit)]
    return TURBO * max(known) if known else HIGHEST_W


def has_dram(zones: Sequence[Zone]) -> bool:
    return any(zone.name == "dram" for zone in zones)


def meter_of(zones: Sequence[Zone], covers: str, *, automatic: bool = True) -> CounterMeter | None:
    if not zones:
        return None
    description = Description(
        name=f"{NAME}:" + "+".join(dict.fromkeys(zone.name for zone in zones)),
        covers=covers,
        shell_line=reading_line([zone.counter for zone in zones]),
        interval_s=INTERVAL_S,
        problem=next((zone.problem for zone in zones if zone.problem), None),
        automatic=automatic,
    )
    return CounterMeter(
        description,
        lambda text: numbers_of(text, len(zones)),
        joules_per_count=MICROJOULE,
        wraps_at=[zone.wraps_at_uj for zone in zones],
        highest_w=[zone.highest_w for zone in zones],
        resolution_j=RESOLUTION_J,
    )
