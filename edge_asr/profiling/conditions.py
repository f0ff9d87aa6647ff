"""The device around a measurement: what it is, and how it does before and after."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge_asr import __version__
from edge_asr.native.sdk import SDK_VERSION
from edge_asr.profiling.report import Conditions, Snapshot
from edge_asr.profiling.targets.protocol import Files, Target

CPUS = "/sys/devices/system/cpu/cpu[0-9]*"
BOARD = "/proc/device-tree/model"
NULL = "\0"  # ends strings of a device tree
PI_THROTTLED_NOW = 0b111  # of `vcgencmd get_throttled`: under-voltage, frequency capped, throttled
IDLE_COLUMNS = (3, 4)  # of the numbers of `cpu` in /proc/stat: idle, iowait
GUEST_COLUMNS = (8, 9)  # counted in user and nice already
COOLING = re.compile(r"cpufreq|processor|cpu", re.I)


@dataclass(frozen=True)
class Reading:
    """A snapshot, and the counters that the next one is compared with."""

    snapshot: Snapshot
    busy_s: float | None  # CPU time of everyone since the start of the device, all cores
    total_s: float | None  # the same with idle time
    ours_s: float | None  # of it, by the measurement
    throttle_events: int | None  # since the start of the device


def read_device(files: Files, ours_s: float | None, before: Reading | None = None) -> Reading:
    """`ours_s` is the CPU time that the measurement has used so far; None where it is not known."""
    busy_s, total_s = cpu_times(files)
    events = throttle_events(files)
    now = throttled_now(files)
    if before is not None and events is not None and before.throttle_events is not None:
        now = bool(now) or events > before.throttle_events
    load = files.read("/proc/loadavg")
    snapshot = Snapshot(
        governor=governor(files),
        frequencies_mhz=frequencies(files),
        temperatures_c=temperatures(files),
        throttled=now,
        load_1min=float(load.split()[0]) if load else None,
        others_cpu_share=None,
    )
    reading = Reading(snapshot, busy_s, total_s, ours_s, events)
    if before is None:
        return reading
    return replace(reading, snapshot=replace(snapshot, others_cpu_share=others_share(before, reading)))


def others_share(before: Reading, after: Reading) -> float | None:
    """CPU time of other processes, and what other virtual machines stole of this one, of all that there is."""
    busy_s = difference(before.busy_s, after.busy_s)
    ours_s = difference(before.ours_s, after.ours_s)
    total_s = difference(before.total_s, after.total_s)
    if busy_s is None or ours_s is None or not total_s:
        return None
    return min(1.0, max(0.0, (busy_s - ours_s) / total_s))


def difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def filter_none(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def describe_device(target: Target, threads: int, cpus: str | None, before: Snapshot, after: Snapshot) -> Conditions:
    files = target.files
    return Conditions(
        target=target.name,
        emulated=target.emulated,
        machine=words_of(files, "uname", "-m") or "unknown",
        cpu=cpu_name(files),
        cores=core_count(files),
        system=system_name(files),
        cpus=cpus,
        threads=threads,
        charging=charging(files),
        before=before,
        after=after,
        versions={
            "edge_asr": __version__,
            "executorch": SDK_VERSION,
            "python": platform.python_version(),
        },
    )


# --- what it is


def cpu_name(files: Files) -> str:
    """The board as well, where the device tells."""
    board = (files.read(BOARD) or "").rstrip(NULL)
    info = files.read("/proc/cpuinfo") or ""
    found = re.search(r"^(?:model name|Hardware|cpu model)\s*:\s*(.+)$", info, re.M)
    name = found[1].strip() if found else ""
    if not name:
        listed = re.findall(r"^Model name:\s*(.+)$", files.run(["lscpu"]) or "", re.M)
        name = " and ".join(dict.fromkeys(item.strip() for item in listed if item.strip() != "-"))
    return ", ".join(filter(None, (name, board))) or "unknown"


def core_count(files: Files) -> int:
    info = files.read("/proc/cpuinfo") or ""
    return len(re.findall(r"^processor\s*:", info, re.M)) or len(files.glob(CPUS)) or 1


def system_name(files: Files) -> str:
    android = words_of(files, "getprop", "ro.build.version.release")
    kernel = f"{files.read('/proc/sys/kernel/ostype') or ''} {files.read('/proc/sys/kernel/osrelease') or ''}".strip()
    names = re.search(r'^PRETTY_NAME="?([^"\n]+)', files.read("/etc/os-release") or "", re.M)
    release = f"Android {android}" if android else names[1] if names else ""
    return ", ".join(filter(None, (release, kernel))) or "unknown"


def charging(files: Files) -> bool | None:
    """None where there is no battery."""
    supplies = files.glob("/sys/class/power_supply/*/type")
    batteries = [path for path in supplies if files.read(path) == "Battery"]
    states = [files.read(path.removesuffix("type") + "status") for path in batteries]
    known = [state for state in states if state]
    return any(state != "Discharging" for state in known) if known else None


def words_of(files: Files, *command: str) -> str:
    return (files.run(command) or "").strip()


# --- how it does


def governor(files: Files) -> str | None:
    found = [files.read(path) for path in files.glob(f"{CPUS}/cpufreq/scaling_governor")]
    return ", ".join(dict.fromkeys(filter(None, found))) or None


def frequencies(files: Files) -> tuple[float, ...] | None:
    """In the order of the CPUs."""
    paths = sorted(files.glob(f"{CPUS}/cpufreq/scaling_cur_freq"), key=lambda path: int(re.findall(r"\d+", path)[0]))
    khz = filter_none(number(files.read(path)) for path in paths)
    if khz:
        return tuple(value / 1_000 for value in khz)
    stated = re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", files.read("/proc/cpuinfo") or "", re.M)
    return tuple(float(value) for value in stated) or None


def temperatures(files: Files) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for path in files.glob("/sys/class/thermal/thermal_zone*/temp"):
        add_temperature(found, files.read(path.removesuffix("temp") + "type"), files.read(path))
    for path in files.glob("/sys/class/hwmon/hwmon*/temp*_input"):
        chip = files.read(path.rpartition("/")[0] + "/name") or "hwmon"
        label = files.read(path.removesuffix("input") + "label")
        add_temperature(found, f"{chip} {label}" if label else chip, files.read(path))
    return found or None


def add_temperature(found: dict[str, float], name: str | None, millidegrees: str | None) -> None:
    """Sensors of one name are numbered. Those that are switched off say nothing, or nonsense."""
    value = number(millidegrees)
    if value is None or not -50_000 < value < 200_000:
        return
    name = unnumbered = name or "sensor"
    count = 1
    while name in found:
        count += 1
        name = f"{unnumbered} {count}"
    found[name] = value / 1_000


def throttled_now(files: Files) -> bool | None:
    """By a Raspberry Pi's firmware, or by a cooling device that slows the CPU."""
    said = re.search(r"throttled=0x([0-9a-fA-F]+)", files.run(["vcgencmd", "get_throttled"]) or "")
    if said:
        return bool(int(said[1], 16) & PI_THROTTLED_NOW)
    states = [
        number(files.read(path.removesuffix("type") + "cur_state"))
        for path in files.glob("/sys/class/thermal/cooling_device*/type")
        if COOLING.search(files.read(path) or "")
    ]
    known = filter_none(states)
    return any(known) if known else None


def throttle_events(files: Files) -> int | None:
    """As x86 counts them."""
    paths = files.glob(f"{CPUS}/thermal_throttle/core_throttle_count")
    counts = filter_none(number(files.read(path)) for path in paths)
    return int(sum(counts)) if counts else None


def cpu_times(files: Files) -> tuple[float | None, float | None]:
    """Seconds busy, and all seconds, of all CPUs together."""
    fields = (files.read("/proc/stat") or "").partition("\n")[0].split()
    if fields[:1] != ["cpu"]:
        return None, None
    ticks_hz = number(words_of(files, "getconf", "CLK_TCK")) or 100.0
    counts = [float(field) for field in fields[1:]]
    total = sum(count for column, count in enumerate(counts) if column not in GUEST_COLUMNS)
    idle = sum(counts[column] for column in IDLE_COLUMNS if column < len(counts))
    return (total - idle) / ticks_hz, total / ticks_hz


def number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
