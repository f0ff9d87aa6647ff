"""Compute of one file with the gate on and off, interleaved so that a machine that slows down slows both."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_asr.contract import NEVER_SKIP
from edge_asr.profiling.prediction import predicted_speed_up, upper_share
from edge_asr.recognizer import Recognizer, Result, StepInfo


@dataclass(frozen=True)
class GateComparison:
    """Compute of one file with the gate on (at `threshold`) and off, over `repeat` interleaved passes."""

    threshold: float  # of the gated passes
    repeat: int  # passes over all recordings, of each kind
    audio_s: float  # seconds of audio in a pass
    kept_frame_ratio: float  # of the gated passes
    gated_s: float  # median compute of a pass, gate on
    ungated_s: float  # median compute of a pass, gate off
    ratio: float  # median over the passes of gated / ungated
    ratio_low: float  # lowest of the passes
    ratio_high: float  # highest of the passes
    upper_share: float  # of an ungated step's compute, the upper stack's: what a gated step without it lacks
    gated_passes_s: tuple[float, ...]
    ungated_passes_s: tuple[float, ...]
    gated_texts: tuple[str, ...]  # one a recording
    ungated_texts: tuple[str, ...]

    @property
    def saved(self) -> float:
        """Share of the compute that the gate saves."""
        return 1.0 - self.ratio

    @property
    def speed_up(self) -> float:
        """Compute with the gate off over that with it on, as it was measured."""
        return 1 / self.ratio

    @property
    def predicted_speed_up(self) -> float:
        """What the skipped work predicts."""
        return predicted_speed_up(self.upper_share, self.kept_frame_ratio)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the texts, for JSON."""
        derived = {name: getattr(self, name) for name in ("saved", "speed_up", "predicted_speed_up")}
        facts = dataclasses.asdict(self) | derived
        return {name: value for name, value in facts.items() if not name.endswith("_texts")}


def compare_gate(
    recognizer: Recognizer,
    recordings: Sequence[np.ndarray],
    threshold: float,
    repeat: int,
    advance: Callable[[float], None] = lambda amount: None,
) -> GateComparison:
    """Recordings are float32 [samples] at 16 kHz. `advance` gets 1 after each pass.

    Recording by recording both settings follow one another, and who goes first changes from pass to pass. The first
    recording warms both up.
    """
    for value in (threshold, NEVER_SKIP):
        recognizer.transcribe(recordings[0], value)
    seconds: dict[bool, list[float]] = {True: [], False: []}  # by gated
    step_ms: dict[bool, list[float]] = {
        True: [],
        False: [],
    }  # by whether the upper stack ran: ungated, gated without it
    texts: dict[bool, list[str]] = {True: [], False: []}
    kept = frames = 0
    audio_s = 0.0
    for number in range(repeat):
        totals = {True: 0.0, False: 0.0}
        audio_s = 0.0
        for recording in recordings:
            for gated in (True, False) if number % 2 == 0 else (False, True):
                result, steps = heard(recognizer, recording, threshold if gated else NEVER_SKIP)
                counters = result.counters
                step_ms[not gated] += [step.latency_ms for step in steps if step.upper_ran != gated]
                totals[gated] += counters.compute_s
                if number == 0:
                    texts[gated].append(result.text)
                if gated:
                    kept, frames = kept + counters.kept_frames, frames + counters.frames
                    audio_s += counters.audio_s
        for gated, total in totals.items():
            seconds[gated].append(total)
        advance(1)
    ratios = [on / off for on, off in zip(seconds[True], seconds[False], strict=True)]
    return GateComparison(
        threshold=threshold,
        repeat=repeat,
        audio_s=audio_s,
        kept_frame_ratio=kept / frames,
        gated_s=statistics.median(seconds[True]),
        ungated_s=statistics.median(seconds[False]),
        ratio=statistics.median(ratios),
        ratio_low=min(ratios),
        ratio_high=max(ratios),
        upper_share=share_of_upper(step_ms[True], step_ms[False]),
        gated_passes_s=tuple(seconds[True]),
        ungated_passes_s=tuple(seconds[False]),
        gated_texts=tuple(texts[True]),
        ungated_texts=tuple(texts[False]),
    )


def heard(recognizer: Recognizer, recording: np.ndarray, threshold: float) -> tuple[Result, tuple[StepInfo, ...]]:
    """A whole recording, and all its steps."""
    with recognizer.stream(threshold) as stream:
        update = stream.accept(recording)
        result = stream.finish()
    return result, update.new_steps + result.new_steps


def share_of_upper(with_upper_ms: Sequence[float], without_ms: Sequence[float]) -> float:
    """Of the compute of a step; 0 where the gate never spared one. Medians: they are of the same machine and minute."""
    if not with_upper_ms or not without_ms:
        return 0.0
    return upper_share(statistics.median(with_upper_ms), statistics.median(without_ms))
