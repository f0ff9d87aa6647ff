"""What the adoption of a pretrained encoder has cost, and what its gate saves: the report of `edge-asr export`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_asr.audio import read_audio
from edge_asr.errors import EdgeAsrError
from edge_asr.manifest import Utterance
from edge_asr.metrics import ErrorRates, WerDifference, error_rates, wer_difference
from edge_asr.model.checkpoint import Checkpoint, load_checkpoint
from edge_asr.model.hearing import heard_as_stream, heard_at_full_context
from edge_asr.profiling.gate_comparison import GateComparison, compare_gate
from edge_asr.profiling.prediction import SpeedUp
from edge_asr.recognizer import Recognizer

REPEAT = 3  # passes over the recordings with the gate on, and as many with it off


@dataclass(frozen=True)
class AdoptionReport:
    """Of one `.pte` on one manifest. Rates are in percent of its words."""

    gate: GateComparison  # of the file, on and off in turns
    on: ErrorRates  # the file, at its own threshold
    off: ErrorRates  # the file, nothing skipped
    full_context: ErrorRates  # its checkpoint in PyTorch, each recording whole, nothing skipped
    source: ErrorRates | None  # the same of the checkpoint that it was trained from; None where not asked for
    gate_cost: WerDifference  # on minus off
    streaming_cost: WerDifference  # off minus full context
    adoption_cost: WerDifference | None  # on minus source
    agreement: float  # percent of the words that fp32 PyTorch hears which the file hears, too
    bytes: int  # of the file

    @property
    def speed_up(self) -> SpeedUp:
        return SpeedUp(self.gate.speed_up, self.gate.predicted_speed_up)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        rates = {name: getattr(self, name) for name in ("on", "off", "full_context", "source")}
        changes = {name: getattr(self, name) for name in ("gate_cost", "streaming_cost", "adoption_cost")}
        return {
            "utterances": self.on.utterances,
            "words": self.on.reference_words,
            "audio_s": self.gate.audio_s,
            "threshold": self.gate.threshold,
            "wer": {name: rate.wer if rate else None for name, rate in rates.items()},
            "wer_ci95": {name: rate.wer_ci95 if rate else None for name, rate in rates.items()},
            **{name: asdict(change) if change else None for name, change in changes.items()},
            "kept_frame_ratio": self.gate.kept_frame_ratio,
            "speed_up": asdict(self.speed_up) | {"realised": self.speed_up.realised},
            "agreement": self.agreement,
            "bytes": self.bytes,
        }


@dataclass(frozen=True)
class Material:
    """What a report is made of, read once and found fit before minutes of export."""

    trained: Checkpoint  # what is exported
    origin: Checkpoint | None  # what it was trained from, where asked for
    said: list[str]  # in the recordings, as the model would write it
    recordings: list[np.ndarray]  # float32 [samples] at the model's rate


def read_material(checkpoint: Path, source: Path | None, utterances: Sequence[Utterance]) -> Material:
    """`source` is the checkpoint of `edge-asr adopt`. Raises EdgeAsrError where a checkpoint or recording is unfit,
    where nothing is said in the recordings, and where the source has no CTC head of its own."""
    if not any(utterance.text for utterance in utterances):
        raise EdgeAsrError("the manifest's texts have no words: there is nothing to report")
    trained, origin = load_checkpoint(checkpoint), source_with_head(source) if source else None
    return Material(
        trained=trained,
        origin=origin,
        said=[trained.tokens.as_written(utterance.text) for utterance in utterances],
        recordings=[recording_of(utterance, trained.model.spec.sample_rate_hz) for utterance in utterances],
    )


def recording_of(utterance: Utterance, rate_hz: int) -> np.ndarray:
    try:
        return read_audio(utterance.audio, rate_hz)
    except EdgeAsrError as error:
        raise EdgeAsrError(f"line {utterance.line} of the manifest: {error}") from None


def measure_adoption(
    pte: Path, material: Material, advance: Callable[[float], None] = lambda amount: None
) -> AdoptionReport:
    """`pte` is what the material's checkpoint was exported to. `advance` adds up to `work(material)`. Raises
    EdgeAsrError where the file is unfit."""
    trained, origin, said, recordings = material.trained, material.origin, material.said, material.recordings
    with Recognizer.open(pte) as recognizer:
        metadata = recognizer.metadata
        threshold = metadata.default_threshold
        gate = compare_gate(recognizer, recordings, threshold, REPEAT, advance)
    eager = [heard_as_stream(trained, recording, threshold, metadata.chunk_frames) for recording in recordings]
    advance(1)
    whole = at_full_context(trained, recordings)
    advance(1)
    own = at_full_context(origin, recordings) if origin else None
    advance(1 if own else 0)
    return AdoptionReport(
        gate=gate,
        on=error_rates(said, gate.gated_texts),
        off=error_rates(said, gate.ungated_texts),
        full_context=error_rates(said, whole),
        source=error_rates(said, own) if own else None,
        gate_cost=wer_difference(said, gate.ungated_texts, gate.gated_texts),
        streaming_cost=wer_difference(said, whole, gate.ungated_texts),
        adoption_cost=wer_difference(said, own, gate.gated_texts) if own else None,
        agreement=max(0.0, 100.0 - error_rates(eager, gate.gated_texts).wer),
        bytes=pte.stat().st_size,
    )


def work(material: Material) -> int:
    """Parts of `measure_adoption`, for whoever shows its progress."""
    return REPEAT + 2 + (material.origin is not None)


def at_full_context(checkpoint: Checkpoint, recordings: Sequence[np.ndarray]) -> list[str]:
    return [heard_at_full_context(checkpoint, recording) for recording in recordings]


def source_with_head(path: Path) -> Checkpoint:
    """What was adopted. Raises EdgeAsrError where it is not of `edge-asr adopt`, or has no CTC head of its own."""
    checkpoint = load_checkpoint(path)
    new = json.loads(checkpoint.training.get("new_parameters", "null"))
    if new is None:
        raise EdgeAsrError(f"{path}: not a checkpoint of edge-asr adopt: name the one that the training started from")
    if any(name.startswith("upper.head") for name in new):
        raise EdgeAsrError(f"{path}: its source has no CTC head, so hears nothing by itself: leave out --source")
    return checkpoint
