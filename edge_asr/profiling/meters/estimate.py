"""No measurement: seconds that CPUs were busy, times what one is said to take then. Marked so wherever it shows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge_asr.profiling.meters.sampled import CounterMeter, Description, reading_line
from edge_asr.profiling.targets.protocol import Files

NAME = "estimate"
STAT = "/proc/stat"
INTERVAL_S = 0.5
USER_HZ = 100  # of the counts, where the target does not say
# of the columns of `cpu` in /proc/stat (Documentation/filesystems/proc): user, nice, system, irq, softirq
BUSY_COLUMNS = (1, 2, 3, 6, 7)
UNREADABLE = f"{STAT} cannot be read"


def meter(files: Files, watts_per_cpu: float) -> CounterMeter:
    """All processes count; subtracting idle leaves what the passes added."""
    ticks_hz = int(files.run(("getconf", "CLK_TCK")) or USER_HZ)
    joules_per_tick = watts_per_cpu / ticks_hz
    stat = files.read(STAT) or ""
    cpus = len(re.findall(r"^cpu\d", stat, re.M)) or 1
    description = Description(
        name=f"{NAME}: {watts_per_cpu:g} W a busy CPU",
        covers="nothing that was measured",
        shell_line=reading_line([STAT]),
        interval_s=INTERVAL_S,
        problem=None if busy_ticks(stat) else UNREADABLE,
        kind="estimate",
    )
    return CounterMeter(
        description,
        busy_ticks,
        joules_per_count=joules_per_tick,
        wraps_at=[None],
        highest_w=[watts_per_cpu * cpus],
        resolution_j=joules_per_tick,
    )


def busy_ticks(stat: str) -> tuple[float, ...] | None:
    """Of all CPUs together."""
    fields: Sequence[str] = stat.partition("\n")[0].split()
    if len(fields) <= max(BUSY_COLUMNS) or fields[0] != "cpu":
        return None
    return (float(sum(int(fields[column]) for column in BUSY_COLUMNS)),)
