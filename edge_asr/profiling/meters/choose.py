"""Which meter a run takes, and why not another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters import android, battery, estimate, hwmon, iio, pi5, rapl
from edge_asr.profiling.meters.log import LogMeter
from edge_asr.profiling.meters.log_file import LogOptions
from edge_asr.profiling.meters.none import NAME as NONE
from edge_asr.profiling.meters.none import NoMeter
from edge_asr.profiling.meters.protocol import Meter, MeterSource
from edge_asr.profiling.targets.protocol import Files

SOURCES: tuple[MeterSource, ...] = (rapl, hwmon, iio, pi5, android, battery)  # in the order of their preference


@dataclass(frozen=True)
class Found:
    """What there is on a target."""

    meters: tuple[Meter, ...]  # the preferred first; with those that have a problem
    missing: tuple[tuple[str, str], ...]  # sources without a meter: their name, what they look for


@dataclass(frozen=True)
class MeterOptions:
    """What a user asks for. The first that is given wins."""

    name: str | None = None  # of a meter or a source; `none`
    log: Path | None = None  # an external meter's
    log_options: LogOptions | None = None
    watts_per_cpu: float | None = None  # for an estimate, where nothing can be measured


def find_meters(files: Files) -> Found:
    """All that a target has."""
    by_source = {source.NAME: tuple(source.find(files)) for source in SOURCES}
    preferred = sorted(SOURCES, key=lambda source: -source.PREFERENCE)
    return Found(
        meters=tuple(meter for source in preferred for meter in by_source[source.NAME]),
        missing=tuple((source.NAME, source.LOOKS_FOR) for source in SOURCES if not by_source[source.NAME]),
    )


def find_meter(files: Files, options: MeterOptions | str | None = None) -> Meter:
    """The meter to take; one that says why where there is none. A string is a name.

    Raises EdgeAsrError where a named meter is not there, or cannot measure.
    """
    options = MeterOptions(name=options) if isinstance(options, str) else options or MeterOptions()
    if options.log is not None and options.name is None:
        return LogMeter(options.log, options.log_options)
    if options.name == NONE:
        return NoMeter("not asked for")
    found = find_meters(files)
    if options.name is not None:
        return named(found, options.name)
    usable = [meter for meter in found.meters if meter.automatic and not meter.problem]
    if usable:
        return usable[0]
    if options.watts_per_cpu is not None:
        return estimate.meter(files, options.watts_per_cpu)
    return NoMeter(why_none(found))


def named(found: Found, name: str) -> Meter:
    """By its name, or the best of a source."""
    matching = [meter for meter in found.meters if meter.name.lower() == name.lower()]
    matching += [meter for meter in found.meters if meter.name.lower().partition(":")[0] == name.lower()]
    if not matching:
        there = ", ".join(meter.name for meter in found.meters) or "none"
        raise EdgeAsrError(f"no meter {name!r} on the target; there: {there}")
    usable = [meter for meter in matching if not meter.problem]
    if not usable:
        raise EdgeAsrError(f"{matching[0].name} cannot measure: {matching[0].problem}")
    return usable[0]


def why_none(found: Found) -> str:
    """One line: what was found but is of no use, else that there is nothing."""
    troubled = [f"{meter.name}: {meter.problem}" for meter in found.meters if meter.problem]
    if troubled:
        return "; ".join(troubled)
    parts = names_of([meter for meter in found.meters if not meter.automatic])
    if parts:
        return f"several meters, and it is not known what each is wired to: name one of {parts}"
    return "no meter on the target (an external one's log can be given: --energy-log)"


def names_of(meters: Sequence[Meter]) -> str:
    return ", ".join(meter.name for meter in meters)
