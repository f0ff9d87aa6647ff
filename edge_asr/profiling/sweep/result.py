"""What a sweep says: each setting's WER, compute and energy, the front, and a recommendation. `sweep.json`."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_asr.json_text import json_text
from edge_asr.profiling.accuracy import accuracy_of, wer_change_of
from edge_asr.profiling.contenders import Contender
from edge_asr.profiling.recordings import Recordings
from edge_asr.profiling.report import Accuracy, Energy, Ratio, Setting, WerChange
from edge_asr.profiling.statistics import interleaved_ratio, median_interval, relative_spread
from edge_asr.profiling.sweep.front import Candidate, Recommendation, in_words, judge, on_front, recommend
from edge_asr.profiling.sweep.journal import Journal, PassRecord, key_of
from edge_asr.profiling.verdict import OTHERS_LIMIT, SPREAD_LIMIT

FORMAT = "edge-asr-sweep"
SCHEMA_VERSION = 1
NOT_MEASURED = Energy("not measured", None, "no meter", None, None, None, None, None, None)
NOT_A_RESULT = (
    "A threshold that is chosen on these recordings has no honest WER on them: choose it on held-out speech (the "
    "training speakers' own), then report it, once, on the test split."
)


@dataclass(frozen=True)
class Point:
    """One setting."""

    setting: Setting
    gated: bool  # ours, with a threshold: what a recommendation may name
    file_bytes: int
    passes: int  # that were taken; the reference's are taken again beside settings that are added later
    rtf: float  # compute over audio, median of the passes
    rtf_ci95: tuple[float, float] | None  # of that median; null of fewer than six passes
    spread: float  # of the passes, 10th to 90th percentile over the median
    compute_ratio: Ratio | None  # to the reference, pass by pass
    step_p50_ms: float | None
    step_p90_ms: float | None
    kept_frame_ratio: float | None
    upper_runs: int | None
    steps: int | None
    peak_rss_bytes: int | None
    energy: Energy
    accuracy: Accuracy | None
    wer_change: WerChange | None  # to the reference
    on_front: bool | None  # no other is better in WER or compute and as good in the other; null without WER


@dataclass(frozen=True)
class Sweep:
    """A whole sweep, or as much of it as was taken."""

    created_utc: str
    command: str
    manifest: str  # file name
    recordings: int
    recordings_sha256: str
    audio_s: float
    words: int | None  # of the references
    reference: str  # setting that ratios and changes are to
    passes_wanted: int  # of each setting
    complete: bool
    points: tuple[Point, ...]
    recommendation: Recommendation | None  # null without references
    in_words: str
    notes: tuple[str, ...]
    conditions: dict[str, Any] | None  # see `report.Conditions`; of the last go

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, "schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """Indented, with a final newline. Raises ValueError where a figure is not finite."""
        return json_text(self.to_dict(), indent=1) + "\n"


@dataclass(frozen=True)
class Occasion:
    """What the passes do not tell."""

    created_utc: str
    command: str
    manifest: Path
    passes_wanted: int
    at_most_points: float
    failures: Mapping[str, str]  # by the setting's name
    own: str | None = None  # the setting that the first file recommends, where only that is to be judged: a test split


def summarize(
    contenders: Sequence[Contender], reference: str, recordings: Recordings, journal: Journal, occasion: Occasion
) -> Sweep:
    """Of the contenders that have a pass. `reference` is the name of one of them; where it has none, there is nothing
    to compare with."""
    taken = {contender.setting.name: passes_of(contender, journal, occasion) for contender in contenders}
    present = [contender for contender in contenders if taken[contender.setting.name]]
    first = taken.get(reference, [])
    points = [point_of(each, taken[each.setting.name], reference, first, recordings, journal) for each in present]
    points = with_front(points)
    complete = all(rounds(passes) == occasion.passes_wanted for passes in taken.values())
    words = points[0].accuracy.words if points and points[0].accuracy else None
    chosen = choose(points, reference, occasion) if words else None
    return Sweep(
        created_utc=occasion.created_utc,
        command=occasion.command,
        manifest=occasion.manifest.name,
        recordings=len(recordings),
        recordings_sha256=recordings.sha256,
        audio_s=recordings.audio_s,
        words=words,
        reference=reference,
        passes_wanted=occasion.passes_wanted,
        complete=complete,
        points=tuple(points),
        recommendation=chosen,
        in_words=in_words(chosen, words) if chosen and words else unweighed(words, present, reference),
        notes=tuple(notes_on(points, taken, complete, words, journal.conditions, occasion)),
        conditions=journal.conditions,
    )


def unweighed(words: int | None, present: Sequence[Contender], reference: str) -> str:
    if not present:
        return "Nothing has been measured yet."
    if not words:
        return "No recommendation: the manifest has no reference words, so compute has nothing to be weighed against."
    if any(contender.setting.name == reference for contender in present):
        return "No recommendation: a test split chooses none, and the file's own threshold was not measured."
    return "No recommendation: the reference was not measured."


def passes_of(contender: Contender, journal: Journal, occasion: Occasion) -> list[PassRecord]:
    key = key_of(contender.setting)
    wanted = range(occasion.passes_wanted)
    return [record for record in journal.passes if record.key == key and record.number in wanted]


def rounds(passes: Sequence[PassRecord]) -> int:
    return len({record.number for record in passes})


def point_of(
    contender: Contender,
    passes: Sequence[PassRecord],
    reference: str,
    reference_passes: Sequence[PassRecord],
    recordings: Recordings,
    journal: Journal,
) -> Point:
    setting, texts = contender.setting, passes[0].texts
    rtfs = [record.compute_s / record.audio_s for record in passes]
    frames, kept = passes[0].frames, passes[0].kept_frames
    accuracy, change = None, None
    if recordings.texts is not None:
        accuracy = accuracy_of(recordings.texts, texts)
        if reference_passes:
            change = wer_change_of(setting.name, reference, recordings.texts, texts, reference_passes[0].texts)
    return Point(
        setting=setting,
        gated=setting.threshold is not None,
        file_bytes=contender.file_bytes,
        passes=len(passes),
        rtf=statistics.median(rtfs),
        rtf_ci95=median_interval(rtfs),
        spread=relative_spread(rtfs),
        compute_ratio=ratio_of(setting.name, passes, reference, reference_passes),
        step_p50_ms=median_of([record.step_p50_ms for record in passes]),
        step_p90_ms=median_of([record.step_p90_ms for record in passes]),
        kept_frame_ratio=kept / frames if frames and kept is not None else None,
        upper_runs=passes[0].upper_runs,
        steps=passes[0].steps,
        peak_rss_bytes=max((record.peak_rss_bytes or 0 for record in passes), default=0) or None,
        energy=energy_of(key_of(setting), journal),
        accuracy=accuracy,
        wer_change=change,
        on_front=None,
    )


def ratio_of(of: str, passes: Sequence[PassRecord], to: str, reference: Sequence[PassRecord]) -> Ratio | None:
    """Of passes of the same round in the same go alone: others were not interleaved."""
    own = {(record.session, record.number): record.compute_s for record in passes}
    other = {(record.session, record.number): record.compute_s for record in reference}
    both = sorted(own.keys() & other.keys())
    if not both:
        return None
    estimate = interleaved_ratio([own[turn] for turn in both], [other[turn] for turn in both])
    return Ratio(of, to, "compute", estimate.value, estimate.ci95, len(both))


def median_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def energy_of(key: str, journal: Journal) -> Energy:
    """Of the go with most passes of the setting."""
    own = [record for record in journal.energies if record.key == key]
    return max(own, key=lambda record: record.passes).energy if own else NOT_MEASURED


def with_front(points: Sequence[Point]) -> list[Point]:
    costs = [(point.accuracy.wer, point.rtf) for point in points if point.accuracy is not None]
    if len(costs) < len(points):
        return list(points)
    return [dataclasses.replace(point, on_front=front) for point, front in zip(points, on_front(costs), strict=True)]


def choose(points: Sequence[Point], reference: str, occasion: Occasion) -> Recommendation | None:
    """None where the reference has no pass, or the one setting that may be judged has none."""
    candidates = [
        Candidate(point.setting.name, point.compute_ratio.ratio, point.wer_change.points, point.wer_change.ci95)
        for point in points
        if point.gated and point.compute_ratio and point.wer_change
    ]
    if not any(candidate.name == reference for candidate in candidates):
        return None
    if occasion.own is None:
        return recommend(candidates, reference, occasion.at_most_points)
    own = next((candidate for candidate in candidates if candidate.name == occasion.own), None)
    return judge(own, reference, occasion.at_most_points) if own else None


def notes_on(
    points: Sequence[Point],
    taken: Mapping[str, Sequence[PassRecord]],
    complete: bool,
    words: int | None,
    conditions: dict[str, Any] | None,
    occasion: Occasion,
) -> list[str]:
    """What a reader must know, one line each."""
    notes = [NOT_A_RESULT] if words and occasion.own is None else []
    notes += [f"{name} was left out: {reason}" for name, reason in occasion.failures.items()]
    if not complete:
        count = sum(map(rounds, taken.values()))
        notes.append(
            f"Unfinished: {count} of {occasion.passes_wanted * len(taken)} passes. The same command goes on from here."
        )
    noise = list(noise_in(points, conditions))
    if noise:
        notes.append(f"Too noisy to quote times: {'; '.join(noise)}. Stop what else runs, and take the passes again.")
    goes = {record.session for passes in taken.values() for record in passes}
    if len(goes) > 1:
        notes.append(f"Taken in {len(goes)} goes; ratios pair passes of one go only.")
    unsteady = [name for name, passes in taken.items() if len({record.texts for record in passes}) > 1]
    if unsteady:
        notes.append(f"Not the same text in every pass: {', '.join(unsteady)}. WER is of the first.")
    return notes


def noise_in(points: Sequence[Point], conditions: dict[str, Any] | None) -> Iterator[str]:
    spread = max(points, key=lambda point: point.spread, default=None)
    if spread is not None and spread.spread > SPREAD_LIMIT:
        yield f"the passes of {spread.setting.name} spread by {spread.spread:.0%} (limit {SPREAD_LIMIT:.0%})"
    if conditions is None:
        return
    share = conditions["after"]["others_cpu_share"]
    if share is not None and share > OTHERS_LIMIT:
        yield f"other processes used {share:.0%} of the CPUs (limit {OTHERS_LIMIT:.0%})"
    if conditions["before"]["throttled"] or conditions["after"]["throttled"]:
        yield "the device was throttled"
