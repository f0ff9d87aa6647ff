"""A report as one HTML file: no scripts, nothing from elsewhere, light or dark as the reader's system is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jinja2

from edge_asr.profiling import figures
from edge_asr.profiling.report import Distribution, Report, to_json
from edge_asr.rate_text import NOTHING

TEMPLATE = "page.html.jinja"
OPERATORS_SHOWN = 20
COLOURS = 6  # of settings and stages, see the template
WIDTH = 100.0  # of every chart: lengths are percent of it


@dataclass(frozen=True)
class Bar:
    label: str
    percent: float  # of the chart's width
    text: str
    colour: int


@dataclass(frozen=True)
class Range:
    """Percentiles of one setting's steps."""

    label: str
    p50: float  # percent of the chart's width, as are the others
    p90: float
    p99: float
    text: str
    colour: int


@dataclass(frozen=True)
class StageStack:
    """The stages of one setting's step, side by side."""

    label: str
    parts: tuple[Bar, ...]
    text: str


@dataclass(frozen=True)
class Dot:
    x: float  # percent
    y: float  # percent, from the top
    colour: int
    text: str


def page_of(report: Report) -> str:
    """The whole page."""
    return template().render(
        report=report,
        title=figures.title(report),
        circumstances=figures.circumstances(report),
        headlines=list(figures.comparisons(report)),
        rows=figures.rows(report),
        compute=compute_bars(report),
        steps=step_ranges(report),
        kinds=kind_ranges(report),
        stages=stage_stacks(report),
        dots=pass_dots(report),
        energy=figures.energy_lines(report),
        operators=operator_tables(report),
        verdict=figures.verdict_lines(report),
        devices=device_rows(report),
        json=to_json(report),
    )


@cache
def template() -> jinja2.Template:
    text = files("edge_asr.profiling").joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(text)


def compute_bars(report: Report) -> list[Bar]:
    """Compute for a second of audio; longest is full width."""
    found = [(number, result) for number, result in enumerate(report.results) if result.latency]
    longest = max((result.latency.rtf for _, result in found if result.latency), default=0.0)
    bars = []
    for number, result in found:
        assert result.latency
        name = result.setting.name
        text = f"{figures.ms(1e3 * result.latency.rtf)} ms a second of audio"
        bars.append(Bar(name, WIDTH * result.latency.rtf / longest, text, number % COLOURS))
    return bars


def step_ranges(report: Report) -> list[Range]:
    return ranges([(r.setting.name, r.latency.warm_step_ms, i) for i, r in enumerate(report.results) if r.latency])


def kind_ranges(report: Report) -> list[Range]:
    """Steps with and without the upper layers, of settings that have both."""
    made: list[tuple[str, Distribution | None, int]] = []
    for number, result in enumerate(report.results):
        latency = result.latency
        if latency and latency.warm_step_upper_ms and latency.warm_step_skipped_ms:
            made.append((f"{result.setting.name}, upper layers ran", latency.warm_step_upper_ms, number))
            made.append((f"{result.setting.name}, skipped", latency.warm_step_skipped_ms, number))
    return ranges(made)


def ranges(named: Sequence[tuple[str, Distribution | None, int]]) -> list[Range]:
    """On one scale."""
    known = [(name, found, number) for name, found, number in named if found]
    longest = max((found.p99_ms for _, found, _ in known), default=1.0)
    scale = WIDTH / longest
    return [
        Range(
            name,
            scale * found.p50_ms,
            scale * found.p90_ms,
            scale * found.p99_ms,
            f"{figures.distribution_text(found)} ms",
            number % COLOURS,
        )
        for name, found, number in known
    ]


def stage_stacks(report: Report) -> list[StageStack]:
    """On one scale."""
    found = [(r.setting.name, r.latency.stages_ms) for r in report.results if r.latency and r.latency.stages_ms]
    longest = max((sum(stages.values()) for _, stages in found), default=1.0)
    return [
        StageStack(
            name,
            tuple(
                Bar(stage, WIDTH * value / longest, f"{stage} {value:.2f} ms", number % COLOURS)
                for number, (stage, value) in enumerate(stages.items())
            ),
            f"{sum(stages.values()):.2f} ms traced",
        )
        for name, stages in found
    ]


def pass_dots(report: Report) -> list[Dot]:
    """Compute of each pass over the median of its setting, in the order they ran; ±20 % is the whole height."""
    if report.conditions.emulated:
        return []
    last = max((each.order for result in report.results for each in result.passes), default=0)
    dots = []
    for number, result in enumerate(report.results):
        middle_s = sorted(each.compute_s for each in result.passes)[len(result.passes) // 2]
        for each in result.passes:
            deviation = each.compute_s / middle_s - 1
            height = 50 - 250 * max(-0.19, min(0.19, deviation))
            place = WIDTH * (each.order + 0.5) / (last + 1)
            text = f"{result.setting.name}, pass {each.order + 1}: {deviation:+.1%}"
            dots.append(Dot(place, height, number % COLOURS, text))
    return dots


def operator_tables(report: Report) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Name of the setting; operator, ms a step and share of the longest."""
    tables = []
    for result in report.results:
        operators = result.latency.operators_ms if result.latency else None
        if operators:
            whole_ms = sum(operators.values())
            shown = list(operators.items())[:OPERATORS_SHOWN]
            lines = [(name, f"{taken:.3f}", f"{taken / whole_ms:.1%}") for name, taken in shown]
            tables.append((result.setting.name, lines))
    return tables


def device_rows(report: Report) -> list[tuple[str, str]]:
    """Label and value, of what is known."""
    conditions, protocol = report.conditions, report.protocol
    before, after = conditions.before, conditions.after
    models = {r.setting.model: r.setting.model_sha256 for r in report.results if r.setting.model}
    found: list[tuple[str, str | None]] = [
        ("device", f"{conditions.target}: {conditions.cpu}, {conditions.cores} cores, {conditions.machine}"),
        ("system", conditions.system),
        ("threads", f"{conditions.threads}" + (f" on CPUs {conditions.cpus}" if conditions.cpus else "")),
        ("governor", both(before.governor, after.governor)),
        ("frequencies, MHz", both(numbers(before.frequencies_mhz), numbers(after.frequencies_mhz))),
        ("temperatures, °C", both(degrees(before.temperatures_c), degrees(after.temperatures_c))),
        ("throttled", both(yes_no(before.throttled), yes_no(after.throttled))),
        ("others' share of the CPUs", both(percent(before.others_cpu_share), percent(after.others_cpu_share))),
        ("battery charging", yes_no(conditions.charging)),
        ("versions", ", ".join(f"{name} {version}" for name, version in conditions.versions.items())),
        *((f"sha256 of {name}", digest) for name, digest in models.items()),
        ("recordings", f"{protocol.recordings}, sha256 of names and samples {protocol.recordings_sha256}"),
        ("measured", report.created_utc),
    ]
    return [(label, value) for label, value in found if value]


def both(before: str | None, after: str | None) -> str | None:
    """Once where nothing has changed."""
    if before == after:
        return before
    return f"{before or NOTHING} → {after or NOTHING}"


def numbers(values: Sequence[float] | None) -> str | None:
    return None if values is None else " ".join(f"{value:.0f}" for value in values)


def degrees(values: dict[str, float] | None) -> str | None:
    return None if values is None else ", ".join(f"{name} {value:.1f}" for name, value in values.items())


def percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.0%}"


def yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
