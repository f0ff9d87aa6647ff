"""What two reports can be compared by: names, units, and where a report has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from edge_asr.profiling.report import Distribution, Report, SettingResult

MS = {"": 1.0, "ms": 1.0, "us": 1e-3, "s": 1e3}
SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3}
MB = {"": 1.0, "MB": 1.0, "kB": 1e-3, "GB": 1e3}
MJ = {"": 1.0, "mJ": 1.0, "J": 1e3}
POINTS = {"": 1.0, "points": 1.0}
PLAIN = {"": 1.0}


@dataclass(frozen=True)
class Quantity:
    """One figure of a setting."""

    name: str  # in rules
    unit: str  # of its figures here; empty for a plain number
    meaning: str  # for the help
    read: Callable[[Report, SettingResult], float | None]  # None where it was not measured
    units: dict[str, float]  # that a rule may use -> how many of `unit` one is


def compute_s(report: Report, result: SettingResult) -> float | None:
    if report.conditions.emulated or not result.passes:
        return None
    return median(each.compute_s for each in result.passes) / report.protocol.traversals


def rtf(report: Report, result: SettingResult) -> float | None:
    return result.latency.rtf if result.latency else None


def of_times(name: str, percentile: str) -> Callable[[Report, SettingResult], float | None]:
    """A percentile of one of Latency's distributions."""

    def read(report: Report, result: SettingResult) -> float | None:
        times: Distribution | None = getattr(result.latency, name) if result.latency else None
        return None if times is None else float(getattr(times, percentile))

    return read


def of_memory(name: str) -> Callable[[Report, SettingResult], float | None]:
    def read(report: Report, result: SettingResult) -> float | None:
        count: int | None = getattr(result.memory, name)
        return None if count is None else count / 1e6

    return read


def of_energy(kind: str) -> Callable[[Report, SettingResult], float | None]:
    return lambda report, result: result.energy.mj_per_audio_s if result.energy.kind == kind else None


def wer(report: Report, result: SettingResult) -> float | None:
    return result.accuracy.wer if result.accuracy else None


def kept(report: Report, result: SettingResult) -> float | None:
    if result.kept_frames is None or not result.frames:
        return None
    return 100.0 * result.kept_frames / result.frames


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity(
            "compute", "s", "seconds inside the model for all recordings, median of the passes", compute_s, SECONDS
        ),
        Quantity("rtf", "", "the same per second of audio", rtf, PLAIN),
        Quantity("step_p50", "ms", "a warm step, median", of_times("warm_step_ms", "p50_ms"), MS),
        Quantity("step_p99", "ms", "a warm step, 99th percentile", of_times("warm_step_ms", "p99_ms"), MS),
        Quantity("cold_load", "ms", "loading in a fresh process, median", of_times("cold_load_ms", "p50_ms"), MS),
        Quantity(
            "first_result",
            "ms",
            "start of a process to its first result, median",
            of_times("start_to_first_result_ms", "p50_ms"),
            MS,
        ),
        Quantity(
            "first_partial",
            "ms",
            "start of speech to the first text, median",
            of_times("first_partial_ms", "p50_ms"),
            MS,
        ),
        Quantity(
            "end_of_speech",
            "ms",
            "last sample in to final text out, median",
            of_times("end_of_speech_ms", "p50_ms"),
            MS,
        ),
        Quantity("wer", "%", "word error rate", wer, POINTS),
        Quantity("kept", "%", "frames that went through the upper layers", kept, POINTS),
        Quantity("peak_rss", "MB", "highest resident memory", of_memory("peak_rss_bytes"), MB),
        Quantity("pss", "MB", "proportional memory at the end", of_memory("pss_bytes"), MB),
        Quantity("growth", "MB", "growth of memory over the run", of_memory("growth_bytes"), MB),
        Quantity("energy", "mJ", "millijoules per second of audio, measured", of_energy("measured"), MJ),
        Quantity("energy_estimate", "mJ", "the same where it is an estimate", of_energy("estimate"), MJ),
        Quantity("file", "MB", "the model file", of_memory("file_bytes"), MB),
    )
}
