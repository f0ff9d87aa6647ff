"""What a measurement says, for every target: the profiler writes it, sweeps, comparisons and the Android app follow it.

`to_json` writes it and `from_json` reads it back; `report_schema.json` beside this file is the same as JSON Schema
(`python -m edge_asr.profiling.report_schema` prints it). A figure that was not measured is null, never 0. Times are
wall clock.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_asr.errors import EdgeAsrError
from edge_asr.json_text import json_text
from edge_asr.profiling.report_versions import upgraded

SCHEMA_VERSION = 2
FORMAT = "edge-asr-profile"

EnergyKind = Literal["measured", "estimate", "not measured"]


@dataclass(frozen=True)
class Distribution:
    """Of repeated times."""

    count: int  # how many were taken
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Latency:
    """Of one setting. Emulated targets have none."""

    cold_load_ms: Distribution | None  # a fresh process each: file checked, mapped, weights packed
    start_to_first_result_ms: Distribution | None  # a fresh process each: from its start to the first step's result
    first_step_ms: Distribution | None  # a fresh process each
    warm_step_ms: Distribution | None  # all steps of all passes, which begin once a process is warm
    warm_step_upper_ms: Distribution | None  # of them, those in which the upper stack ran
    warm_step_skipped_ms: Distribution | None  # and those in which it did not
    first_partial_ms: Distribution | None  # audio heard, plus compute, when the first text is shown; over recordings
    end_of_speech_ms: Distribution | None  # compute from the last sample in to the final text out; over recordings
    rtf: float  # compute over audio, median of the passes
    stages_ms: dict[str, float] | None  # mean of a step by stage: front end, lower, gate, upper, state, decode
    operators_ms: dict[str, float] | None  # mean of a step by operator, where the runtime tells (ETDump)


@dataclass(frozen=True)
class Memory:
    """Of a fresh process. Bytes."""

    file_bytes: int  # the model
    planned_bytes: int | None  # arenas for state and activations
    packed_bytes: int | None  # weights as the delegate keeps them, with the rest of the heap
    peak_rss_bytes: int | None  # the highest of the fresh processes
    pss_bytes: int | None  # at a process's end, with shared pages divided among their users
    growth_bytes: int | None  # resident after hearing all recordings twice, over that after hearing them once


@dataclass(frozen=True)
class Energy:
    """Of the passes of one setting, idle subtracted."""

    kind: EnergyKind
    source: str | None  # what was read, such as "rapl:package-0" or "estimate: 4 W a busy CPU"
    reason: str | None  # why there is no figure
    joules: float | None  # of all passes
    mj_per_audio_s: float | None  # millijoules per second of audio
    uncertainty_mj_per_audio_s: float | None  # half-width of the 95 % interval over the passes, and of the sampling
    idle_w: float | None  # measured before and after, and subtracted
    sample_hz: float | None  # of the samples as they came
    samples: int | None


@dataclass(frozen=True)
class Accuracy:
    """Against the references of the manifest, from the bytes that were timed. Percent."""

    wer: float
    wer_ci95: tuple[float | None, float | None]  # a limit is null where resamples may lack reference words
    substitutions: int
    deletions: int
    insertions: int
    words: int


@dataclass(frozen=True)
class Pass:
    """One pass of one setting over all recordings, `traversals` times; raw, for those who want other statistics."""

    order: int  # position in the interleaved sequence of all passes
    compute_s: float  # inside the model's steps
    cpu_s: float | None  # CPU seconds of the process
    joules: float | None  # idle subtracted


@dataclass(frozen=True)
class Setting:
    """What is compared: a runtime, a file and a threshold."""

    name: str  # unique in a report: "gate 0.7", "off", "onnxruntime int8", ...
    runtime: str  # edge-asr-run, onnxruntime, pocketsphinx, android
    runtime_version: str
    model: str | None  # file name
    model_sha256: str | None
    precision: str | None
    threshold: float | None  # 1 never skips; null for runtimes without a gate


@dataclass(frozen=True)
class SettingResult:
    """All that was measured of one setting."""

    setting: Setting
    audio_s: float  # of all recordings, once, as are the counts below
    frames: int | None
    kept_frames: int | None
    upper_runs: int | None
    steps: int | None
    latency: Latency | None  # null where time means nothing (emulation)
    memory: Memory
    energy: Energy
    accuracy: Accuracy | None  # null where the recordings have no reference text
    passes: tuple[Pass, ...]


@dataclass(frozen=True)
class Ratio:
    """Setting `of` over setting `to`, pass by pass: below 1 is less."""

    of: str
    to: str
    quantity: str  # compute, energy, peak_rss
    ratio: float  # median over the pairs of passes
    ci95: tuple[float, float] | None  # bootstrap over the pairs
    pairs: int


@dataclass(frozen=True)
class WerChange:
    """Setting `of` minus setting `to`, on the same utterances."""

    of: str
    to: str
    points: float
    ci95: tuple[float, float]  # paired bootstrap over utterances


@dataclass(frozen=True)
class Snapshot:
    """The device at one moment. What it does not tell is null."""

    governor: str | None
    frequencies_mhz: tuple[float, ...] | None  # one a CPU
    temperatures_c: dict[str, float] | None  # by sensor
    throttled: bool | None
    load_1min: float | None
    others_cpu_share: float | None  # CPU time used by other processes since the snapshot before, of all cores


@dataclass(frozen=True)
class Conditions:
    """Where and how it was measured."""

    target: str  # local, ssh:user@host, adb:serial
    emulated: bool  # time means nothing
    machine: str  # x86_64, aarch64
    cpu: str
    cores: int
    system: str  # kernel or Android release
    cpus: str | None  # affinity asked for
    threads: int
    charging: bool | None  # whether a battery is being charged; null where there is none
    before: Snapshot
    after: Snapshot
    versions: dict[str, str]  # edge_asr, executorch, python, ...


@dataclass(frozen=True)
class MeasurementProtocol:
    """How it was repeated."""

    warm_up_passes: int
    passes: int  # of each setting
    traversals: int  # of all recordings in a pass
    cold_starts: int  # fresh processes of each setting, for its loading, its first step and its memory
    interleaved: bool
    cool_down_s: float
    recordings: int
    recordings_sha256: str  # of their names and samples
    references_sha256: str | None  # of their reference texts, in order; null where there are none


@dataclass(frozen=True)
class Verdict:
    """Whether the figures may be quoted."""

    quotable: bool
    reasons: tuple[str, ...]  # what was too noisy, one line each
    spread: float | None  # the widest relative spread of a setting's passes
    unfinished: str | None = None  # why it ended early; null where it did not


@dataclass(frozen=True)
class Report:
    """One profile."""

    created_utc: str  # ISO 8601
    command: str  # the line that reproduces it
    conditions: Conditions
    protocol: MeasurementProtocol
    results: tuple[SettingResult, ...]
    ratios: tuple[Ratio, ...]
    wer_changes: tuple[WerChange, ...]
    verdict: Verdict
    schema_version: int = SCHEMA_VERSION
    notes: tuple[str, ...] = field(default_factory=tuple)  # what a reader must know, one line each


def to_json(report: Report) -> str:
    """Indented, with a final newline. Raises ValueError where a figure is not finite."""
    return json_text(to_dict(report), indent=1) + "\n"


def to_dict(report: Report) -> dict[str, Any]:
    """As JSON has it: `format` first, lists for tuples."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(report))
    return {"format": FORMAT, "schema_version": plain.pop("schema_version"), **plain}


def from_json(text: str) -> Report:
    """Raises EdgeAsrError where it is not a report, or of a newer schema."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EdgeAsrError(f"not a profile: broken JSON ({error})") from None
    if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
        raise EdgeAsrError("not a profile made by edge-asr (no 'format' that says so)")
    version = value.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise EdgeAsrError(f"not a profile: schema_version is {version!r}")
    if version > SCHEMA_VERSION:
        raise EdgeAsrError(
            f"a profile of schema {version}, this edge-asr reads up to schema {SCHEMA_VERSION}: upgrade edge-asr"
        )
    report: Report = _decode(Report, upgraded(value), "")
    names = [result.setting.name for result in report.results]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise EdgeAsrError(f"not a profile: two of its settings are called {twice!r}: measure again")
    return report


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _decode(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind`, a type that a field of a report may have. Raises EdgeAsrError that names the field."""
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _decode_object(kind, value, where)
    if origin in (types.UnionType, typing.Union):
        (wanted,) = [option for option in options if option is not types.NoneType]  # all unions here are `X | None`
        return None if value is None else _decode(wanted, value, where)
    if origin is Literal and value in options:
        return value
    if origin is tuple and isinstance(value, list):
        same = len(options) == 2 and options[1] is Ellipsis
        if same or len(options) == len(value):
            each = [options[0]] * len(value) if same else options
            return tuple(_decode(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(each, value, strict=True)))
    if origin is dict and isinstance(value, dict):
        return {key: _decode(options[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.inf
        if math.isfinite(number):
            return number
    if kind in (str, bool, int) and type(value) is kind:
        return value
    raise EdgeAsrError(f"not a profile: {where.lstrip('.') or 'it'} is {json_text(value)[:60]}")


def _decode_object(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise EdgeAsrError(f"not a profile: {where.lstrip('.') or 'it'} is not an object")
    hints = typing.get_type_hints(kind)
    for name in value.keys() ^ hints.keys():
        has = "lacks" if name in hints else "has an unknown"
        raise EdgeAsrError(f"not a profile of schema {SCHEMA_VERSION}: {where.lstrip('.') or 'it'} {has} '{name}'")
    return kind(**{name: _decode(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})
