"""From what was seen to what a report says of each setting, and of one against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from edge_asr.profiling.accuracy import accuracy_of, wer_change_of
from edge_asr.profiling.meters.energy import PassEnergy
from edge_asr.profiling.report import Latency, Memory, Pass, Ratio, SettingResult, WerChange
from edge_asr.profiling.seen import RAN, SKIPPED, Seen
from edge_asr.profiling.statistics import distribution, interleaved_ratio

DECODE = "decode"
COMPUTE, ENERGY, PEAK_RSS = "compute", "energy", "peak_rss"


@dataclass(frozen=True)
class Extras:
    """What is traced apart from the passes."""

    stages_ms: dict[str, float] | None
    operators_ms: dict[str, float] | None


def result_of(
    seen: Seen, texts: Sequence[str] | None, energy: PassEnergy, extras: Extras, emulated: bool
) -> SettingResult:
    once = seen.once
    flags = [item.step_upper for item in once if item.step_upper is not None]
    return SettingResult(
        setting=seen.contender.setting,
        audio_s=sum(item.audio_s for item in once),
        frames=total([item.frames for item in once]),
        kept_frames=total([item.kept_frames for item in once]),
        upper_runs="".join(flags).count(RAN) if flags else None,
        steps=sum(len(item.step_ms) for item in once) or None,
        latency=None if emulated else latency_of(seen, extras),
        memory=memory_of(seen, emulated),
        energy=energy.energy,
        accuracy=None if not texts else accuracy_of(texts, [item.text for item in seen.once]),
        passes=() if emulated else passes_of(seen, energy),
    )


def passes_of(seen: Seen, energy: PassEnergy) -> tuple[Pass, ...]:
    each_with_energy = zip(seen.passes, energy.joules, strict=True)
    return tuple(Pass(each.order, each.compute_s, each.cpu_s, joules) for each, joules in each_with_energy)


def latency_of(seen: Seen, extras: Extras) -> Latency:
    return Latency(
        cold_load_ms=distribution(of_cold(seen, "load_ms")),
        start_to_first_result_ms=distribution(of_cold(seen, "first_result_ms")),
        first_step_ms=distribution(of_cold(seen, "first_step_ms")),
        warm_step_ms=distribution(seen.step_ms()),
        warm_step_upper_ms=distribution(seen.step_ms(RAN)),
        warm_step_skipped_ms=distribution(seen.step_ms(SKIPPED)),
        first_partial_ms=distribution(seen.first_partial_ms),
        end_of_speech_ms=distribution(seen.end_of_speech_ms),
        rtf=median(each.compute_s / each.audio_s for each in seen.passes),
        stages_ms=with_decoding(seen, extras.stages_ms),
        operators_ms=extras.operators_ms,
    )


def with_decoding(seen: Seen, stages_ms: dict[str, float] | None) -> dict[str, float] | None:
    """The runtime's stages, and what the library did beside the program: checking samples, CTC, words."""
    heard = [item for each in seen.passes for item in each.heard if item.decode_ms is not None]
    steps = sum(len(item.step_ms) for item in heard)
    if stages_ms is None or not steps:
        return stages_ms
    return {**stages_ms, DECODE: sum(item.decode_ms or 0.0 for item in heard) / steps}


def memory_of(seen: Seen, emulated: bool) -> Memory:
    """Of the fresh processes: what varies, as its highest. An emulator's process is another."""
    return Memory(
        file_bytes=seen.contender.file_bytes,
        planned_bytes=highest(of_cold(seen, "planned_bytes")),
        packed_bytes=None if emulated else highest(of_cold(seen, "heap_bytes")),
        peak_rss_bytes=None if emulated else highest(of_cold(seen, "peak_resident_bytes")),
        pss_bytes=None if emulated else highest(of_cold(seen, "proportional_bytes")),
        growth_bytes=None if emulated else seen.growth_bytes,
    )


def of_cold(seen: Seen, key: str) -> list[Any]:
    return [item[key] for item in seen.cold if item.get(key) is not None]


def highest(values: Sequence[int]) -> int | None:
    return int(max(values)) if values else None


def total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


# --- one against another


def compare(
    measured: Sequence[Seen], texts: Sequence[str] | None, energies: Mapping[str, PassEnergy], emulated: bool
) -> tuple[list[Ratio], list[WerChange]]:
    """The first setting over, and minus, each of the others."""
    first, others = measured[0], measured[1:]
    ratios: list[Ratio] = []
    changes: list[WerChange] = []
    for other in others:
        if not emulated:
            ratios += ratio(first, other, COMPUTE, first.compute_s, other.compute_s)
            ratios += ratio(first, other, ENERGY, energies[first.name].joules, energies[other.name].joules)
            peaks = [of_cold(each, "peak_resident_bytes") for each in (first, other)]
            ratios += ratio(first, other, PEAK_RSS, *peaks)
        if texts:
            changes.append(wer_change(first, other, texts))
    return ratios, changes


def ratio(
    of: Seen, to: Seen, quantity: str, numerators: Sequence[float | None], denominators: Sequence[float | None]
) -> list[Ratio]:
    """Over the pairs that both have; none where there are none. Energy that idle swallowed has no ratio."""
    pairs = [(n, d) for n, d in zip(numerators, denominators, strict=False) if n is not None and d is not None]
    if not pairs or any(min(pair) <= 0 for pair in pairs):
        return []
    found = interleaved_ratio([n for n, _ in pairs], [d for _, d in pairs])
    return [Ratio(of.name, to.name, quantity, found.value, found.ci95, len(pairs))]


def wer_change(of: Seen, to: Seen, texts: Sequence[str]) -> WerChange:
    return wer_change_of(of.name, to.name, texts, [item.text for item in of.once], [item.text for item in to.once])
