"""Decode a manifest with one file and score it: accuracy, compute and what the gate did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge_asr.manifest import Utterance
from edge_asr.metrics import error_rates
from edge_asr.recognizer import Recognizer, Result


@dataclass(frozen=True)
class Decoded:
    """One utterance and what was heard in it."""

    utterance: Utterance
    result: Result


@dataclass(frozen=True)
class Evaluation:
    """Totals over a manifest. The names are those of `edge-asr evaluate --json`."""

    utterances: int
    words: int  # of the references
    wer: float  # percent
    wer_ci95: tuple[float, float]  # percent, bootstrap over utterances
    cer: float  # percent
    substitutions: int  # words
    deletions: int  # words
    insertions: int  # words
    audio_s: float  # seconds of audio
    compute_s: float  # wall clock inside the model's steps
    rtf: float  # compute_s / audio_s
    threshold: float  # of the gate; 1 never skips
    kept_frame_ratio: float  # frames that went through the upper layers / all frames
    frames: int
    kept_frames: int
    upper_runs: int  # steps in which the upper layers ran
    steps: int  # calls of the program


def decode(recognizer: Recognizer, utterances: Iterable[Utterance], threshold: float) -> Iterator[Decoded]:
    """Stream one utterance after the other through the recognizer. Raises EdgeAsrError that names the audio file."""
    for utterance in utterances:
        yield Decoded(utterance, recognizer.transcribe(utterance.audio, threshold))


def score(decoded: list[Decoded], threshold: float) -> Evaluation:
    """Raises EdgeAsrError where there is nothing to score."""
    rates = error_rates([d.utterance.text for d in decoded], [d.result.text for d in decoded])
    counters = [d.result.counters for d in decoded]
    audio_s, compute_s = sum(c.audio_s for c in counters), sum(c.compute_s for c in counters)
    frames, kept_frames = sum(c.frames for c in counters), sum(c.kept_frames for c in counters)
    return Evaluation(
        utterances=rates.utterances,
        words=rates.reference_words,
        wer=rates.wer,
        wer_ci95=rates.wer_ci95,
        cer=rates.cer,
        substitutions=rates.substitutions,
        deletions=rates.deletions,
        insertions=rates.insertions,
        audio_s=audio_s,
        compute_s=compute_s,
        rtf=compute_s / audio_s,
        threshold=threshold,
        kept_frame_ratio=kept_frames / frames,
        frames=frames,
        kept_frames=kept_frames,
        upper_runs=sum(c.upper_runs for c in counters),
        steps=sum(c.steps for c in counters),
    )
