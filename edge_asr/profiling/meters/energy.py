"""From a meter's windows to what a report says: idle subtracted, per second of audio, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_asr.errors import EdgeAsrError
from edge_asr.profiling.meters.integrate import TWO_SIDED_95, UNIFORM_SD
from edge_asr.profiling.meters.protocol import Meter, Span, Window
from edge_asr.profiling.report import Energy
from edge_asr.profiling.statistics import student_quantile

STUDENT_T_95 = {1: 12.706, 2: 4.303}  # by degrees of freedom; from 3 on, `student_quantile` is exact enough
LEAST_PASSES = 2  # that a figure may rest on where others were not covered


@dataclass(frozen=True)
class Idle:
    """Power when nothing of ours runs."""

    watts: float
    uncertainty_w: float  # half-width of the 95 % interval: of the measurement, and of what it drifted


@dataclass(frozen=True)
class PassEnergy:
    energy: Energy
    joules: tuple[float | None, ...]  # of each pass, idle subtracted; None where the meter did not cover it


def not_measured(reason: str, passes: int) -> PassEnergy:
    nothing = Energy("not measured", None, reason, None, None, None, None, None, None)
    return PassEnergy(nothing, (None,) * passes)


def energy_of(meter: Meter, passes: Sequence[Span], idle: Sequence[Span], audio_s: float) -> PassEnergy:
    """Of the passes of one setting, each over `audio_s` of audio. The meter is stopped, and aligned.

    Never raises: what the meter does not cover is said.
    """
    if meter.problem:
        return not_measured(meter.problem, len(passes))
    try:
        rest = idle_of([meter.window(span.begin_s, span.end_s) for span in idle])
    except EdgeAsrError as error:
        return not_measured(f"idle: {error}", len(passes))
    windows: list[Window | None] = []
    reason = None
    for span in passes:
        try:
            windows.append(meter.window(span.begin_s, span.end_s))
        except EdgeAsrError as error:
            windows.append(None)
            reason = reason or str(error)
    covered = [window for window in windows if window is not None]
    joules = tuple(None if window is None else window.joules - rest.watts * window.seconds for window in windows)
    if not covered or (reason and len(covered) < LEAST_PASSES):
        return PassEnergy(not_measured(reason or "no pass was measured", 0).energy, joules)
    if reason:
        reason = f"of {len(covered)} of {len(passes)} passes: {reason}"
    return PassEnergy(summed(meter, covered, rest, audio_s, reason), joules)


def idle_of(windows: Sequence[Window]) -> Idle:
    """Of all together. Raises EdgeAsrError where there are none."""
    if not windows:
        raise EdgeAsrError("it was not measured what the device takes at rest")
    seconds = sum(window.seconds for window in windows)
    watts = [window.joules / window.seconds for window in windows]
    measured_w = math.hypot(*(window.uncertainty_j for window in windows)) / seconds
    drift_w = TWO_SIDED_95 * UNIFORM_SD * (max(watts) - min(watts))
    return Idle(sum(window.joules for window in windows) / seconds, math.hypot(measured_w, drift_w))


def subtract_idle(window: Window, idle: Idle) -> tuple[float, float]:
    """J above idle, and the half-width of its 95 % interval."""
    return (
        window.joules - idle.watts * window.seconds,
        math.hypot(window.uncertainty_j, idle.uncertainty_w * window.seconds),
    )


def summed(meter: Meter, windows: Sequence[Window], idle: Idle, audio_s: float, reason: str | None) -> Energy:
    joules = [subtract_idle(window, idle)[0] for window in windows]
    seconds = sum(window.seconds for window in windows)
    samples = sum(window.samples for window in windows)
    # the passes' own spread; what the sampling adds; and idle, whose error all passes share
    spread_j = half_width(joules)
    sampling_j = math.hypot(*(window.uncertainty_j for window in windows)) / len(windows)
    shared_j = idle.uncertainty_w * seconds / len(windows)
    return Energy(
        kind=meter.kind,
        source=f"{meter.name} ({meter.covers})",
        reason=reason,
        joules=sum(joules),
        mj_per_audio_s=1e3 * float(np.mean(joules)) / audio_s,
        uncertainty_mj_per_audio_s=1e3 * math.hypot(spread_j, sampling_j, shared_j) / audio_s,
        idle_w=idle.watts,
        sample_hz=sum(window.sample_hz * window.seconds for window in windows) / seconds,
        samples=samples,
    )


def half_width(values: Sequence[float]) -> float:
    """Of the 95 % interval of their mean; 0 for a single one, which tells nothing of a spread."""
    if len(values) < 2:
        return 0.0
    degrees = len(values) - 1
    t = STUDENT_T_95.get(degrees) or student_quantile(degrees)
    return t * float(np.std(values, ddof=1)) / math.sqrt(len(values))
