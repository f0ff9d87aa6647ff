"""A report in words: rows for a table on a screen and on a page. What was not measured is said so, never shown as 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_asr.profiling.prediction import SpeedUp, speed_up
from edge_asr.profiling.report import Distribution, Energy, Latency, Ratio, Report, SettingResult, WerChange
from edge_asr.profiling.results import COMPUTE, ENERGY, PEAK_RSS
from edge_asr.rate_text import NOTHING, interval_text, rate_text

MB = 1e6
SMALLEST_CHANGE = 0.005  # of a ratio that is told as a change
QUANTITIES = {COMPUTE: "compute", ENERGY: "energy", PEAK_RSS: "peak memory"}


@dataclass(frozen=True)
class Row:
    label: str  # indented by two spaces where it is part of the row above
    unit: str
    meaning: str  # for who does not know the term
    values: tuple[str, ...]  # one a setting


def rows(report: Report) -> list[Row]:
    """Those in which at least one setting has a figure."""
    made = [
        Row(label, unit, meaning, tuple(value(result) for result in report.results))
        for label, unit, meaning, value in (*LATENCY_ROWS, *ROWS)
    ]
    energy = [result.energy for result in report.results]
    if any(item.kind != "not measured" for item in energy):
        marked = " (estimate)" if any(item.kind == "estimate" for item in energy) else ""
        meaning = "above what the device takes at rest, for each second of audio"
        made.append(Row(f"energy{marked}", "mJ/audio s", meaning, tuple(map(energy_text, energy))))
    return [row for row in made if set(row.values) != {NOTHING}]


def distribution_text(found: Distribution | None) -> str:
    if found is None:
        return NOTHING
    return f"{ms(found.p50_ms)}/{ms(found.p90_ms)}/{ms(found.p99_ms)}"


def cold_text(found: Distribution | None) -> str:
    """Median, and the highest."""
    return NOTHING if found is None else f"{ms(found.p50_ms)} ({ms(found.p99_ms)})"


def ms(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def megabytes(count: int | None) -> str:
    return NOTHING if count is None else f"{count / MB:.1f}"


def growth_text(result: SettingResult) -> str:
    growth = result.memory.growth_bytes
    return NOTHING if growth is None else f"{growth / MB:+.2f}" if growth else "none"


def share(part: int | None, whole: int | None) -> str:
    return f"{part / whole:.1%}" if part is not None and whole else NOTHING


def wer_text(result: SettingResult) -> str:
    found = result.accuracy
    if found is None:
        return NOTHING
    return f"{rate_text(found.wer)} ({interval_text(found.wer_ci95)})"


def energy_text(energy: Energy) -> str:
    if energy.mj_per_audio_s is None:
        return "not measured"
    uncertainty = energy.uncertainty_mj_per_audio_s
    shown = f"{energy.mj_per_audio_s:.3g}" + ("" if uncertainty is None else f" ± {uncertainty:.2g}")
    return f"{shown} (estimate)" if energy.kind == "estimate" else shown


def of_latency(pick: Callable[[Latency], str]) -> Callable[[SettingResult], str]:
    return lambda result: NOTHING if result.latency is None else pick(result.latency)


LATENCY_ROWS: tuple[tuple[str, str, str, Callable[[SettingResult], str]], ...] = (
    (
        "real-time factor",
        "",
        "compute over audio, median of the passes: 0.01 is a hundred times faster than speech",
        of_latency(lambda latency: f"{latency.rtf:.4f}"),
    ),
    (
        "warm step",
        "ms p50/90/99",
        "one chunk through the model, in a process that has run for a while",
        of_latency(lambda latency: distribution_text(latency.warm_step_ms)),
    ),
    (
        "  upper layers ran",
        "ms p50/90/99",
        "those steps in which kept frames went through the upper layers",
        of_latency(lambda latency: distribution_text(latency.warm_step_upper_ms)),
    ),
    (
        "  upper skipped",
        "ms p50/90/99",
        "those steps in which nothing went up",
        of_latency(lambda latency: distribution_text(latency.warm_step_skipped_ms)),
    ),
    (
        "first step",
        "ms median (max)",
        "in a fresh process, which finds every cache cold",
        of_latency(lambda latency: cold_text(latency.first_step_ms)),
    ),
    (
        "cold load",
        "ms median (max)",
        "in a fresh process: the file checked and mapped, weights packed",
        of_latency(lambda latency: cold_text(latency.cold_load_ms)),
    ),
    (
        "start to first result",
        "ms median (max)",
        "from the start of the process to the end of its first step",
        of_latency(lambda latency: cold_text(latency.start_to_first_result_ms)),
    ),
    (
        "first text",
        "ms p50/90/99",
        "from the start of a live recording: audio that was heard until then, plus compute",
        of_latency(lambda latency: distribution_text(latency.first_partial_ms)),
    ),
    (
        "end of speech",
        "ms p50/90/99",
        "from the last sample in to the final text out",
        of_latency(lambda latency: distribution_text(latency.end_of_speech_ms)),
    ),
)

ROWS: tuple[tuple[str, str, str, Callable[[SettingResult], str]], ...] = (
    (
        "frames kept",
        "",
        "share of the frames that went through the upper layers",
        lambda result: share(result.kept_frames, result.frames),
    ),
    (
        "WER",
        "% (95 %)",
        "word error rate from the texts of this very run; a limit is a dash where a resample may lack reference words",
        wer_text,
    ),
    (
        "peak memory",
        "MB",
        "resident: the most that a fresh process held",
        lambda result: megabytes(result.memory.peak_rss_bytes),
    ),
    (
        "  proportional",
        "MB",
        "at its end, with pages that processes share divided among them",
        lambda result: megabytes(result.memory.pss_bytes),
    ),
    (
        "  growth",
        "MB",
        "resident after hearing everything twice, over that after hearing it once",
        growth_text,
    ),
    ("file", "MB", "the model", lambda result: f"{result.memory.file_bytes / MB:.2f}"),
)


# --- sentences


def title(report: Report) -> str:
    setting = report.results[0].setting
    return f"{setting.model or setting.name}" + (f", {setting.precision}" if setting.precision else "")


def circumstances(report: Report) -> str:
    """Where, and on how much audio."""
    conditions, protocol = report.conditions, report.protocol
    audio_s = report.results[0].audio_s
    pinned = f" (CPUs {conditions.cpus})" if conditions.cpus else ""
    times = f", {protocol.traversals} times a pass" if protocol.traversals > 1 else ""
    return (
        f"{conditions.target}: {conditions.cpu}, {conditions.cores} cores, {conditions.system}; "
        f"{conditions.threads} thread{'s' if conditions.threads > 1 else ''}{pinned}; "
        f"{protocol.recordings} recording{'s' if protocol.recordings > 1 else ''} of {audio_s:.1f} s together{times}; "
        f"{protocol.passes} {'interleaved ' if protocol.interleaved else ''}passes"
        f"{' of each setting' if protocol.interleaved else ''}"
    )


@dataclass(frozen=True)
class Comparison:
    """The first setting against another: the most important part first."""

    of: str
    to: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.of} against {self.to}: {', '.join(self.parts)}"


def comparisons(report: Report) -> Iterator[Comparison]:
    """One for each setting that the first one is compared with."""
    changes = {change.to: change for change in report.wer_changes}
    for other in report.results[1:]:
        name = other.setting.name
        estimated = "estimate" in (other.energy.kind, report.results[0].energy.kind)
        parts = []
        for found in report.ratios:
            if found.to == name:
                parts.append(ratio_text(found, estimated))
                saved = speed_up(report, found) if found.quantity == COMPUTE else None
                parts += [speed_up_text(saved)] if saved else []
        if name in changes:
            parts.append(change_text(changes[name]))
        if parts:
            yield Comparison(report.results[0].setting.name, name, tuple(parts))


def ratio_text(found: Ratio, energy_is_estimated: bool) -> str:
    """`36% less compute (0.640, 95 % interval 0.631 to 0.650)`."""
    what = QUANTITIES.get(found.quantity, found.quantity)
    if found.quantity == ENERGY and energy_is_estimated:
        what += " by estimate"
    interval = f", 95 % interval {found.ci95[0]:.3f} to {found.ci95[1]:.3f}" if found.ci95 else ""
    change = found.ratio - 1
    if abs(change) < SMALLEST_CHANGE:
        said = f"the same {what}"
    elif change > 1:
        said = f"{found.ratio:.1f} times the {what}"
    else:
        said = f"{abs(change):.0%} {'less' if change < 0 else 'more'} {what}"
    return f"{said} ({found.ratio:.3f}{interval})"


def speed_up_text(saved: SpeedUp) -> str:
    """`1.56× faster, 90% of the 1.73× that the skipped work predicts`."""
    return (
        f"{saved.seen:.2f}× faster, {saved.realised:.0%} of the {saved.predicted:.2f}× that the skipped work predicts"
    )


def change_text(found: WerChange) -> str:
    return f"WER {found.points:+.1f} points (95 % interval {found.ci95[0]:+.1f} to {found.ci95[1]:+.1f})"


def verdict_lines(report: Report) -> list[str]:
    """The first line is the verdict."""
    if report.verdict.quotable:
        spread = report.verdict.spread
        return ["quotable" + ("" if spread is None else f": the passes of a setting spread by {spread:.1%} at most")]
    return ["not to be quoted", *report.verdict.reasons]


def energy_lines(report: Report) -> list[str]:
    """Where the figures are from, or why there are none: each once."""
    said = []
    for result in report.results:
        energy = result.energy
        if energy.kind == "not measured":
            said.append(f"energy: not measured: {energy.reason}")
            continue
        kind = "ESTIMATE, not measured:" if energy.kind == "estimate" else "measured by"
        said.append(
            f"energy: {kind} {energy.source}; {energy.idle_w or 0:.3g} W at rest subtracted; "
            f"{energy.samples} samples at {energy.sample_hz or 0:.3g} Hz"
            + (f"; {energy.reason}" if energy.reason else "")
        )
    kinds = {result.energy.kind for result in report.results}
    return (
        list(dict.fromkeys(said))
        if kinds == {"not measured"}
        else [f"{result.setting.name}: {line}" for result, line in zip(report.results, said, strict=True)]
    )


def stage_lines(report: Report) -> list[str]:
    """`gate 0.7: front end 0.15, lower 0.49, ... ms`."""
    lines = []
    for result in report.results:
        stages = result.latency.stages_ms if result.latency else None
        if stages:
            said = ", ".join(f"{name} {value:.2f}" for name, value in stages.items())
            lines.append(f"{result.setting.name}: {said} ms")
    return lines
